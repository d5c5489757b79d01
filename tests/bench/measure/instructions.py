"""Instructions a request, counted by callgrind: plain upstream against bluegreen.

Three runs of one single-process NGINX: a base (a few requests of both kinds, so that everything that is
done once is done), the base and N more to the plain upstream, the base and N more to the bluegreen one.
One client, one keep-alive connection, one request after the other: the counts of two such runs differ by
a few instructions a request, whatever else the machine does.

A request that just fills its memory pool pays some 640 instructions for the next block when anything more is
allocated for it. So that no figure is a lucky fit of one layout, two kinds of requests are measured, and the
worse one counts: a bare one that is not logged, and one with a browser's headers and an access log that shows
where it went (by NGINX's own variables: the module's have a text to be escaped on one side alone). --pool sets
another size of the pool for both.
"""

import argparse
import collections
import dataclasses
import pathlib
import re
import subprocess

from harness import Connection, Nginx
from harness.nginx import Worker

from .pair import Pair, pair
from .report import Row

LIMIT = 300
WARM_UP = 50

CALLGRIND = """#!/bin/sh
exec valgrind --tool=callgrind --callgrind-out-file={out} /usr/sbin/nginx "$@"
"""


class OneProcess(Nginx):
    """NGINX without a master, under callgrind: the process is its own only worker."""

    def __init__(self, pair_: Pair, name: str) -> None:
        self.out = pair_.folder / f"{name}.callgrind"
        wrapper = pair_.folder / f"{name}.sh"
        wrapper.write_text(CALLGRIND.format(out=self.out))
        wrapper.chmod(0o755)
        super().__init__(pair_.folder, pair_.http, name=name, main="master_process off;", level="error",
                         binary=str(wrapper))

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
        out = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", self.out], capture_output=True, text=True,
                             check=True).stdout
        counts: collections.Counter[str] = collections.Counter()
        for found in re.finditer(r"^ *([\d,]+) \([ \d.]+%\) +(\S.*)$", out, re.MULTILINE):
            counts[re.sub(r"\S*/", "", found.group(2))] += int(found.group(1).replace(",", ""))
        return counts


@dataclasses.dataclass
class Kind:
    name: str
    log: str  # in the http block
    headers: dict[str, str]


KINDS = (
    Kind("bare", "access_log off;", {}),
    Kind("browser, logged",
         "log_format where '$remote_addr \"$request\" $status $upstream_addr $upstream_status';\n"
         "    access_log /dev/null where;",
         {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
          "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
          "Accept-Language": "en-US,en;q=0.5", "Accept-Encoding": "gzip, deflate, br", "Cache-Control": "no-cache",
          "Cookie": "session=6b7f0f4c2b7e4d0e; theme=dark", "Referer": "http://app.example/somewhere",
          "X-Forwarded-For": "192.0.2.7", "X-Request-Id": "0f8fad5bd9cb469fa165"}),
)


def ask(port: int, count: int, headers: dict[str, str]) -> None:
    with Connection(port, timeout=60) as connection:
        for _ in range(count):
            connection.ask(headers=headers)
            answer = connection.answer()
            if answer.status != 200 or answer.headers.get("X-Color") != "blue":
                raise RuntimeError(f"unexpected answer: {answer}")


def run(pair_: Pair, name: str, port: int, requests: int, kind: Kind) -> OneProcess:
    nginx = OneProcess(pair_, name)
    with nginx:
        ask(pair_.plain, WARM_UP, kind.headers)
        ask(pair_.bluegreen, WARM_UP, kind.headers)
        if requests:
            ask(port, requests, kind.headers)
    return nginx


def differences(plain: OneProcess, bluegreen: OneProcess, count: int) -> list[str]:
    """The functions that cost most more, or less, behind the bluegreen upstream."""
    costs = bluegreen.by_function()
    costs.subtract(plain.by_function())
    costs.pop("PROGRAM TOTALS", None)
    largest = sorted(costs.items(), key=lambda item: -abs(item[1]))[:25]
    return [f"{cost / count:+8.1f}  {function}" for function, cost in largest if abs(cost) >= count]


@dataclasses.dataclass
class Figure:
    kind: str
    plain: float
    bluegreen: float
    profile: list[str]

    @property
    def difference(self) -> float:
        return self.bluegreen - self.plain


def measure_kind(options: argparse.Namespace, kind: Kind) -> Figure:
    count = options.requests
    with pair(log=kind.log) as p:
        if options.pool:
            p.http += f"    request_pool_size {options.pool};\n"
        base = run(p, "base", p.plain, 0, kind)
        with_plain = run(p, "plain", p.plain, count, kind)
        with_bluegreen = run(p, "bluegreen", p.bluegreen, count, kind)
        plain = (with_plain.instructions() - base.instructions()) / count
        bluegreen = (with_bluegreen.instructions() - base.instructions()) / count
        profile = differences(with_plain, with_bluegreen, count) if options.profile else []
    return Figure(kind.name, plain, bluegreen, profile)


def measure_instructions(options: argparse.Namespace) -> Row:
    figures = [measure_kind(options, kind) for kind in KINDS]
    worst = max(figure.difference for figure in figures)
    notes = []
    for figure in figures:
        notes += [f"{figure.kind}: plain {figure.plain:.0f}, bluegreen {figure.bluegreen:.0f}, "
                  f"{figure.difference:+.0f}, over {options.requests} requests each", *figure.profile]
    return Row("instructions", "instructions a request against a plain `upstream` + `keepalive` (callgrind)",
               f"{worst:+.0f}", f"<= +{LIMIT}", worst <= LIMIT, notes,
               {"requests": options.requests, "difference": worst,
                "kinds": [{"kind": figure.kind, "plain": figure.plain, "bluegreen": figure.bluegreen,
                           "difference": figure.difference} for figure in figures]})
