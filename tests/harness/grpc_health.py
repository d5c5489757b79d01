"""A real gRPC server with grpc.health.v1, a process of its own (upstream_programs/health_server.py).

    with GrpcHealth() as server:               # or GrpcHealth(tls=certificate(folder))
        server.serving("", 2)                  # the whole server: NOT_SERVING from now on
"""

import pathlib
import subprocess

from .paths import free_port

PROGRAM = pathlib.Path(__file__).parent / "upstream_programs" / "health_server.py"


class GrpcHealth:
    def __init__(self, tls: tuple[pathlib.Path, pathlib.Path] | None = None) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._command = ["/usr/bin/python3", str(PROGRAM), str(self.port), *map(str, tls or ())]

    def __enter__(self) -> "GrpcHealth":
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._taken()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)

    def serving(self, service: str, number: int) -> None:
        """0 UNKNOWN, 1 SERVING, 2 NOT_SERVING, 3 SERVICE_UNKNOWN; returns when it is so."""
        print(service or "-", number, file=self._process.stdin, flush=True)
        self._taken()

    def _taken(self) -> None:
        line = self._process.stdout.readline()
        assert line == "taken\n", f"the gRPC server has ended: {line}"
