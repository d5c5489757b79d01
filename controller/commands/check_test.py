"""bgctl check: Nagios' exit codes, its one line and the performance data. The regions are written as NGINX's workers
write them (region_writer)."""

from __future__ import annotations

import json
import re

import pytest

from cli_host import WORD_OFFSET, Host, Workers

METRIC = re.compile(r"[A-Za-z0-9_.-]+=\d+(c|;;;\d+;\d+)?")


def check(host: Host, code: int) -> str:
    """The line's text, without the performance data, whose form is looked at."""
    done = host.run("check")
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    assert done.stdout.count("\n") == 1
    text, bar, performance = done.stdout.rstrip("\n").partition(" | ")
    assert not bar or all(METRIC.fullmatch(metric) for metric in performance.split(" ")), performance
    word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][code]
    assert text.startswith(f"BLUEGREEN {word} - ")
    return text.removeprefix(f"BLUEGREEN {word} - ")


@pytest.fixture
def well(ready: Host, workers: Workers) -> Workers:
    workers.do("health blue 0 healthy", "health green 0 healthy", "health green 1 healthy")
    return workers


def test_check_is_ok_when_all_is_well(ready: Host, well: Workers) -> None:
    assert check(ready, 0) == "app: blue serves v1, 1 of 1 healthy"
    performance = ready.run("check").stdout.partition(" | ")[2].split()
    assert performance[:3] == ["workers=1", "attached=1", "app_generation=3"]
    assert {"app_blue_requests=0c", "app_green_healthy=2;;;0;2"} <= set(performance)
    document = json.loads(ready.run("check", "--json").stdout)
    assert (document["state"], document["exit"], document["findings"]) == ("OK", 0, [])


def test_check_is_ok_where_nobody_probes(ready: Host, workers: Workers) -> None:
    assert check(ready, 0) == "app: blue serves v1"


@pytest.mark.parametrize(
    ("orders", "commands", "text"),
    [
        (["health green 1 unhealthy no | route"], [],
         "app: green 127.0.0.1:8003 is unhealthy (no / route)"),
        (["health blue 0 degraded"], [], "app: blue 127.0.0.1:8001 is degraded"),
        (["health blue 0 unknown"], [], "app: blue serves, not known to be healthy yet"),
        (["slotless 2"], [], "2 NGINX workers without a slot: figures are inexact"),
        ([], [["hold", "--for", "60s"]], "app: requests are held for "),
        ([], [["maintenance", "on"]], "app: maintenance is on"),
    ],
)
def test_check_warns(
    ready: Host, well: Workers, orders: list[str], commands: list[list[str]], text: str
) -> None:
    well.do(*orders)
    for words in commands:
        assert ready.run(*words).returncode == 0
    assert check(ready, 1).startswith(text)


def test_check_is_critical_when_the_active_color_is_dead_and_says_so_first(
    ready: Host, well: Workers
) -> None:
    well.do("health blue 0 unhealthy refused", "health green 0 unhealthy reset")
    ready.run("maintenance", "on")
    assert check(ready, 2) == (
        "app: blue serves and all its endpoints are unhealthy: 127.0.0.1:8001 (refused); "
        "app: maintenance is on; app: green 127.0.0.1:8002 is unhealthy (reset)")
    findings = json.loads(ready.run("check", "--json").stdout)["findings"]
    assert [finding["level"] for finding in findings] == ["CRITICAL", "WARNING", "WARNING"]


def test_check_is_critical_when_the_active_color_has_no_endpoint(ready: Host, well: Workers) -> None:
    well.do("publish blue")
    assert "app: blue serves and has no endpoint" in check(ready, 2)


def test_check_is_critical_without_a_worker(ready: Host, well: Workers) -> None:
    well.end()
    assert check(ready, 2) == (
        "no NGINX worker is alive; app: blue was probed, but no worker probes any more")


def test_check_is_critical_when_one_region_cannot_be_read(ready: Host, well: Workers) -> None:
    ready.overwrite(WORD_OFFSET, b"\xff" * 8)
    assert "control is damaged" in check(ready, 2)
    ready.control.unlink()
    assert check(ready, 2).startswith("control is missing: ")


def test_check_is_unknown_when_nothing_can_be_read(host: Host) -> None:
    assert check(host, 3).startswith("control is missing: ")
    assert check(host, 3).count("no such file") == 2
    assert host.bare("check", "--config", "/nowhere.json").returncode == 3
    usage = host.run("check", "--bogus")
    assert usage.returncode == 3 and "--bogus" in usage.stderr


def test_check_is_critical_without_telemetry_and_warns_when_none_is_named(ready: Host) -> None:
    assert check(ready, 2).startswith("telemetry is missing: ")
    unnamed = ready.bare("check", "--control", str(ready.control))
    assert unnamed.returncode == 1
    assert "telemetry is not named" in unnamed.stdout


def test_check_of_an_application_that_is_not_there_is_unknown(ready: Host, well: Workers) -> None:
    done = ready.bare("check", "--control", str(ready.control), "--telemetry", str(ready.telemetry), "--app", "else")
    assert done.returncode == 3
    assert 'there is no application "else"' in done.stdout
