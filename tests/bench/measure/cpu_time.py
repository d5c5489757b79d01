"""CPU time a request, of all NGINX workers: plain upstream against bluegreen, in alternating pairs.

wrk with 64 connections against each in turn, the order changing from pair to pair; the scheduler's own
count of the workers' time (/proc/PID/schedstat, exact where utime + stime come in ticks) over the requests
that wrk counted. The figure is the median of the pairs' ratios: requests a second would swing by a third
on a busy machine, this by a few percent (--against-itself shows by how much today).
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess

from harness import Nginx

from .pair import pair
from .report import Row

LIMIT = 1.02
CONNECTIONS = 64


def cpu_ns(nginx: Nginx) -> int:
    return sum(int(pathlib.Path(f"/proc/{worker.pid}/schedstat").read_text().split()[0])
               for worker in nginx.workers())


def one_run(nginx: Nginx, port: int, seconds: float) -> tuple[float, int]:
    """CPU microseconds a request, and the requests."""
    before = cpu_ns(nginx)
    out = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s",
                          f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True,
                         timeout=seconds + 60).stdout
    spent = cpu_ns(nginx) - before
    found = re.search(r"(\d+) requests in", out)
    if not found or "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(f"wrk: {out}")
    return spent / 1000 / int(found.group(1)), int(found.group(1))


def measure_cpu(options: argparse.Namespace) -> Row:
    ratios, notes = [], []
    with pair() as p:
        other = p.plain if options.against_itself else p.bluegreen
        with Nginx(p.folder, p.http, workers=2, events="accept_mutex off;", level="error") as nginx:
            for port in (p.plain, other):
                one_run(nginx, port, 1)  # everything is mapped and connected
            for number in range(options.pairs):
                if number % 2 == 0:
                    plain, requests = one_run(nginx, p.plain, options.seconds)
                    bluegreen, more = one_run(nginx, other, options.seconds)
                else:
                    bluegreen, more = one_run(nginx, other, options.seconds)
                    plain, requests = one_run(nginx, p.plain, options.seconds)
                ratios.append(bluegreen / plain)
                notes.append(f"pair {number + 1}: plain {plain:.2f} us, bluegreen {bluegreen:.2f} us, "
                             f"ratio {bluegreen / plain:.3f} ({requests} and {more} requests)")
    median = statistics.median(ratios)
    load = os.getloadavg()[0]
    notes.append(f"load of the machine at the end {load:.1f} on {os.cpu_count()} cores")
    notes.append(f"ratio: median {median:.3f}, least {min(ratios):.3f}, most {max(ratios):.3f}")
    what = "CPU time a request against a plain `upstream` + `keepalive` (wrk, 64 connections, median ratio)"
    if options.against_itself:
        return Row("cpu-itself", "the same of plain against plain", f"{median:.3f}", "none", True, notes,
                   {"ratios": ratios, "median": median})
    return Row("cpu", what, f"{median:.3f}", f"<= {LIMIT:.2f}", median <= LIMIT, notes,
               {"ratios": ratios, "median": median, "seconds": options.seconds})
