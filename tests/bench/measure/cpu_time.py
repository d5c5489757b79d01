"""CPU time a request, of all the proxy's threads: each front against a plain upstream, in alternating pairs.

wrk with 64 connections against each in turn, the order turned round from one round to the next; the
scheduler's own count of the threads' time (schedstat, exact where utime + stime come in ticks) over the
requests that wrk counted. A ratio is of two runs of one round. The figure is the median of the rounds' ratios
with its 95 % interval: requests a second would swing by a third on a busy machine, this by a few percent
(--against-itself shows by how much today).

The peers run in the same benchmark, in every second round: Lua in an NGINX of its own against a plain
upstream there, HAProxy against the plain upstream of ours.
"""

import argparse
import contextlib
import os
import pathlib
import re
import subprocess
from collections.abc import Callable

from harness import Nginx

from .fronts import BluegreenFronts, Fronts, LuaFronts, backend, lua_is_installed
from .haproxy import HAProxy, haproxy_is_installed
from .report import Row
from .statistics_of import Middle, middle

REACH = 1.01  # the interval must reach down to this
CONNECTIONS = 64
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


@contextlib.contextmanager
def fronts_in_nginx(runs: Runs, fronts: Fronts, prefix: str, skip: tuple[str, ...] = ()):
    ours = {} if isinstance(fronts, BluegreenFronts) else {"module": None}
    with Nginx(fronts.folder, fronts.http, name=prefix, main=fronts.main, workers=2, events="accept_mutex off;",
               level="error", **ours) as nginx:
        for name, port in fronts.ports.items():
            if name not in skip:
                runs.add(f"{prefix} {name}" if name == "plain" else name, workers_of(nginx), port)
        yield


def measure_ratios(pairs: int, seconds: float, *, itself: bool = False, peers: bool = True) -> Runs:
    runs = Runs(seconds)
    with backend() as (folder, port), contextlib.ExitStack() as stack:
        ours = BluegreenFronts(folder, port)
        if itself:
            ours.ports = {"plain": ours.ports["plain"], "itself": ours.ports["plain"]}
        stack.enter_context(fronts_in_nginx(runs, ours, "ours"))
        names = [name for name in runs.targets if name != "ours plain"]
        lua = peers and not itself and lua_is_installed()
        if lua:
            stack.enter_context(fronts_in_nginx(runs, LuaFronts(folder, port), "theirs"))
        if peers and not itself and haproxy_is_installed():
            haproxy = stack.enter_context(HAProxy(folder, [port, port], threads=2))
            runs.add("haproxy", haproxy.pids, haproxy.port)
        for number in range(pairs):
            other = ["haproxy"] if "haproxy" in runs.targets and number % 2 == 0 else []
            runs.one_round(number, ["ours plain", *names, *other])
            if lua and number % 2 == 0:
                runs.one_round(number // 2, ["theirs plain", "lua", "counted"])
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
    rows[0].notes.append(f"plain: median {middle(runs.times['ours plain']).median:.2f} us a request; load of the "
                         f"machine at the end {load:.1f} on {os.cpu_count()} cores")
    options.cpu_ratios = {name: middle(ratios) for name, ratios in runs.ratios.items()}
    return rows
