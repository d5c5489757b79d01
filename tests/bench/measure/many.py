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

from .fronts import BluegreenFronts, Fronts, upstream
from .instructions import KINDS, measure_fronts
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


class ManyFronts(BluegreenFronts):
    """plain (32 servers) and bare (the last of 64 applications), as instructions.py takes them."""

    def __init__(self, folder: pathlib.Path, port: int) -> None:
        Fronts.__init__(self, folder, "", "access_log off;")
        self.regions = [Region(folder, f"app{number:02}") for number in range(APPS)]
        for number, region in enumerate(self.regions):
            region.init()
            for color in COLORS:
                region.publish(color, "v1", addresses(color, number, port))
        servers = "\n".join(f"server {address};" for address in addresses("blue", APPS - 1, port))
        self.http += self.regions[0].top() + upstream("plain", servers)
        self.http += "".join(upstream(region.app, f"bluegreen {region.app};") for region in self.regions)
        self.add("plain", "plain")
        self.add("bare", self.regions[-1].app)
        self.all = free_port()
        locations = "".join(f"location = /{region.app} {{ proxy_pass http://{region.app}; }}\n"
                            for region in self.regions)
        self.http += (f"server {{ listen 127.0.0.1:{self.all} reuseport;\n access_log off;\n{locations}"
                      "location = /status { bluegreen_status; }\n }\n")


def colors_of_all(fronts: ManyFronts) -> set[str]:
    return {request(fronts.all, f"/{region.app}").headers["X-Color"] for region in fronts.regions}


def flip_all(fronts: ManyFronts, folder: pathlib.Path) -> float:
    """Milliseconds that the stores of one flip of all applications took."""
    flips = folder / "flips"
    subprocess.run([program("flip_storm"), fronts.regions[0].control, "--all", "--rate", "21", "--seconds", "1",
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
        small = measure_fronts(options, BluegreenFronts(other, port), KINDS[0])[0]
        fronts = ManyFronts(folder, port)
        begin = time.monotonic()
        with Nginx(folder, fronts.http, workers=2, level="error") as nginx:
            started = time.monotonic() - begin
            before = colors_of_all(fronts)
            flip_ms = flip_all(fronts, folder)
            after = colors_of_all(fronts)
            status_ms, status_bytes = rendering_ms(fronts.all)
            memory = sum(worker.rss_kib for worker in nginx.workers())
        flip_all(fronts, folder)  # back to blue, which is what measure_fronts asks for
        large = measure_fronts(options, fronts, KINDS[0])[0]
    works = before == {"blue"} and after == {"green"}
    extra = large.cost - small.cost
    extra_plain = large.plain - small.plain
    notes = [f"start {started * 1000:.0f} ms; all {APPS} on {sorted(before)} before the flip, on {sorted(after)} after "
             f"it; the stores of a flip of all {flip_ms * 1000:.0f} us; 2 workers have {memory} KiB",
             f"status document: {status_ms:.2f} ms, {status_bytes} bytes",
             f"1 x 1: plain {small.plain:.0f}, bluegreen {small.cost:.0f}, {small.difference:+.0f}",
             f"{APPS} x {ENDPOINTS}: plain {large.plain:.0f}, bluegreen {large.cost:.0f}, {large.difference:+.0f}"]
    return [Row("many", f"{APPS} applications x {ENDPOINTS} endpoints: instructions a request more than 1 x 1 "
                f"(plain `upstream`: {extra_plain:+.0f})", f"{extra:+.0f}", f"<= {extra_plain:+.0f} +{ENDPOINTS * 20}",
                works and extra <= extra_plain + ENDPOINTS * 20, notes,
                {"extra": extra, "extra_plain": extra_plain, "start_ms": started * 1000, "flip_all_ms": flip_ms,
                 "status_ms": status_ms, "status_bytes": status_bytes, "serves_and_flips": works, "rss_kib": memory})]
