"""HAProxy with two servers, blue and green, of which one is ready: as its runtime API is used for a switch.

Started in the foreground, in a folder of its own, ended by its id. `say` is one line on its socket and the
answer, by our own socket: socat would only add its start.
"""

import pathlib
import shutil
import socket
import subprocess

from harness import free_port, until

CONFIG = """\
global
    nbthread {threads}
    maxconn 4000
    stats socket {folder}/haproxy.sock mode 600 level admin
defaults
    mode http
    option http-keep-alive
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port}
    default_backend app
backend app
    server blue 127.0.0.1:{blue}
    server green 127.0.0.1:{green} disabled
"""


def haproxy_is_installed() -> bool:
    return shutil.which("haproxy") is not None or pathlib.Path("/usr/sbin/haproxy").exists()


class HAProxy:
    def __init__(self, folder: pathlib.Path, backends: list[int], threads: int = 4) -> None:
        self.folder = folder / "haproxy"
        self.folder.mkdir()
        self.port = free_port()
        self.config = self.folder / "haproxy.cfg"
        self.config.write_text(CONFIG.format(threads=threads, folder=self.folder, port=self.port, blue=backends[0],
                                             green=backends[1]))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "HAProxy":
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", str(self.config)], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        until(self._answers, "HAProxy answers")
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(20)

    def pids(self) -> list[int]:
        assert self.process is not None
        return [self.process.pid]

    def say(self, line: str) -> str:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(self.folder / "haproxy.sock"))
            sock.sendall(line.encode() + b"\n")
            answer = b""
            while data := sock.recv(65536):
                answer += data
        return answer.decode().strip()

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError("HAProxy ended: " + (self.folder / "log").read_text())
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
