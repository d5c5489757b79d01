"""A small HTTP/1.x client over plain sockets: it sends what it is told, and hides nothing."""

import base64
import dataclasses
import os
import socket
import struct


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One client connection; several requests one after the other, or half of one."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._rest = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ask(self, path: str = "/", method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None,
            version: str = "1.1") -> None:
        lines = [f"{method} {path} HTTP/{version}", "Host: test"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body and "Content-Length" not in (headers or {}):
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def answer(self, head_only: bool = False) -> Answer:
        """The next answer; ConnectionError when the connection ends before it is whole."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            if name:
                headers[name.strip()] = value.strip()
        if head_only or status in (101, 204, 304):
            return Answer(status, headers, b"")
        if headers.get("Transfer-Encoding") == "chunked":
            return Answer(status, headers, self._chunked())
        if "Content-Length" in headers:
            return Answer(status, headers, self._exactly(int(headers["Content-Length"])))
        return Answer(status, headers, self._to_the_end())

    def closed(self) -> bool:
        """Whether the other side has closed (does not wait)."""
        if self._rest:
            return False
        self.sock.setblocking(False)
        try:
            data = self.sock.recv(4096)
            self._rest += data
            return data == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.sock.setblocking(True)
            self.sock.settimeout(10.0)

    def _more(self) -> bytes:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the connection ended in the middle of an answer")
        return data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._rest += self._more()
        found, self._rest = self._rest.split(mark, 1)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._rest += self._more()
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _chunked(self) -> bytes:
        body = b""
        while True:
            size = int(self._until(b"\r\n"), 16)
            body += self._exactly(size)
            self._until(b"\r\n")
            if size == 0:
                return body

    def _to_the_end(self) -> bytes:
        while data := self.sock.recv(65536):
            self._rest += data
        found, self._rest = self._rest, b""
        return found


class WebSocket(Connection):
    """The upgrade and masked text frames of less than 126 bytes."""

    def __init__(self, port: int, path: str = "/ws") -> None:
        super().__init__(port)
        key = base64.b64encode(os.urandom(16)).decode()
        self.ask(path, headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                                "Sec-WebSocket-Key": key})
        self.handshake = self.answer(head_only=True)

    def echo(self, text: str) -> str:
        mask = os.urandom(4)
        data = text.encode()
        self.send(struct.pack("!BB", 0x81, 0x80 | len(data)) + mask
                  + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))
        _, length = struct.unpack("!BB", self._exactly(2))
        return self._exactly(length).decode()


def request(port: int, path: str = "/", method: str = "GET", body: bytes = b"",
            headers: dict[str, str] | None = None) -> Answer:
    with Connection(port) as connection:
        connection.ask(path, method, body, {"Connection": "close", **(headers or {})})
        return connection.answer(head_only=method == "HEAD")
