"""Upstreams that say themselves which color and release they are, and log what reached them.

NginxBackend: a real nginx process, fast, for load and keep-alive. AsyncBackend: asyncio in a thread of
the test, for what takes time or is odd: WebSocket echo, gates, bodies that end when the test says so.
"""

import asyncio
import base64
import collections
import contextlib
import hashlib
import pathlib
import struct
import tempfile
import threading
import urllib.parse

from .nginx import Nginx
from .paths import free_port

BACKEND_HTTP = """
    log_format seen '$msec $request_method $request_uri $connection';
    access_log {log} seen;
    keepalive_requests 1000000;
    server {{
        listen {address}{reuseport};
        client_max_body_size 10m;
        add_header X-Color {color} always;
        add_header X-Release {release} always;
        location / {{ return 200 "{color} {release}\\n"; }}
        {more}
    }}
"""


class NginxBackend:
    """A color's upstream: `port`, `address`, `requests()`; `listen` may name a unix socket."""

    def __init__(self, color: str, release: str, *, port: int | None = None, more: str = "",
                 listen: str | None = None) -> None:
        self.color, self.release = color, release
        self.port = port or free_port()
        self.address = listen or f"127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="bluegreen-backend-")
        folder = pathlib.Path(self._folder.name)
        folder.chmod(0o755)
        self.log = folder / "requests.log"
        self.nginx = Nginx(folder, BACKEND_HTTP.format(log=self.log, address=self.address, color=color,
                                                      release=release, more=more, reuseport=""),
                           module=None, level="error")

    def __enter__(self) -> "NginxBackend":
        self.nginx.start()
        return self

    def __exit__(self, *about: object) -> None:
        try:
            self.nginx.stop(graceful=False)
        finally:
            self._folder.cleanup()

    def requests(self) -> list[str]:
        """One line a request: time, method, URI, number of the connection."""
        return self.log.read_text().splitlines() if self.log.exists() else []


class AsyncBackend:
    """HTTP/1.1 by path. Every answer has X-Color and X-Release; `seen` lists "METHOD PATH".

    /            200, after the whole body was read
    /gate        200 when open_gate() was called since the request came; `waiting` counts them
    /stream      head and one byte at once, the rest at open_gate()
    /status/500  that status                        /accel?to=/x  X-Accel-Redirect: /x
    /close       closes without an answer           /ws           WebSocket echo
    /cut         waits like /gate, then closes without an answer
    """

    def __init__(self, color: str, release: str = "v1", port: int | None = None, listen: str | None = None) -> None:
        """`listen`: an address as bgctl writes it, "[::1]:PORT" or "unix:PATH"."""
        self.color, self.release = color, release
        self.port = port or free_port()
        self.address = listen or f"127.0.0.1:{self.port}"
        self.seen: list[str] = []
        self.heads: collections.deque[str] = collections.deque(maxlen=1000)  # whole request heads
        self.waiting = 0
        self.websockets = 0
        self._loop = asyncio.new_event_loop()
        self._gate = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> "AsyncBackend":
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def open_gate(self) -> None:
        """Lets go everything that waits at /gate and /stream now; later requests wait anew."""
        self._loop.call_soon_threadsafe(self._swing)

    def _swing(self) -> None:
        self._gate.set()
        self._gate = asyncio.Event()

    def stop_listening(self) -> None:
        """Gives its address away to a successor and keeps the connections it has: a container that is gone."""
        async def close() -> None:
            assert self._server is not None
            self._server.close()
        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)
        if self.address.startswith("unix:"):
            pathlib.Path(self.address[5:]).unlink(missing_ok=True)

    async def _listen(self) -> asyncio.Server:
        if self.address.startswith("unix:"):
            server = await asyncio.start_unix_server(self._serve, self.address[5:], backlog=1024)
            pathlib.Path(self.address[5:]).chmod(0o777)  # a worker is another user
            return server
        host, _, port = self.address.rpartition(":")
        return await asyncio.start_server(self._serve, host.strip("[]"), int(port), backlog=1024)

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(text)
        head = text.split("\r\n")
        method, target, version = head[0].split()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        url = urllib.parse.urlsplit(target)
        self.seen.append(f"{method} {target}")
        if url.path == "/ws":
            await self._websocket(reader, writer, headers)
            return False
        await self._body(reader, headers)
        more, status = "", 200
        if url.path in ("/gate", "/cut"):
            await self._wait()
        if url.path in ("/close", "/cut"):
            return False
        if url.path.startswith("/status/"):
            status = int(url.path.rsplit("/", 1)[1])
        if url.path == "/accel":
            more = f"X-Accel-Redirect: {urllib.parse.parse_qs(url.query)['to'][0]}\r\n"
        keep = version == "HTTP/1.1" and headers.get("connection") != "close"
        if not keep:
            more += "Connection: close\r\n"  # or NGINX keeps for its next request what is closed here
        body = f"{self.color} {self.release}\n".encode()
        head_text = (f"HTTP/1.1 {status} Test\r\nX-Color: {self.color}\r\nX-Release: {self.release}\r\n"
                     f"Content-Length: {len(body)}\r\n{more}\r\n").encode()
        if url.path == "/stream":
            writer.write(head_text + body[:1])
            await writer.drain()
            await self._wait()
            writer.write(body[1:])
        else:
            writer.write(head_text + (b"" if method == "HEAD" else body))
        await writer.drain()
        return keep

    async def _wait(self) -> None:
        gate = self._gate
        self.waiting += 1
        try:
            await gate.wait()
        finally:
            self.waiting -= 1

    async def _body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> None:
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readuntil(b"\r\n"), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        else:
            await reader.readexactly(int(headers.get("content-length", "0")))

    async def _websocket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                         headers: dict[str, str]) -> None:
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        writer.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      f"X-Color: {self.color}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").encode())
        self.websockets += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                _, length = struct.unpack("!BB", await reader.readexactly(2))
                mask = await reader.readexactly(4)
                data = await reader.readexactly(length & 0x7F)
                text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
                writer.write(struct.pack("!BB", 0x81, len(text)) + text)
                await writer.drain()
        self.websockets -= 1
