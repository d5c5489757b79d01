"""1,000 flips a second for ten seconds, from inside a process, under POST clients: failed and misrouted requests.

Every answer carries the generation of the word that routed it, so every request is judged, by two rules:

  color       answered by a color that was active at no moment between the request's begin and its end
              (`loadgen judge`: it lies whole between one flip's store and the next, and has the other color)
  generation  routed by a word that was in force at no moment between the request's begin and its end, or
              served by another color than that word's

A word is in force from the clock just before its store (flip_storm's record) to the clock just after the next
one's. The second rule judges also the requests that saw several flips: at 1,000 a second nearly all.

That the judges can fail is shown in the same run: a storm whose every 50th flip is stored 3 ms later than its
record says, and one whose every 50th is never stored, must both be found out, by both rules.
"""

import argparse
import csv
import dataclasses
import json
import pathlib
import signal
import subprocess
from collections.abc import Iterator

from harness import Nginx, NginxBackend, Region, free_port, program, until, work_folder

from .report import Row

CLIENTS = 16
FAULTS = {"every 50th flip 3 ms late": ["--late", "3000"], "every 50th flip not stored": ["--skip"]}
# X-Release is what the load's record keeps beside the color.
TELL = """proxy_hide_header X-Release; add_header X-Release $bluegreen_generation always;"""


@dataclasses.dataclass
class Verdict:
    requests: int = 0
    failed: int = 0
    by_color: int = 0
    judged_by_color: int = 0
    by_generation: int = 0
    words_seen: int = 0

    @property
    def misrouted(self) -> int:
        return self.by_color + self.by_generation


@dataclasses.dataclass
class Flip:
    begin: int
    end: int
    color: str


def read_flips(path: pathlib.Path) -> list[Flip]:
    lines = (line.split() for line in path.read_text().splitlines())
    return [Flip(int(begin), int(end), color) for begin, end, color in lines]


def is_misrouted(flips: list[Flip], number: int, begin: int, end: int, color: str) -> bool:
    """A request routed by flip `number`'s word; -1 is the word before the first flip."""
    if number >= len(flips) or (number >= 0 and (end < flips[number].begin or color != flips[number].color)):
        return True
    return number + 1 < len(flips) and begin > flips[number + 1].end


def judge_generations(record: pathlib.Path, flips: list[Flip], first: int, verdict: Verdict) -> None:
    words = set()
    with open(record, newline="") as file:
        for begin, end, _, color, generation, _, error in csv.reader(file):
            if error:
                continue
            words.add(generation)
            if not generation.isdigit() or is_misrouted(flips, int(generation) - first, int(begin), int(end), color):
                verdict.by_generation += 1
    verdict.words_seen = len(words)


def one_storm(folder: pathlib.Path, nginx: Nginx, region: Region, rate: float, seconds: float,
              fault: list[str]) -> tuple[Verdict, dict]:
    record, flips = folder / "record.csv", folder / "flips"
    load = subprocess.Popen([program("loadgen"), "--port", str(nginx.port), "--clients", str(CLIENTS), "--method",
                             "POST", "--body", "512", "--record", record], stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: record.exists() and record.stat().st_size > 10000, "the load has begun")
        said = subprocess.run([program("flip_storm"), region.control, "--app", region.app, "--rate", str(rate),
                               "--seconds", str(seconds), "--record", flips, *fault], capture_output=True,
                              text=True, timeout=seconds * 4 + 60, check=True).stdout
    finally:
        load.send_signal(signal.SIGTERM)
        load.communicate(timeout=30)
    storm = json.loads(said)
    judged = json.loads(subprocess.run([program("loadgen"), "judge", "--record", record, "--flips", flips],
                                       capture_output=True, text=True, timeout=120, check=True).stdout)
    verdict = Verdict(judged["requests"], judged["failed"], judged["stale"], judged["judged"])
    judge_generations(record, read_flips(flips), storm["first_generation"], verdict)
    return verdict, storm


def storms(options: argparse.Namespace) -> Iterator[tuple[str, Verdict, dict]]:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        http = region.http(free_port(), listen="reuseport", location=TELL, top="keepalive_requests 1000000000;",
                           upstream="keepalive 64;")
        with Nginx(folder, http, workers=4, events="accept_mutex off;", level="error") as nginx:
            workers = nginx.workers()
            yield "", *one_storm(folder, nginx, region, options.rate, options.storm_seconds, [])
            for name, fault in FAULTS.items():
                yield name, *one_storm(folder, nginx, region, 100, min(options.storm_seconds, 3), fault)
            if nginx.workers() != workers:
                raise AssertionError("a worker was replaced")


def measure_storm(options: argparse.Namespace) -> list[Row]:
    notes, data, found_out = [], {}, True
    real, flown = Verdict(), {}
    for name, verdict, storm in storms(options):
        notes.append(f"{name or 'no fault'}: {storm['flips']} flips at {storm['per_second']:.0f} a second (latest by "
                     f"{storm['latest_us'] / 1000:.1f} ms), {verdict.requests} requests by {verdict.words_seen} words, "
                     f"failed {verdict.failed}; misrouted by color {verdict.by_color} (of {verdict.judged_by_color} "
                     f"that lay between two flips), by generation {verdict.by_generation}")
        data[name or "storm"] = {**dataclasses.asdict(verdict), **storm}
        if name:
            found_out = found_out and verdict.by_color > 0 and verdict.by_generation > 0
        else:
            real, flown = verdict, storm
    if not found_out:
        notes.append("a seeded fault was not found out: the judge proves nothing")
    passed = found_out and real.failed == 0 and real.misrouted == 0 and flown["per_second"] >= 0.95 * options.rate
    what = (f"{options.rate:.0f} flips a second for {options.storm_seconds:g} s, in-process, under {CLIENTS} keep-alive "
            f"POST clients, 4 workers: failed; misrouted")
    return [Row("storm", what, f"{real.failed}; {real.misrouted}", "0; 0", passed, notes, data)]
