"""Instructions a request, counted by callgrind: plain upstream against bluegreen.

Three runs of one single-process NGINX: a base (a few requests of both kinds, so that everything that is
done once is done), the base and N more to the plain upstream, the base and N more to the bluegreen one.
One client, one keep-alive connection, one request after the other: the counts of two such runs differ by
a few instructions a request, whatever else the machine does.

A request that just fills its memory pool pays some 640 instructions for the next block when anything more is
allocated for it; here a plain request has about 70 bytes left of NGINX's default pool. --pool shows the rest.
"""

import argparse
import collections
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
        out = subprocess.run(["callgrind_annotate", "--threshold=100", self.out], capture_output=True, text=True,
                             check=True).stdout
        counts: collections.Counter[str] = collections.Counter()
        for found in re.finditer(r"^ *([\d,]+) \([ \d.]+%\) +(\S.*)$", out, re.MULTILINE):
            counts[re.sub(r"\S*/", "", found.group(2))] += int(found.group(1).replace(",", ""))
        return counts


def ask(port: int, count: int) -> None:
    with Connection(port, timeout=60) as connection:
        for _ in range(count):
            connection.ask()
            answer = connection.answer()
            if answer.status != 200 or answer.headers.get("X-Color") != "blue":
                raise RuntimeError(f"unexpected answer: {answer}")


def run(pair_: Pair, name: str, port: int, requests: int) -> OneProcess:
    nginx = OneProcess(pair_, name)
    with nginx:
        ask(pair_.plain, WARM_UP)
        ask(pair_.bluegreen, WARM_UP)
        if requests:
            ask(port, requests)
    return nginx


def differences(plain: OneProcess, bluegreen: OneProcess, count: int) -> list[str]:
    """The functions that cost most more, or less, behind the bluegreen upstream."""
    costs = bluegreen.by_function()
    costs.subtract(plain.by_function())
    costs.pop("PROGRAM TOTALS", None)
    largest = sorted(costs.items(), key=lambda item: -abs(item[1]))[:25]
    return [f"{cost / count:+8.1f}  {function}" for function, cost in largest if abs(cost) >= count]


def measure_instructions(options: argparse.Namespace) -> Row:
    count = options.requests
    with pair() as p:
        if options.pool:
            p.http += f"    request_pool_size {options.pool};\n"
        base = run(p, "base", p.plain, 0)
        with_plain = run(p, "plain", p.plain, count)
        with_bluegreen = run(p, "bluegreen", p.bluegreen, count)
        plain = (with_plain.instructions() - base.instructions()) / count
        bluegreen = (with_bluegreen.instructions() - base.instructions()) / count
        profile = differences(with_plain, with_bluegreen, count) if options.profile else []
    difference = bluegreen - plain
    return Row("instructions", "instructions a request against a plain `upstream` + `keepalive` (callgrind)",
               f"{difference:+.0f}", f"<= +{LIMIT}", difference <= LIMIT,
               [f"plain {plain:.0f}, bluegreen {bluegreen:.0f}, over {count} requests each", *profile],
               {"requests": count, "plain": plain, "bluegreen": bluegreen, "difference": difference})
