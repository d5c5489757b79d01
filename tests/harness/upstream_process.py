"""Real servers of the protocols that NGINX speaks to an upstream, each a process of its own.

Every one of them answers a request by asking the AsyncBackend of its color for the same path over
HTTP and handing on what that says: a test sees and holds all protocols at one gate.

    with AsyncBackend("blue") as gate, UpstreamProcess("uwsgi", gate) as server:
        region.publish("blue", "v1", [server.address])
"""

import os
import pathlib
import socket
import subprocess
import tempfile

from .backend import AsyncBackend
from .paths import free_port
from .wait import until

PROGRAMS = pathlib.Path(__file__).parent / "upstream_programs"
COMMANDS = {
    "grpc": ["/usr/bin/python3", PROGRAMS / "grpc_server.py", "{port}"],
    "fastcgi": ["/usr/sbin/fcgiwrap", "-c", "8", "-s", "tcp:127.0.0.1:{port}"],  # runs gate.cgi
    "uwsgi": ["/usr/bin/uwsgi-core", "--plugin", "python3", "--uwsgi-socket", "127.0.0.1:{port}", "--threads", "8",
              "--need-app", "--die-on-term", "--wsgi-file", PROGRAMS / "wsgi_app.py"],
}


class UpstreamProcess:
    def __init__(self, protocol: str, gate: AsyncBackend) -> None:
        self.protocol, self.gate = protocol, gate
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._command = [str(word).format(port=self.port) for word in COMMANDS[protocol]]
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()

    def __enter__(self) -> "UpstreamProcess":
        env = dict(os.environ, GATE=f"http://{self.gate.address}", COLOR=self.gate.color, PYTHONDONTWRITEBYTECODE="1")
        self._process = subprocess.Popen(self._command, env=env, stdin=subprocess.DEVNULL, stdout=self._log,
                                         stderr=subprocess.STDOUT, start_new_session=True)
        try:
            until(self._ready, f"the {self.protocol} server listens", 20)
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        # Its own session: fcgiwrap's children and what they run go with it.
        os.killpg(self._process.pid, 9)
        self._process.wait(10)
        self._log.close()

    def _ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            self._log.seek(0)
            raise AssertionError(f"{self._command[0]} ended: {self._log.read().decode(errors='replace')[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
