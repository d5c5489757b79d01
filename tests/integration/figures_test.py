"""The second part of the telemetry file (shm/telemetry_detail.hpp): made, extended, and what is counted there."""

import concurrent.futures
import http.server
import math
import os
import pathlib
import random
import socket
import struct
import threading
import time

import pytest

from harness import AsyncBackend, Nginx, NginxBackend, Region, free_port, until, work_folder

PART_AT, APPS_AT, APP_SIZE = 3444736, 3444736 + 73728, 40960 + 128 * 20480
MAGIC = b"BGDETL\r\n"


def size_for(apps: int) -> int:
    return APPS_AT + apps * APP_SIZE


def head(path: pathlib.Path, size: int = 64) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return os.pread(file.fileno(), size, PART_AT)


@pytest.fixture
def stage():
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        yield folder, region


def serve(folder: pathlib.Path, region: Region, more: str = "") -> Nginx:
    return Nginx(folder, region.http(free_port(), top=more))


def test_master_makes_the_second_part_sparse(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        assert nginx.get().status == 200
        status = region.telemetry.stat()
        assert status.st_size == size_for(1)
        assert head(region.telemetry)[:8] == MAGIC
        assert status.st_blocks * 512 < PART_AT + 73728 + 40960 + 20480 * 4 + 65536


def test_file_grows_when_an_application_is_added(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        nginx.get()
    with serve(folder, region, "upstream second { bluegreen second; bluegreen_server blue 127.0.0.1:9; }") as nginx:
        nginx.get()
        assert region.telemetry.stat().st_size == size_for(2)


def test_old_file_without_a_second_part_gets_one(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        nginx.get()
    os.truncate(region.telemetry, PART_AT)
    with serve(folder, region) as nginx:
        assert nginx.get().status == 200
        assert region.telemetry.stat().st_size == size_for(1)
        assert head(region.telemetry)[:8] == MAGIC


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_unknown_version_of_the_second_part_is_left_alone(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        nginx.get()
    known = head(region.telemetry)
    assert struct.unpack_from("<I", known, 60)[0] == crc32c(known[:60])
    other = known[:8] + struct.pack("<I", 2) + known[12:60]
    other += struct.pack("<I", crc32c(other))
    with open(region.telemetry, "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), other, PART_AT)
    with serve(folder, region) as nginx:
        assert nginx.get().status == 200
        until(lambda: nginx.status()["workers"]["live"] >= 1, "a worker is there")
        assert head(region.telemetry) == other


def test_damaged_header_of_the_second_part_is_made_anew_at_a_start(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        nginx.get()
    known = head(region.telemetry)
    with open(region.telemetry, "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"\xff" * 40, PART_AT)
    with serve(folder, region) as nginx:
        assert nginx.get().status == 200
        assert head(region.telemetry) == known


COLOR_SIZE, DISTRIBUTION, BUCKETS = 9728, 3208, 400
FIELDS = ("connect_errors", "timeouts", "other_errors", "retries", "bytes_in", "bytes_out")


def figures_of(path: pathlib.Path, color: int, app: int = 0) -> dict:
    """Of a color, summed over all slots."""
    sums = dict.fromkeys(FIELDS, 0)
    sums |= {name: [0] * (1 + BUCKETS) for name in ("connect", "first_byte", "total")}
    with open(path, "rb", buffering=0) as file:
        for slot in range(128):
            at = APPS_AT + app * APP_SIZE + 40960 + slot * 20480 + color * COLOR_SIZE
            data = os.pread(file.fileno(), COLOR_SIZE, at)
            for name, value in zip(FIELDS, struct.unpack_from("<6Q", data)):
                sums[name] += value
            for place, name in enumerate(("connect", "first_byte", "total")):
                values = struct.unpack_from("<401Q", data, 104 + place * DISTRIBUTION)
                sums[name] = [a + b for a, b in zip(sums[name], values)]
    return sums


def bucket_begin(bucket: int) -> int:
    return bucket << 2 if bucket < 32 else (16 + bucket % 16) << (bucket // 16 - 1) << 2


def percentile(distribution: list[int], share: float) -> float:
    """Seconds, the middle of the bucket that the percentile lies in."""
    left = share * sum(distribution[1:])
    for bucket, count in enumerate(distribution[1:]):
        left -= count
        if left <= 0:
            return (bucket_begin(bucket) + bucket_begin(bucket + 1)) / 2e6
    raise AssertionError("nothing was counted")


class SlowBackend(http.server.BaseHTTPRequestHandler):
    """/SECONDS: the header after so long, the body after half of it more."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wait = float(self.path[1:])
        time.sleep(wait)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.flush()
        time.sleep(wait / 2)
        self.wfile.write(b"slow\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow_address():
    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 64  # 16 clients at once: none waits a second for its SYN to be sent again

    server = Server(("127.0.0.1", 0), SlowBackend)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_percentiles_are_those_of_the_log_and_bytes_are_counted(slow_address, figures) -> None:
    with work_folder() as folder:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [slow_address])
        top = ("log_format times '$upstream_response_time $upstream_header_time $upstream_bytes_received "
               "$upstream_bytes_sent';")
        text = region.http(free_port(), top=top, more=f"access_log {folder}/times.log times;")
        with Nginx(folder, text) as nginx:
            draw = random.Random(20261125)
            waits = [draw.choice((0.1, 0.15, 0.2, 0.3, 0.4)) for _ in range(120)]
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda wait: nginx.get(f"/{wait}"), waits))
            assert {answer.status for answer in answers} == {200}
            lines = until(lambda: (rows := (folder / "times.log").read_text().splitlines()) and len(rows) == len(waits)
                          and rows, "every request is in the log")
            now = figures_of(region.telemetry, 0)
    rows = [[float(field) for field in line.split()] for line in lines]
    assert sum(now["total"][1:]) == sum(now["first_byte"][1:]) == len(waits)
    assert now["bytes_in"] == sum(row[2] for row in rows)
    assert now["bytes_out"] == sum(row[3] for row in rows)
    worst = 0.0
    for share in (0.5, 0.9, 0.99):
        for name, column in (("total", 0), ("first_byte", 1)):
            exact = sorted(row[column] for row in rows)[math.ceil(share * len(rows)) - 1]
            worst = max(worst, abs(percentile(now[name], share) / exact - 1))
    figures(requests=len(waits), worst_percentile_error=round(worst, 4))
    assert worst <= 0.05


def test_failed_tries_are_counted_by_cause_and_the_next_ones_as_retries() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue, \
            socket.create_server(("127.0.0.1", 0)) as mute:
        region = Region(folder)
        region.init()
        dead = f"127.0.0.1:{free_port()}"
        region.publish("blue", "v1", [dead, blue.address])
        location = "proxy_read_timeout 200ms; proxy_next_upstream error timeout;"
        with Nginx(folder, region.http(free_port(), location=location), allowed=r"refused|timed out|prematurely closed") as nginx:
            for _ in range(4):
                assert nginx.get().status == 200
            now = figures_of(region.telemetry, 0)
            assert now["connect_errors"] >= 1 and now["retries"] == now["connect_errors"]
            assert now["timeouts"] == now["other_errors"] == 0
            region.publish("blue", "v2", ["127.0.0.1:%d" % mute.getsockname()[1]])
            assert nginx.get().status == 504
            after = figures_of(region.telemetry, 0)
            assert after["timeouts"] == 1 and after["connect_errors"] == now["connect_errors"]
            region.publish("blue", "v3", [blue.address])
            assert nginx.get("/close").status == 502
            assert figures_of(region.telemetry, 0)["other_errors"] == 1
