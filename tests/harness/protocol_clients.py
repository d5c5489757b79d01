"""Clients of the protocols that come in from the front, one request each: started, then answered or left.

    with CurlH2(port, "/gate") as asked:
        ...
        asked.answer()      # Reply: ok, and the color that answered (the first word of the body)
        asked.leave()       # instead: the client goes away without waiting
"""

import dataclasses
import queue
import re
import subprocess

import grpc

from .client import Connection


@dataclasses.dataclass
class Reply:
    ok: bool
    color: str


class Http1:
    def __init__(self, port: int, path: str, **more: object) -> None:
        self._connection = Connection(port)
        self._connection.ask(path, **more)  # type: ignore[arg-type]

    def answer(self) -> Reply:
        answer = self._connection.answer()
        return Reply(answer.status == 200, answer.body.decode().split(" ")[0])

    def leave(self) -> None:
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


class CurlH2(Http1):
    """HTTP/2 without TLS, by curl."""

    def __init__(self, port: int, path: str) -> None:
        self._process = subprocess.Popen(
            ["curl", "-sS", "--max-time", "30", "--http2-prior-knowledge", "-w", "\n%{http_version} %{http_code}",
             f"http://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answer(self) -> Reply:
        body, _, status = self._process.communicate(timeout=40)[0].rpartition("\n")
        return Reply(status == "2 200", body.split(" ")[0])

    def leave(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)


class H2Streams(CurlH2):
    """Many requests of one path, `streams` at a time on each of the connections, by h2load."""

    def __init__(self, port: int, path: str, requests: int, streams: int, connections: int = 1) -> None:
        self._process = subprocess.Popen(
            ["h2load", "-n", str(requests), "-m", str(streams), "-c", str(connections),
             f"http://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def running(self) -> bool:
        return self._process.poll() is None

    def succeeded(self) -> int:
        """How many had an answer of 2xx; waits for all."""
        out, error = self._process.communicate(timeout=60)
        found = re.search(r"status codes: (\d+) 2xx", out)
        assert found, (out, error)
        return int(found.group(1))


class GrpcCall(Http1):
    """A unary call of /test.Gate/NAME by Google's client (see upstream_programs/grpc_server.py)."""

    def __init__(self, port: int, path: str) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_retries", 0)])
        self._future = self._channel.unary_unary(f"/test.Gate{path}").future(b"ask", timeout=20)

    def answer(self) -> Reply:
        try:
            return Reply(True, self._future.result().decode().split(" ")[0])
        except grpc.RpcError:
            return Reply(False, "")

    def leave(self) -> None:
        self._future.cancel()
        self._channel.close()


class GrpcTalk:
    """A call of /test.Echo/talk: both directions stay open until it is closed."""

    def __init__(self, port: int) -> None:
        self._sent: queue.Queue[bytes | None] = queue.Queue()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._answers = self._channel.stream_stream("/test.Echo/talk")(iter(self._sent.get, None), timeout=20)

    def echo(self, text: str) -> str:
        self._sent.put(text.encode())
        return next(self._answers).decode()

    def close(self) -> None:
        """Ends our direction and waits for the other one's end."""
        self._sent.put(None)
        assert list(self._answers) == []
        self._channel.close()
