"""Long-lived connections through ten switches: none closed, and what they cost.

Upgraded connections, all of the first color, each a byte to the backend and back before and after: so a
connection counts only when it still works. Memory is that of the workers between two moments at which every
connection has just been used.
"""

import argparse

from harness import Nginx, Region, bgctl, free_port, until, work_folder

from .holder import Clients, Server
from .report import Row

FLIPS = 10
PROCESSES = 4
WORKERS = 2
FILES = 19000  # a process may have 20,000
LIMIT_KIB = 1024
UPGRADE = """location /ws {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection upgrade;
            proxy_set_header Upgrade $http_upgrade;
            proxy_read_timeout 600s;
        }"""


class Wide(Nginx):
    """With as many connections a worker as a process may have files."""

    def write_config(self) -> None:
        super().write_config()
        text = self.config.read_text()
        self.config.write_text(text.replace("worker_connections 4096;", f"worker_connections {FILES};"))


def rss_kib(nginx: Nginx) -> int:
    return sum(worker.rss_kib for worker in nginx.workers())


def measure_held(options: argparse.Namespace) -> list[Row]:
    with work_folder() as folder, Server("blue") as blue, Server("green") as green:
        region = Region(folder)
        names = ["--control", region.control, "--telemetry", region.telemetry, "--app", region.app]
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        http = region.http(free_port(), listen="reuseport", more=UPGRADE, top="keepalive_requests 1000000000;")
        with Wide(folder, http, workers=WORKERS, main=f"worker_rlimit_nofile {FILES};", events="accept_mutex off;",
                  level="error") as nginx:
            empty = rss_kib(nginx)

            def flip(count: int) -> None:
                for number in range(count):
                    color = "green" if number % 2 == 0 else "blue"
                    bgctl("switch", color, *names)
                    for _ in range(20):
                        if nginx.get("/").headers["X-Color"] != color:
                            raise AssertionError("a request went to the old color")

            with Clients(nginx.port, options.held, PROCESSES) as clients:
                until(lambda: nginx.in_flight()[0] == options.held, "all are in flight on blue", 60)
                flip(2)  # both colors have been used once: what follows is growth
                first, workers, before = clients.alive(), nginx.workers(), rss_kib(nginx)
                flip(FLIPS)
                last = clients.alive()
                growth = rss_kib(nginx) - before
                same = nginx.workers() == workers
            until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more", 60)
    closed = options.held - last
    notes = [f"{first} worked before, {last} after {FLIPS} `bgctl switch`; workers "
             f"{'the same' if same else 'REPLACED'}; RSS of {WORKERS} workers: {empty} KiB without a connection, "
             f"{before} KiB before the flips, {growth:+} KiB after"]
    passed = closed == 0 and same and growth < LIMIT_KIB
    return [Row("held", f"{options.held:,} upgraded connections through {FLIPS} switches: closed; more memory",
                f"{closed}; {growth} KiB", f"0; < {LIMIT_KIB} KiB", passed, notes,
                {"connections": options.held, "flips": FLIPS, "closed": closed, "rss_growth_kib": growth,
                 "rss_before_kib": before, "rss_empty_kib": empty, "workers_replaced": not same})]
