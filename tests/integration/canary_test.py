"""A deploy's canary with a real NGINX, a real application and real users: what is sent back, how fast, and who met it.

The verdict's sentence says how many requests it was reached with; the client's record says when that one ended and
when the last request went to the new color. Between the two lie the look at the telemetry and the route's change."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections.abc import Iterator

import pytest

from deploy_process_test import APP, Host, a_host
from harness import Nginx
from harness.load import Load

# Ten milliseconds of work; "errors": each 20th request fails, "slow": 200 ms more.
WORK = '''\
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        users = self.path != "/health"
        time.sleep((0.21 if image.startswith("slow") else 0.01) if users else 0)
        sick = users and image.startswith("errors") and next(numbers) % 20 == 19
'''
CANARY = [{"weight": "10%", "for": "15s", "min_requests": 40}]


def working_app() -> str:
    plain = APP[APP.index("    def answer(self)"):APP.index("        body = ")]
    text = APP.replace(plain, WORK).replace("import http.server, ", "import http.server, itertools, time, ")
    return text.replace("class Handler", "numbers = itertools.count()\n\n\nclass Handler", 1)


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Host, Nginx]]:
    with a_host() as (host, nginx):
        (host.folder / "app.py").write_text(working_app())
        host.done("deploy", "v1")
        yield host, nginx


@dataclasses.dataclass
class Request:
    start: int  # nanoseconds
    end: int
    status: int
    release: str


def requests_of(load: Load) -> list[Request]:
    with open(load.record, newline="") as file:
        return [Request(int(row[0]), int(row[1]), int(row[2]), row[4]) for row in csv.reader(file)]


def notes(host: Host, deploy: str, step: str) -> list[str]:
    lines = (host.traces / "app" / deploy / "events.ndjson").read_text().splitlines()
    return [event["text"] for event in map(json.loads, lines) if (event["step"], event["state"]) == (step, "progress")]


def ended_with(host: Host, deploy: str) -> dict:
    return json.loads((host.traces / "app" / deploy / "verdict.json").read_text())


@dataclasses.dataclass
class Seen:
    on_new: int
    share: float  # of all requests while it was there
    failed: float  # the same, of those that failed
    seconds: float  # from its first request to its last one's begin
    # From the end of the last request that the verdict was made with to that begin. Looks are 0.1 s apart, so the
    # request with which it could have been made first had ended at most that much earlier.
    reaction: float


def seen(load: Load, release: str, reached_with: int) -> Seen:
    rows = requests_of(load)
    new = [row for row in rows if row.release == release]
    first, last = min(row.start for row in new), max(row.start for row in new)
    meanwhile = [row for row in rows if first <= row.start <= last]
    reached = sorted(row.end for row in new)[reached_with - 1]
    return Seen(len(new), len(new) / len(meanwhile), sum(row.status != 200 for row in meanwhile) / len(meanwhile),
                (last - first) / 1e9, (last - reached) / 1e9)


@pytest.mark.parametrize("release, sentence", [
    ("errors", r"blue fails more often: \d+ of (\d+) \([\d.]+ %\) requests against \d+ of \d+ \([\d.]+ %\) of green"),
    ("slow", r"blue is slower: p\d\d of (\d+) answers is at least [\d.]+ ms, that of green at most [\d.]+ ms"),
], ids=["errors", "slow"])
def test_bad_release_is_sent_back_within_a_second_of_the_verdict(site, figures, release: str, sentence: str) -> None:
    host, nginx = site
    host.configure(canary=CANARY)
    with Load(nginx.port, host.folder, "green") as load:
        ended = host.run("deploy", release, "--id", release)
    assert ended.returncode == 60, (ended.stdout, ended.stderr)
    assert len(ended.stdout) + len(ended.stderr) < 2000
    reason = ended_with(host, release)["reason"]
    found = re.match("with 10% of the traffic " + sentence, reason)
    assert found, reason
    met = seen(load, release, int(found[1]))
    figures(verdict=reason, seconds=round(met.seconds, 2), reaction_ms=round(met.reaction * 1000), requests=met.on_new,
            share=round(met.share, 4), failed=round(met.failed, 4))
    assert met.reaction + 0.1 <= 1
    # Exact to a request a worker, at both ends.
    assert met.share <= 0.1 + 4 * met.share / met.on_new and met.failed <= 0.1
    assert host.serving() == ("green", "v1")
    assert json.loads(host.done("status", "--json").stdout)["apps"]["app"]["weight"] == 0


def test_release_that_fails_only_with_all_of_the_traffic_is_taken_back_in_the_soak(site, figures) -> None:
    """No canary: what green did while blue was being started is what blue is compared with."""
    host, nginx = site
    # A second more for the baseline: against 0 of a hundred requests, 5 % would prove nothing.
    host.configure(canary=[], soak="15s", hooks={"pre_flip": [{"command": ["/bin/sleep", "1"]}]})
    with Load(nginx.port, host.folder, "green") as load:
        ended = host.run("deploy", "errors-late", "--id", "late")
    assert ended.returncode == 70, (ended.stdout, ended.stderr)
    reason = ended_with(host, "late")["reason"]
    found = re.match(r"during the soak blue fails more often: \d+ of (\d+) .* of green before the flip \(", reason)
    assert found, reason
    met = seen(load, "errors-late", int(found[1]))
    figures(verdict=reason, seconds=round(met.seconds, 2), reaction_ms=round(met.reaction * 1000), requests=met.on_new)
    assert met.reaction + 0.1 <= 1
    assert host.serving() == ("green", "v1")


def test_equal_release_goes_through_its_stages_and_the_soak(site, figures) -> None:
    host, nginx = site
    stages = [{"weight": "10%", "for": "2s", "min_requests": 20}, {"weight": "50%", "for": "1s", "min_requests": 20}]
    host.configure(canary=stages, soak="1s", analysis={"not_enough": "fail"}, hooks={})
    with Load(nginx.port, host.folder, "green") as load:
        host.done("deploy", "v2", "--id", "equal")
    told = notes(host, "equal", "canary")
    assert re.match(r"10% to blue; blue: \d+ requests, 0 errors \(0.00 %\).*; green: \d+ requests, 0 errors", told[0]), told
    passed = [note for note in told if " passed: " in note]
    assert [note.split(" passed: ")[0] for note in passed] == ["10% to blue", "50% to blue"]
    assert "passed: blue failed 0 of " in notes(host, "equal", "soak")[-1]
    rows = requests_of(load)
    figures(verdict=passed[-1], requests=len(rows), failed=sum(row.status != 200 for row in rows))
    assert all(row.status == 200 for row in rows)
    assert host.serving() == ("blue", "v2")
