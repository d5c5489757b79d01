"""CPU time a request, of all the proxy's threads: each front against a plain upstream, in alternating pairs.

wrk with 64 connections against each in turn, the order turned round from one round to the next; the
scheduler's own count of the threads' time (schedstat, exact where utime + stime come in ticks) over the
requests that wrk counted. A ratio is of two runs of one round. The figure is the median of the rounds' ratios
with its 95 % interval: requests a second would swing by a third on a busy machine, this by a few percent
(--against-itself shows by how much today).

Each front is an NGINX of its own (fronts.py); the peers run in the same benchmark, in every second round.
"""

import argparse
import contextlib
import os
import pathlib
import re
import subprocess
from collections.abc import Callable

from harness import Nginx

from .fronts import Front, Maker, backend, lua_is_installed
from .haproxy import HAProxy, haproxy_is_installed
from .report import Row
from .statistics_of import Middle, middle

REACH = 1.01  # the interval must reach down to this
CONNECTIONS = 64
OURS = ("plain", "bare", "full", "itself")
LIST = {"bare": "bluegreen", "full": "everything on", "itself": "plain against itself",
        "lua": "NGINX + Lua shared dictionary", "counted": "NGINX + Lua shared dictionary, in-flight counters",
        "haproxy": "HAProxy"}


def threads_ns(pids: list[int]) -> int:
    """What the scheduler has given to all threads of these processes."""
    total = 0
    for pid in pids:
        for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += int((thread / "schedstat").read_text().split()[0])
    return total


def one_run(pids: Callable[[], list[int]], port: int, seconds: float) -> tuple[float, int]:
    """CPU microseconds a request, and the requests."""
    before = threads_ns(pids())
    out = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s",
                          f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True,
                         timeout=seconds + 60).stdout
    spent = threads_ns(pids()) - before
    found = re.search(r"(\d+) requests in", out)
    if not found or "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(f"wrk: {out}")
    return spent / 1000 / int(found.group(1)), int(found.group(1))


def workers_of(nginx: Nginx) -> Callable[[], list[int]]:
    return lambda: [worker.pid for worker in nginx.workers()]


class Runs:
    """Runs by name: `add` what can be run, `one_round` runs some of them and notes the ratios to the first."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.targets: dict[str, tuple[Callable[[], list[int]], int]] = {}
        self.ratios: dict[str, list[float]] = {}
        self.times: dict[str, list[float]] = {}

    def add(self, name: str, pids: Callable[[], list[int]], port: int) -> None:
        self.targets[name] = pids, port
        one_run(pids, port, 1)  # everything is mapped and connected

    def one_round(self, number: int, names: list[str]) -> None:
        """`names[0]` is what the others are compared with."""
        order = names if number % 2 == 0 else names[::-1]
        took = {name: one_run(*self.targets[name], self.seconds)[0] for name in order}
        for name, time in took.items():
            self.times.setdefault(name, []).append(time)
            if name != names[0]:
                self.ratios.setdefault(name, []).append(time / took[names[0]])


def fronts_of(make: Maker, itself: bool, peers: bool) -> list[Front]:
    if itself:
        again = make.plain()
        again.name = "itself"
        return [make.plain(), again]
    ours = [make.plain(), make.bare(), make.full()]
    return [*ours, make.lua(), make.counted()] if peers and lua_is_installed() else ours


def measure_ratios(pairs: int, seconds: float, *, itself: bool = False, peers: bool = True) -> Runs:
    runs = Runs(seconds)
    with backend() as (folder, port), contextlib.ExitStack() as stack:
        for front in fronts_of(Maker(folder, port), itself, peers):
            nginx = stack.enter_context(front.nginx(workers=2, events="accept_mutex off;"))
            runs.add(front.name, workers_of(nginx), front.port)
        if peers and not itself and haproxy_is_installed():
            haproxy = stack.enter_context(HAProxy(folder, [port, port], threads=2))
            runs.add("haproxy", haproxy.pids, haproxy.port)
        ours = [name for name in runs.targets if name in OURS]
        for number in range(pairs):
            # The peers in every second round, in the middle of which plain is not far either.
            runs.one_round(number, list(runs.targets) if number % 2 == 0 else ours)
    return runs


def row_of(name: str, ratio: Middle, runs: Runs) -> Row:
    limited = name in ("bare", "full")
    what = f"CPU time a request against a plain `upstream` + `keepalive` (wrk, {CONNECTIONS} connections): {LIST[name]}"
    note = f"{ratio.count} pairs of {runs.seconds:.0f} s, median {middle(runs.times[name]).median:.2f} us a request"
    return Row(f"cpu-{name}", what, str(ratio), f"reaches {REACH:.2f}" if limited else "none",
               not limited or ratio.low <= REACH, [note],
               {"median": ratio.median, "low": ratio.low, "high": ratio.high, "seconds": runs.seconds,
                "ratios": runs.ratios[name]})


def measure_cpu(options: argparse.Namespace) -> list[Row]:
    runs = measure_ratios(options.pairs, options.seconds, itself=options.against_itself,
                          peers=not options.no_peers)
    rows = [row_of(name, middle(ratios), runs) for name, ratios in runs.ratios.items()]
    load = os.getloadavg()[0]
    rows[0].notes.append(f"plain: median {middle(runs.times['plain']).median:.2f} us a request; load of the "
                         f"machine at the end {load:.1f} on {os.cpu_count()} cores")
    options.cpu_ratios = {name: middle(ratios) for name, ratios in runs.ratios.items()}
    return rows
