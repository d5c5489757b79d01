"""A backend for probes: what it does to a connection is chosen while it runs, and it keeps what it saw.

    with HostileBackend() as backend:              # or tls=certificate(folder)
        backend.mode = "garbage"                   # from the next request (or connection) on
        backend.requests, backend.connections      # CLOCK_MONOTONIC, seconds; grow only

modes
    ok                answers `status` and `body` after `delay` seconds, with keep-alive; statuses put into
                      `upcoming` are for the next requests
    slow_bytes        the same answer, one byte in 100 ms
    endless_headers   headers without end, as fast as they are read
    endless_line      one header without end
    big_body          1 GB of body, as fast as it is read
    chunks            chunked, without end, one byte a chunk
    garbage           64 KB of random bytes
    tls_garbage       the head of a TLS record, then random bytes
    wrong_length      a body that ends before its content-length
    silent            takes the request and says nothing
    reset             RST after accept                close      FIN after accept
    cut               closes in the middle of the headers
    once, once_reset  answers the first request of a connection; closes, or resets it, at the next one, as when the
                      end of a kept connection and a request on it cross each other

A thread a connection. `die` closes the port and every connection by RST, as a killed process; `live` opens it
again. For gRPC: grpc_health.py.
"""

import collections
import contextlib
import dataclasses
import os
import pathlib
import random
import socket
import ssl
import struct
import subprocess
import threading
import time

from .paths import free_port

STREAMED = {
    "endless_headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"m" * 100 + b"\r\n"),
    "endless_line": (b"HTTP/1.1 200 OK\r\nX-More: ", b"m" * 4096),
    "big_body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", b"b" * 65536),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nc\r\n" * 1000),
}


def certificate(folder: pathlib.Path, name: str = "app.test") -> tuple[pathlib.Path, pathlib.Path]:
    """A certificate for `name` that signs itself, and its key; PEM files in `folder`."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key,
                    "-out", cert], check=True, capture_output=True, timeout=60)
    return cert, key


@dataclasses.dataclass(frozen=True)
class Seen:
    time: float
    connection: int  # the how manieth
    head: str

    @property
    def line(self) -> str:
        return self.head.split("\r\n", 1)[0]

    def header(self, name: str) -> list[str]:
        lines = (line.partition(":") for line in self.head.split("\r\n")[1:])
        return [value.strip() for key, _, value in lines if key.lower() == name.lower()]


class HostileBackend:
    def __init__(self, mode: str = "ok", *, port: int | None = None,
                 tls: tuple[pathlib.Path, pathlib.Path] | None = None) -> None:
        self.mode, self.status, self.body, self.delay = mode, 200, b"fine\n", 0.0
        self.upcoming: collections.deque[int] = collections.deque()
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.connections: list[float] = []
        self.requests: list[Seen] = []
        self.server_names: list[str | None] = []
        self._tls = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*tls)
            self._tls.sni_callback = lambda _, name, __: self.server_names.append(name)
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._again: set[int] = set()  # connections that have had an answer
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None

    def __enter__(self) -> "HostileBackend":
        self.live()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()
        for thread in self._threads:
            thread.join(10)

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def live(self) -> None:
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        self._listener = listener
        self._start(self._accept, listener)

    def die(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the accept
            listener.close()
        self.drop()

    def drop(self) -> None:
        """Resets every connection, and goes on."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _reset_at_close(connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def times(self) -> list[float]:
        """When requests came."""
        return [seen.time for seen in self.requests]

    # --- threads
    def _start(self, work, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections.append(time.monotonic())
            with self._lock:
                self._open.add(connection)
            self._start(self._serve, connection, len(self.connections))

    def _serve(self, connection: socket.socket, number: int) -> None:
        stream = connection
        try:
            if self.mode == "reset":
                _reset_at_close(connection)
                return
            if self.mode == "close":
                return
            if self.mode == "tls_garbage":
                connection.sendall(b"\x16\x03\x03\x02\x00" + os.urandom(512))
                connection.recv(4096)
                return
            if self._tls:
                stream = self._tls.wrap_socket(connection, server_side=True)
            while self._one(stream, number):
                self._again.add(number)
        except OSError:  # the prober has closed, or we did
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            stream.close()

    def _one(self, stream: socket.socket, number: int) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            data = stream.recv(65536)
            if not data:
                return False
            head += data
        seen = Seen(time.monotonic(), number, head.decode("latin-1"))
        self.requests.append(seen)
        mode = self.mode
        if mode in STREAMED:
            begin, more = STREAMED[mode]
            stream.sendall(begin)
            for _ in range((1 << 30) // len(more)):
                stream.sendall(more)
            return False
        if mode == "garbage":
            stream.sendall(random.randbytes(65536))
        elif mode == "cut":
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")
        elif mode == "wrong_length":
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfine\n")
        elif mode == "silent":
            stream.recv(1)  # until it is given up
        elif mode in ("reset", "tls_garbage"):
            _reset_at_close(stream)
        elif mode.startswith("once") and number in self._again:
            if mode == "once_reset":
                _reset_at_close(stream)
        elif mode in ("ok", "slow_bytes", "once", "once_reset"):
            return self._answer(stream, seen, slow=mode == "slow_bytes")
        return False

    def _answer(self, stream: socket.socket, seen: Seen, slow: bool) -> bool:
        time.sleep(self.delay)
        keep = "close" not in seen.header("connection")
        more = "" if keep else "Connection: close\r\n"
        body = b"" if seen.line.startswith("HEAD ") else self.body
        status = self.upcoming.popleft() if self.upcoming else self.status
        answer = (f"HTTP/1.1 {status} Test\r\nContent-Length: {len(self.body)}\r\n"
                  f"{more}\r\n").encode() + body
        if not slow:
            stream.sendall(answer)
        for place in range(len(answer) if slow else 0):
            stream.sendall(answer[place:place + 1])
            time.sleep(0.1)
        return keep


def _reset_at_close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
