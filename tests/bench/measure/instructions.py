"""Instructions a request, counted by callgrind: each front against a plain one.

Against two plain ones: a plain upstream in the same NGINX (what a server block pays that goes through us), and
an NGINX that does not have the module (what else the module costs everybody: a phase handler, a header
filter, a timer in the tree).

Two runs of a single-process NGINX for each front: a base (a few requests, so that everything that is done once
is done), and the base and N more requests. One client, one keep-alive connection, one
request after the other: the counts differ by a few instructions a request, whatever else the machine does.

A request that just fills its memory pool pays some 640 instructions for the next block when anything more is
allocated for it. So that no figure is a lucky fit of one layout, two kinds of requests are measured, and the
worse one counts: a bare one that is not logged, and one with a browser's headers and an access log that shows
where it went (by NGINX's own variables: the module's have a text to be escaped on one side alone; their price
is a row of its own). --pool sets another size of the pool for all.
"""

import argparse
import collections
import dataclasses
import pathlib
import re
import subprocess

from harness import Connection, Nginx
from harness.nginx import Worker

from .fronts import OUR_VARIABLES, Front, Maker, backend, lua_is_installed
from .report import Row

# Routing may cost 300, or 600 with everything on; what is counted of each try (bytes, latencies) 300 more.
LIMIT_BARE, LIMIT_FULL = 600, 900
WARM_UP = 50
FLIPS = 200

CALLGRIND = """#!/bin/sh
exec valgrind --tool=callgrind --callgrind-out-file={out} /usr/sbin/nginx "$@"
"""


class OneProcess(Nginx):
    """NGINX without a master, under callgrind: the process is its own only worker."""

    def __init__(self, front: Front, name: str) -> None:
        self.out = front.folder / f"{name}.callgrind"
        wrapper = front.folder / f"{name}.sh"
        wrapper.write_text(CALLGRIND.format(out=self.out))
        wrapper.chmod(0o755)
        ours = {} if front.ours else {"module": None}
        super().__init__(front.folder, front.http, name=name, main=f"{front.main}\nmaster_process off;", level="error",
                         binary=str(wrapper), **ours)

    def workers(self) -> list[Worker]:
        if self.process is None or self.process.poll() is not None:
            return []
        started = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        return [Worker(self.pid, started)]

    def instructions(self) -> int:
        """Of its whole life, once it has ended."""
        found = re.search(r"^(?:summary|totals): (\d+)", self.out.read_text(), re.MULTILINE)
        if not found:
            raise RuntimeError(f"{self.out}: callgrind wrote no total")
        return int(found.group(1))

    def by_function(self) -> collections.Counter[str]:
        out = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", self.out], capture_output=True,
                             text=True, check=True).stdout
        counts: collections.Counter[str] = collections.Counter()
        for found in re.finditer(r"^ *([\d,]+) \([ \d.]+%\) +(\S.*)$", out, re.MULTILINE):
            counts[re.sub(r"^\S*:| \[\S*/?\S*\]?$", "", found.group(2))] += int(found.group(1).replace(",", ""))
        return counts


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
           "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
           "Accept-Language": "en-US,en;q=0.5", "Accept-Encoding": "gzip, deflate, br", "Cache-Control": "no-cache",
           "Cookie": "session=6b7f0f4c2b7e4d0e; theme=dark; uid=81537f6c9e", "Referer": "http://app.example/somewhere",
           "X-Forwarded-For": "192.0.2.7", "X-Request-Id": "0f8fad5bd9cb469fa165"}
WHERE = '$remote_addr "$request" $status $upstream_addr $upstream_status'
FORMATS = f"log_format where '{WHERE}';"
OUR_FORMATS = f"log_format ours '{WHERE} {OUR_VARIABLES}';"


@dataclasses.dataclass
class Kind:
    name: str
    log: str  # in each server
    headers: dict[str, str]


KINDS = (Kind("bare", "access_log off;", {}), Kind("browser, logged", "access_log /dev/null where;", BROWSER))
LOGGED = Kind("browser, logged with our variables", KINDS[1].log, BROWSER)


def ask(port: int, count: int, headers: dict[str, str], between: object = None) -> None:
    with Connection(port, timeout=60) as connection:
        for _ in range(count):
            if callable(between):
                between()
            connection.ask(headers=headers)
            answer = connection.answer()
            if answer.status != 200 or answer.headers.get("X-Color") != "blue":
                raise RuntimeError(f"unexpected answer: {answer}")


def run(front: Front, name: str, requests: int, kind: Kind, between: object = None) -> OneProcess:
    """A base, and so many requests more."""
    nginx = OneProcess(front, f"{front.name}-{name}")
    with nginx:
        ask(front.port, WARM_UP, kind.headers)
        if requests:
            ask(front.port, requests, kind.headers, between)
    return nginx


@dataclasses.dataclass
class Cost:
    """Of the requests alone: the base is subtracted."""

    each: float  # instructions a request
    functions: collections.Counter[str]


def beside(front: Front) -> Front:
    """The plain upstream in the same NGINX."""
    return dataclasses.replace(front, name=f"{front.name}-beside", port=front.beside)


def cost_of(front: Front, count: int, kind: Kind, profile: bool) -> Cost:
    base, process = run(front, "base", 0, kind), run(front, "run", count, kind)
    functions: collections.Counter[str] = collections.Counter()
    if profile:
        functions = process.by_function()
        functions.subtract(base.by_function())
    return Cost((process.instructions() - base.instructions()) / count, functions)


def differences(plain: Cost, other: Cost, count: int) -> list[str]:
    """The functions that cost most more, or less, than behind the plain upstream."""
    costs = other.functions.copy()
    costs.subtract(plain.functions)
    costs.pop("PROGRAM TOTALS", None)
    largest = sorted(costs.items(), key=lambda item: -abs(item[1]))[:30]
    return [f"{cost / count:+8.1f}  {function}" for function, cost in largest if abs(cost) >= count]


@dataclasses.dataclass
class Figure:
    front: str
    kind: str
    plain: float  # an NGINX without the module
    beside: float  # a plain upstream in the same NGINX; the same as `plain` where there is none
    cost: float
    profile: list[str]

    @property
    def over_beside(self) -> float:
        return self.cost - self.beside

    @property
    def over_plain(self) -> float:
        return self.cost - self.plain

    def notes(self) -> list[str]:
        return [f"{self.front}, {self.kind}: {self.cost:.0f}; plain beside it {self.beside:.0f}, "
                f"{self.over_beside:+.0f}; plain without the module {self.plain:.0f}, {self.over_plain:+.0f}",
                *self.profile]


def compare(options: argparse.Namespace, plain: Front, others: list[Front], kind: Kind) -> list[Figure]:
    count = options.requests
    for front in (plain, *others):
        if options.pool:
            front.http += f"    request_pool_size {options.pool};\n"
    measure = cost_of(plain, count, kind, options.profile)
    figures = []
    for front in others:
        cost = cost_of(front, count, kind, options.profile)
        near = cost_of(beside(front), count, kind, options.profile) if front.beside else measure
        profile = differences(near, cost, count) if options.profile else []
        figures.append(Figure(front.name, kind.name, measure.each, near.each, cost.each, profile))
    return figures


def measure_flip(full: Front) -> float:
    """What the first request after a flip costs a worker more than another one."""
    colors = iter(["green", "blue"] * FLIPS)
    kind = KINDS[0]
    still = run(full, "still", FLIPS, kind).instructions()
    flips = run(full, "flips", FLIPS, kind, lambda: full.region.switch(next(colors))).instructions()
    return (flips - still) / FLIPS


def figures_of(figures: list[Figure]) -> dict[str, object]:
    return {"kinds": [{**dataclasses.asdict(figure), "over_beside": figure.over_beside,
                       "over_plain": figure.over_plain} for figure in figures]}


def row(name: str, what: str, figures: list[Figure], limit: int | None) -> Row:
    """Against a plain upstream in the same NGINX."""
    worst = max(figure.over_beside for figure in figures)
    return Row(name, f"instructions a request against a plain `upstream` + `keepalive` beside it (callgrind): {what}",
               f"{worst:+.0f}", f"<= +{limit}" if limit else "none", limit is None or worst <= limit,
               [note for figure in figures for note in figure.notes()], {"difference": worst, **figures_of(figures)})


def off_row(name: str, what: str, figures: list[Figure]) -> Row:
    """Against an NGINX that does not have the module."""
    worst = max(figure.over_plain for figure in figures)
    return Row(name, f"the same against an NGINX without the module: {what}", f"{worst:+.0f}", "none", True, [],
               {"difference": worst, **figures_of(figures)})


def measure_instructions(options: argparse.Namespace) -> list[Row]:
    figures: list[Figure] = []
    for kind in KINDS:
        with backend() as (folder, port):
            make = Maker(folder, port, FORMATS, kind.log)
            figures += compare(options, make.plain(), [make.bare(), make.full()], kind)
    with backend() as (folder, port):
        make = Maker(folder, port, FORMATS, LOGGED.log)
        full = make.full()
        full.http = OUR_FORMATS + full.http.replace(LOGGED.log, "access_log /dev/null ours;")
        logged = compare(options, make.plain(), [full], LOGGED)
    with backend() as (folder, port):
        flip = measure_flip(Maker(folder, port).full())
    bare = [figure for figure in figures if figure.front == "bare"]
    everything = [figure for figure in figures if figure.front == "full"]
    rows = [row("instructions", "bluegreen", bare, LIMIT_BARE * (100 + options.slack) // 100),
            row("instructions-full", "everything on", everything,
                LIMIT_FULL * (100 + options.slack) // 100),
            off_row("instructions-off", "bluegreen", bare),
            off_row("instructions-full-off", "everything on", everything),
            row("instructions-logged", "everything on, our four variables in the access log", logged, None),
            Row("instructions-flip", "instructions that a flip costs each worker, in its next request (everything on)",
                f"{flip:+.0f}", "none", True, [], {"flip": flip, "flips": FLIPS})]
    if lua_is_installed():
        with backend() as (folder, port):
            make = Maker(folder, port)
            lua = compare(options, make.plain(), [make.lua(), make.counted()], KINDS[0])
        rows += [off_row(f"instructions-{figure.front}",
                         "NGINX + Lua shared dictionary" + (", in-flight counters" if figure.front == "counted" else ""),
                         [figure]) for figure in lua]
    return rows
