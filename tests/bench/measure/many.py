"""64 applications with 32 endpoints a color: NGINX starts, serves and flips all, and what a request then costs.

Every endpoint has an address of its own (127.COLOR.APPLICATION.ENDPOINT), all of them one backend. The cost
is counted in instructions, twice against the same thing in small: one application with one endpoint, and a
plain `upstream` with as many servers.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

from harness import Nginx, Region, free_port, program, request, work_folder

from .fronts import Front, Maker, server, upstream
from .instructions import KINDS, compare
from .report import Row

APPS, ENDPOINTS = 64, 32
COLORS = {"blue": 1, "green": 2}
RENDERINGS = 20

BACKEND = """
    access_log off;
    keepalive_requests 1000000000;
    map $server_addr $color {{ ~^127\\.2\\. green; default blue; }}
    server {{
        listen {port} reuseport;
        allow 127.0.0.0/8;
        deny all;
        add_header X-Color $color always;
        location / {{ return 200 "$color\\n"; }}
    }}
"""


def addresses(color: str, app: int, port: int) -> list[str]:
    return [f"127.{COLORS[color]}.{app + 1}.{endpoint + 1}:{port}" for endpoint in range(ENDPOINTS)]


class Many:
    """64 applications with a location each, and `fronts` for the count: the last of them, 32 plain servers."""

    def __init__(self, folder: pathlib.Path, port: int) -> None:
        self.regions = [Region(folder, f"app{number:02}") for number in range(APPS)]
        for number, region in enumerate(self.regions):
            region.init()
            for color in COLORS:
                region.publish(color, "v1", addresses(color, number, port))
        top = "    access_log off;\n    keepalive_requests 1000000000;\n"
        servers = "\n".join(f"server {address};" for address in addresses("blue", APPS - 1, port))
        plain, ours, self.port = free_port(), free_port(), free_port()
        self.plain = Front("many-plain", folder, top + upstream("plain", servers) + server(plain, "plain"), plain)
        locations = "".join(f"location = /{region.app} {{ proxy_pass http://{region.app}; }}\n"
                            for region in self.regions)
        self.http = (top + self.regions[0].top()
                     + "".join(upstream(region.app, f"bluegreen {region.app};") for region in self.regions)
                     + server(ours, self.regions[-1].app)
                     + f"server {{ listen 127.0.0.1:{self.port} reuseport;\n{locations}"
                       "location = /status { bluegreen_status; }\n"
                       f"location = /page {{ root {folder}; }}\n }}\n")
        self.ours = Front("many", folder, self.http, ours, ours=True)


def colors_of_all(many: Many) -> set[str]:
    return {request(many.port, f"/{region.app}").headers["X-Color"] for region in many.regions}


def flip_all(many: Many, folder: pathlib.Path) -> float:
    """Milliseconds that the stores of one flip of all applications took."""
    flips = folder / "flips"
    subprocess.run([program("flip_storm"), many.regions[0].control, "--all", "--rate", "21", "--seconds", "1",
                    "--record", flips], capture_output=True, timeout=60, check=True)
    took = [int(end) - int(begin) for begin, end, _ in (line.split() for line in flips.read_text().splitlines())]
    return statistics.median(took) / 1e6


def rendering_ms(port: int) -> tuple[float, int]:
    """Median of the status document's answer, connection included, and its bytes."""
    times, size = [], 0
    for _ in range(RENDERINGS):
        begin = time.perf_counter_ns()
        answer = request(port, "/status")
        times.append((time.perf_counter_ns() - begin) / 1e6)
        size = len(answer.body)
        if len(json.loads(answer.body)["apps"]) != APPS:
            raise AssertionError("the status document has not every application")
    return statistics.median(times), size


def measure_many(options: argparse.Namespace) -> list[Row]:
    port = free_port()
    with work_folder() as folder, work_folder() as other, \
            Nginx(folder, BACKEND.format(port=port), name="backend", module=None, level="error", workers=1):
        make = Maker(other, port)
        small = compare(options, make.plain(), [make.bare()], KINDS[0])[0]
        many = Many(folder, port)
        begin = time.monotonic()
        with Nginx(folder, many.http, workers=2, level="error") as nginx:
            started = time.monotonic() - begin
            before = colors_of_all(many)
            flip_ms = flip_all(many, folder)
            after = colors_of_all(many)
            status_ms, status_bytes = rendering_ms(many.port)
            memory = sum(worker.rss_kib for worker in nginx.workers())
        flip_all(many, folder)  # back to blue, which is what the count asks for
        large = compare(options, many.plain, [many.ours], KINDS[0])[0]
    works = before == {"blue"} and after == {"green"}
    extra = large.over_plain - small.over_plain
    notes = [f"start {started * 1000:.0f} ms; all {APPS} on {sorted(before)} before the flip, on {sorted(after)} after "
             f"it; the stores of a flip of all {flip_ms * 1000:.0f} us; 2 workers have {memory} KiB",
             f"status document: {status_ms:.2f} ms, {status_bytes} bytes",
             f"1 x 1: plain {small.plain:.0f}, bluegreen {small.cost:.0f}, {small.over_plain:+.0f}",
             f"{APPS} x {ENDPOINTS}: plain with {ENDPOINTS} servers {large.plain:.0f}, bluegreen {large.cost:.0f}, "
             f"{large.over_plain:+.0f}",
             "with many upstream connections an answer is sometimes there before NGINX waits for it, which saves it "
             "some 2,500 instructions: the costs of 64 x 32 are that inexact"]
    return [Row("many", f"{APPS} applications x {ENDPOINTS} endpoints: all serve and flip; NGINX starts in; "
                "the status document takes",
                f"{'yes' if works else 'NO'}; {started * 1000:.0f} ms; {status_ms:.1f} ms", "yes", works, notes,
                {"extra": extra, "start_ms": started * 1000, "flip_all_ms": flip_ms, "status_ms": status_ms,
                 "status_bytes": status_bytes, "serves_and_flips": works, "rss_kib": memory})]
