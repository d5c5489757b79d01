"""The status endpoint at its largest, 64 applications x 32 endpoints a color, asked 100 times a second beside load.

Rounds of three runs, their order turning: 64 connections load one application, while one client asks 100 times a
second for the status document; for a page of the same NGINX that never changes and has as many bytes; or not at
all. The first ratio of the load's requests, status against page, is what making the document costs; the second,
status against nothing, has in it what sending, reading and the client itself cost on the same two cores. The
times are those of the status answers from the first byte sent to the last one read.
"""

import argparse
import json
import pathlib
import socket
import statistics
import subprocess
import time

from harness import Nginx, free_port, program, work_folder

from .many import APPS, BACKEND, ENDPOINTS, Many
from .report import Row

RATE = 100
CONNECTIONS = 64
P99_LIMIT_MS = 5.0
RATIO_LIMIT = 0.99


class Asker:
    """One keep-alive connection; reads answers whole, without looking into them."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = f"GET {path} HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n".encode()
        self._buffer = memoryview(bytearray(1 << 20))

    def ask(self) -> tuple[float, int]:
        """Milliseconds, and bytes of the body."""
        begin = time.perf_counter_ns()
        self._socket.sendall(self._request)
        got = self._socket.recv_into(self._buffer)
        head = bytes(self._buffer[:got])
        end = head.index(b"\r\n\r\n") + 4
        if not head.startswith(b"HTTP/1.1 200"):
            raise AssertionError(head[:end])
        fields = dict(line.split(b": ", 1) for line in head[:end - 4].split(b"\r\n")[1:])
        size = int(fields[b"Content-Length"])
        left = size - (got - end)
        while left > 0:
            left -= self._socket.recv_into(self._buffer)
        return (time.perf_counter_ns() - begin) / 1e6, size

    def close(self) -> None:
        self._socket.close()


def run(many: Many, path: str | None, seconds: float) -> tuple[int, list[float], int]:
    """Requests of the load, milliseconds of the answers at `path`, bytes of one."""
    load = subprocess.Popen([program("loadgen"), "--host", "127.0.0.1", "--port", str(many.port), "--path",
                             f"/{many.regions[0].app}", "--clients", str(CONNECTIONS), "--seconds", str(seconds)],
                            stdout=subprocess.PIPE, text=True)
    times, size = [], 0
    if path is not None:
        asker = Asker(many.port, path)
        begin = time.perf_counter()
        for turn in range(int(seconds * RATE)):
            wait = begin + turn / RATE - time.perf_counter()
            if wait > 0:
                time.sleep(wait)  # the rate is what is asked for
            took, size = asker.ask()
            times.append(took)
        asker.close()
    return json.loads(load.communicate(timeout=60)[0])["requests"], times, size


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def measure_status(options: argparse.Namespace) -> list[Row]:
    port = free_port()
    with work_folder() as folder, work_folder() as other, \
            Nginx(other, BACKEND.format(port=port), name="backend", module=None, level="error", workers=1):
        many = Many(folder, port)
        http = 'proxy_http_version 1.1;\nproxy_set_header Connection "";\n' + many.http  # connections are kept
        with Nginx(folder, http, workers=2, level="error") as nginx:
            _, _, size = run(many, "/status", 0.5)
            (folder / "page").write_bytes(b"x" * size)
            (folder / "page").chmod(0o644)
            ratios, against_none, times, pages = [], [], [], []
            arms = ["/status", "/page", None]
            for _ in range(options.status_pairs):
                arms.append(arms.pop(0))
                seen = {path: run(many, path, options.status_seconds) for path in arms}
                ratios.append(seen["/status"][0] / seen["/page"][0])
                against_none.append(seen["/status"][0] / seen[None][0])
                times += seen["/status"][1]
                pages += seen["/page"][1]
            memory = sum(worker.rss_kib for worker in nginx.workers())
    ratio, p50, p99 = statistics.median(ratios), percentile(times, 0.5), percentile(times, 0.99)
    notes = [f"document of {size} bytes; {len(times)} answers: p50 {p50:.2f} ms, p99 {p99:.2f} ms, slowest "
             f"{max(times):.2f} ms; a page of that size: p50 {percentile(pages, 0.5):.2f} ms, "
             f"p99 {percentile(pages, 0.99):.2f} ms",
             f"ratios of the load's requests: {' '.join(f'{one:.3f}' for one in sorted(ratios))}; against no such "
             f"client: median {statistics.median(against_none):.3f}, "
             f"{' '.join(f'{one:.3f}' for one in sorted(against_none))}",
             f"2 workers have {memory} KiB"]
    return [Row("status", f"status, {APPS} applications x {ENDPOINTS} endpoints a color, {RATE} requests a second beside "
                f"{CONNECTIONS} connections: p99; throughput of the load against the same for a page of that size",
                f"{p99:.2f} ms; {ratio:.3f}", f"< {P99_LIMIT_MS:.0f} ms; >= {RATIO_LIMIT}",
                p99 < P99_LIMIT_MS and ratio >= RATIO_LIMIT, notes,
                {"p50_ms": p50, "p99_ms": p99, "ratio": ratio, "ratios": ratios, "against_none": against_none, "bytes": size,
                 "page_p99_ms": percentile(pages, 0.99)})]
