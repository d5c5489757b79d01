"""One host with steady load on which deploys are killed, one after the other, and have to be settled.

`Stage.kill(at)` starts a deploy that dies at a place of its process (a kill point of bgctl-killable, or a
system call under kill_at_call.so), has it settled by `bgctl recover`, the same deploy again or the next
one, in turn, and checks what has to be true however it was: who serves is what the verdict says, nothing
else runs, no lock is left, the journal ends with its verdict. That no request failed is judged at the end,
for all of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
from collections.abc import Iterator

from deploy_process_test import Host, a_host
from harness import Nginx, program, until

CONTROLLER = pathlib.Path(__file__).resolve().parents[2] / "controller"
# Met only where there is an engine; tests/e2e/stack kills at these.
NEEDS_ENGINE = {"compose about to run", "compose has run", "container about to be stopped", "container stopped",
                "container about to be removed", "container removed"}
SETTLED_BY = ("recover", "again", "next")
SERVES_THE_NEW_ONE = (0, 80)


def points_of_source() -> set[str]:
    """The kill points that the source names."""
    text = "".join(path.read_text() for path in CONTROLLER.rglob("*.cpp"))
    return set(re.findall(r'BLUEGREEN_KILL_POINT\("([^"]+)"\)', text))


class Stage:
    def __init__(self, host: Host, nginx: Nginx) -> None:
        self.host, self.nginx = host, nginx
        self.log = host.folder / "met"
        self.number = 0
        self.killed: list[str] = []
        host.done("deploy", "v0")

    def by_points(self, at: str) -> tuple[str, dict[str, str]]:
        return str(program("bgctl-killable")), {"BLUEGREEN_KILL_LOG": str(self.log), "BLUEGREEN_KILL_AT": at}

    def by_calls(self, at: str) -> tuple[str, dict[str, str]]:
        return str(program("bgctl")), {"LD_PRELOAD": str(program("kill_at_call.so")), "KILL_CALL_LOG": str(self.log),
                                       "KILL_CALL_AT": at}

    def met(self) -> list[str]:
        """The places that the last deploy's process came by, in order."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split("\t")[2] for line in lines if line.startswith("run-deploy\t")]

    def deploy(self, kind: str, at: str = "", image: str = "") -> tuple[subprocess.CompletedProcess[str], str, str]:
        """A deploy of its own image and id, that is killed there; its end, its id, its image."""
        self.log.unlink(missing_ok=True)
        self.number += 1
        name, image = f"k{self.number}", image or f"v{self.number}"
        path, more = self.by_points(at) if kind == "points" else self.by_calls(at)
        words = [path, *self.host.command("deploy", image, "--id", name)[1:]]
        ended = subprocess.run(words, env=self.host.env | more, text=True, stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=120, check=False)
        return ended, name, image

    def rehearse(self, kind: str, image: str = "", code: int = 0) -> list[str]:
        """The places of a deploy that is not killed."""
        ended, _, _ = self.deploy(kind, image=image)
        assert ended.returncode == code, ended
        self.gone()
        return self.met()

    def kill(self, kind: str, number: int, how: str = "", image: str = "") -> None:
        """Of a deploy of `image`, which never works, or of one that does. One deploy meets a few places more
        than another (what it says of a drain): where it met fewer than `number`, it is killed a bit before."""
        before = self.host.serving()
        by = "recover" if image else SETTLED_BY[self.number % 3]
        ended, name, deployed = self.deploy(kind, f"run-deploy {number} {how}".strip(), image)
        self.gone()
        met = self.met()
        if len(met) < number:
            assert ended.returncode in (0, 50) and number - len(met) < 10, (number, len(met), ended)
            self.kill(kind, len(met) - 1, how, image)
            return
        place = f"{kind} {number} {how} ({met[-1]}, then {by})"
        assert len(met) == number, place
        self.killed.append(met[-1])
        self.settle(place, before, name, deployed, by)

    def settle(self, place: str, before: tuple[str, str], name: str, image: str, by: str) -> None:
        host = self.host
        if by == "recover":
            host.done("recover")
            code = self.verdict(name)["exit"] if self.begun(name) else 90
            expected = image if code in SERVES_THE_NEW_ONE else before[1]
        elif by == "again":
            host.done("deploy", image, "--id", name)
            host.done("recover")  # tidies up behind one that had its verdict
            expected = image
        else:
            self.number += 1
            expected = f"v{self.number}"
            host.done("deploy", expected, "--id", f"k{self.number}")
        self.check(place, expected)
        if self.begun(name):
            self.check_journal(place, name)

    def begun(self, name: str) -> bool:
        journal = self.host.traces / "app" / name / "journal"
        return journal.exists() and journal.stat().st_size > 0

    def verdict(self, name: str) -> dict:
        return json.loads((self.host.traces / "app" / name / "verdict.json").read_text())

    def check(self, place: str, release: str) -> None:
        """Exactly one color serves, and it is `release`; nothing else is there."""
        color, serving = self.host.serving()
        assert serving == release, (place, serving, release)
        other = "blue" if color == "green" else "green"
        assert self.host.listening(color) and not self.host.listening(other), place
        assert self.nginx.get("/").headers["X-Release"] == release, place
        self.gone()
        assert len(self.host.processes()) == 1, (place, self.host.processes())
        self.no_lock(place)

    def no_lock(self, place: str) -> None:
        locks = self.host.folder / "locks"
        assert not list(locks.glob("*.holder")), (place, list(locks.glob("*.holder")))
        for path in locks.glob("*.lock"):
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def check_journal(self, place: str, name: str) -> None:
        last = json.loads((self.host.traces / "app" / name / "journal").read_text().splitlines()[-1])["record"]
        verdict = self.verdict(name)
        assert last["kind"] == "verdict" and last["data"], (place, last)
        assert verdict["exit"] in (0, 50, 80, 90, 95), (place, verdict)

    def gone(self) -> None:
        until(lambda: not self.host.deploys(), "the deploy's process has ended", 30)


@contextlib.contextmanager
def a_stage(**app: object) -> Iterator[Stage]:
    """With load from the first deploy on, judged at the end."""
    with a_host(**app) as (host, nginx):
        stage = Stage(host, nginx)
        record = host.folder / "record.csv"
        load = subprocess.Popen([program("loadgen"), "--host", "127.0.0.1", "--port", str(nginx.port), "--clients",
                                 "2", "--method", "POST", "--body", "512", "--seconds", "0", "--record", record],
                                stdout=subprocess.DEVNULL)
        try:
            until(lambda: record.exists() and record.stat().st_size > 1000, "the load has begun")
            yield stage
        finally:
            load.send_signal(signal.SIGTERM)
            load.wait(30)
        (host.folder / "flips").write_text("")
        judged = json.loads(subprocess.run(
            [program("loadgen"), "judge", "--record", record, "--flips", host.folder / "flips"],
            capture_output=True, text=True, timeout=300, check=True).stdout)
        stage.requests, stage.failed = judged["requests"], judged["failed"]


def spread(items: list[int], count: int) -> list[int]:
    """About so many of them, the first and the last among them; all with BLUEGREEN_FULL."""
    if os.environ.get("BLUEGREEN_FULL") or len(items) <= count:
        return items
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def one_of_each(places: list[str], most: int) -> list[int]:
    """Numbers (from 1) of one occurrence of each place, each time of a later one, and more of the commonest
    ones up to `most`; all with BLUEGREEN_FULL."""
    if os.environ.get("BLUEGREEN_FULL"):
        return list(range(1, len(places) + 1))
    where: dict[str, list[int]] = {}
    for number, name in enumerate(places, 1):
        where.setdefault(name, []).append(number)
    chosen = {numbers[i % len(numbers)] for i, numbers in enumerate(where.values())}
    rest = [number for number in range(1, len(places) + 1) if number not in chosen]
    return sorted(chosen | set(spread(rest, max(2, most - len(chosen)))))

