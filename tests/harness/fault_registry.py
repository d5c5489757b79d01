"""A real registry behind a proxy that misbehaves on demand, and images made without an engine.

What no registry does when it is asked to: answer 429 or 500, end a connection, send half a layer,
be slow. Each fault is used up by so many requests, then the registry's own answer comes through.
Image contents are random, so that no engine has their layers already.
"""

import base64
import contextlib
import crypt
import gzip
import hashlib
import http.client
import io
import json
import os
import re
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness.wait import until

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """docker-registry as a process of our own, with a user when `user` is given."""

    def __init__(self, folder: Path, port: int, user: str = "", password: str = "") -> None:
        self.port = port
        self.headers = {}
        (folder / "storage").mkdir(parents=True)
        config = {"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                  "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
                  "http": {"addr": f"127.0.0.1:{port}"}}
        if user:
            hashed = crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
            (folder / "htpasswd").write_text(f"{user}:{hashed}\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            self.headers = {"Authorization": f"Basic {pair}"}
        (folder / "config.yml").write_text(json.dumps(config))
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", str(folder / "config.yml")],
                                            stdout=log, stderr=subprocess.STDOUT)
        until(lambda: self.request("GET", "/v2/")[0] == 200, "the registry answers")

    def request(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, self.headers | ({"Content-Type": kind} if kind else {}))
            answer = connection.getresponse()
            answer.read()
            return answer.status, dict(answer.headers)
        except OSError:
            return 0, {}
        finally:
            connection.close()

    def blob(self, name: str, content: bytes) -> dict[str, object]:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        status, headers = self.request("POST", f"/v2/{name}/blobs/uploads/")
        assert status == 202, (status, headers)
        place = re.sub(r"^https?://[^/]+", "", headers["Location"])
        put = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        assert self.request("PUT", put, content, "application/octet-stream")[0] == 201
        return {"size": len(content), "digest": digest}

    def push(self, name: str, tag: str, architecture: str = "amd64", sizes: tuple[int, ...] = (1 << 16,)) -> list[str]:
        """An image of layers of these sizes; returns their digests."""
        layers, diffs = [], []
        for number, size in enumerate(sizes):
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w") as tar:
                entry = tarfile.TarInfo(f"part-{number}")
                entry.size = size
                tar.addfile(entry, io.BytesIO(os.urandom(size)))
            diffs.append("sha256:" + hashlib.sha256(packed.getvalue()).hexdigest())
            layers.append(self.blob(name, gzip.compress(packed.getvalue(), 1)))
        config = self.blob(name, json.dumps({
            "architecture": architecture, "os": "linux", "config": {"Cmd": ["/part-0"]},
            "rootfs": {"type": "layers", "diff_ids": diffs}}).encode())
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                    "config": config | {"mediaType": "application/vnd.docker.container.image.v1+json"},
                    "layers": [layer | {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}
                               for layer in layers]}
        done = self.request("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest).encode(), MANIFEST)
        assert done[0] == 201, done
        return [str(layer["digest"]) for layer in layers]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        fault = self.server.fault_of(self.path)
        if fault == "reset":
            self.close_connection = True
            return
        if fault in ("429", "500"):
            code = {"429": "TOOMANYREQUESTS", "500": "UNKNOWN"}[fault]
            body = json.dumps({"errors": [{"code": code, "message": "on purpose, retry-after: 300ms"}]}).encode()
            self.reply(int(fault), {"Content-Type": "application/json"}, body)
            return
        registry = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=20)
        try:
            registry.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():  # several Accept among them
                registry.putheader(name, value)
            registry.endheaders()
            answer = registry.getresponse()
            body = answer.read()
            headers = {name: value for name, value in answer.headers.items()
                       if name.lower() not in ("connection", "transfer-encoding", "content-length")}
            length = answer.headers.get("Content-Length", str(len(body)))
            self.reply(answer.status, headers, body, length, fault)
        finally:
            registry.close()

    do_HEAD = do_GET

    def reply(self, status: int, headers: dict[str, str], body: bytes, length: str = "", fault: str = "") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault == "truncated":
            self.wfile.write(body[:len(body) // 2])
            self.close_connection = True
            return
        pieces = 20 if fault == "slow" else 1
        step = len(body) // pieces + 1
        for at in range(0, len(body), step):
            self.wfile.write(body[at:at + step])
            if fault == "slow":
                time.sleep(0.1)

    def log_message(self, *about: object) -> None:
        pass


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = behind
        self.port = self.server_address[1]
        self.seen: list[str] = []
        self.faults: list[list] = []  # [part of the path, fault, times left]
        self._guard = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def fault_of(self, path: str) -> str:
        with self._guard:
            for fault in self.faults:
                if fault[0] in path and fault[2] > 0:
                    fault[2] -= 1
                    return str(fault[1])
        return ""

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # an engine that gives up ends its connection


@contextlib.contextmanager
def fault_registry(folder: Path, port: int, user: str = "", password: str = "") -> Iterator[tuple[Registry, Proxy]]:
    registry = Registry(folder, port, user, password)
    proxy = Proxy(port)
    try:
        yield registry, proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        registry.end()
