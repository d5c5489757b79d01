"""How a change ends: seen by every worker, quick where it can be, and nothing left waiting or lying about."""

import json
import os
import pathlib
import signal
import statistics
import time

from deploy_process_test import Host, a_host
from harness import NginxBackend, Nginx, Region, free_port, until, work_folder
from harness.region import bgctl


def deploy_processes(host: Host) -> list[str]:
    """The deploy ids of the run-deploy processes that live."""
    found = []
    for pid in host.processes():
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except OSError:
            continue
        if "run-deploy" in words:
            found.append(words[words.index("run-deploy") + 1])
    return sorted(found)


def events(host: Host, deploy: str) -> list[tuple[str, str, str]]:
    lines = (host.traces / "app" / deploy / "events.ndjson").read_text().splitlines()
    return [(e["step"], e["state"], e["text"]) for e in map(json.loads, lines)]


def test_of_deploys_that_wait_with_an_old_color_only_the_last_stays() -> None:
    with a_host(keep_old="600s") as (host, _):
        for number in range(1, 5):
            host.done("deploy", f"v{number}", "--id", f"d{number}")
            until(lambda: deploy_processes(host) in ([f"d{number}"], []), "the superseded ones have ended", 2)
        assert deploy_processes(host) == ["d4"]
        assert ("stop", "skipped", "green has changed since and is left alone") in events(host, "d2")
        host.run("switch", "green")  # by hand: the last one has nothing to stop any more either
        until(lambda: not deploy_processes(host), "the last one has ended", 2)
        assert host.listening("blue") and host.listening("green")


def test_prune_comes_after_a_good_verdict_and_only_then() -> None:
    with a_host(healthy_within="1s", keep_releases=2) as (host, _):
        for number in range(1, 4):
            host.done("deploy", f"v{number}", "--id", f"d{number}")
        assert host.run("deploy", "sick", "--id", "bad").returncode == 50
        # The lock is waited for, so what d4 does after its verdict is over when the next one has begun.
        host.done("deploy", "v4", "--id", "d4")
        until(lambda: ("prune", "done", "kept v4, v3") in events(host, "d4"), "d4 has pruned")
        assert ("prune", "done", "kept v3, v2") in events(host, "d3")
        assert not [e for e in events(host, "bad") if e[0] == "prune"]
        for deploy in ("d3", "d4"):
            order = [step for step, state, _ in events(host, deploy) if state == "done"]
            assert order.index("finish") < order.index("prune")


def flush_ms(folder: pathlib.Path) -> float:
    """What one flush of a small file costs on this disk, at this moment."""
    took = []
    with open(folder / "flushed", "ab", buffering=0) as file:
        for _ in range(21):
            file.write(b"x" * 200)
            begin = time.monotonic()
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - begin) * 1000)
    return statistics.median(took)


def test_rollback_to_a_color_that_runs_takes_a_moment(figures) -> None:
    with a_host(keep_old="600s") as (host, nginx):
        host.done("deploy", "v1")
        host.done("deploy", "v2")
        took, to_flip = [], []
        for number in range(11):
            begin_wall, begin = time.time(), time.monotonic()
            back = host.done("rollback", "--id", f"r{number}")
            took.append((time.monotonic() - begin) * 1000)
            assert "preflight skipped" in back.stdout and "start skipped" in back.stdout, back.stdout
            lines = (host.traces / "app" / f"r{number}" / "events.ndjson").read_text().splitlines()
            flip = next(e for e in map(json.loads, lines) if (e["step"], e["state"]) == ("flip", "done"))
            to_flip.append(flip["at_ms"] - begin_wall * 1000)
            assert nginx.get("/").headers["X-Release"] == ("v1", "v2")[number % 2]
        flush = flush_ms(host.folder)
        figures(flush_of_this_disk_ms=round(flush, 2), rollback_ms=round(statistics.median(took), 1), slowest_ms=round(max(took), 1),
                to_flip_ms=round(statistics.median(to_flip), 1))
        # 100 ms where a flush takes 2; it makes 18 of them, one after the other, and nothing that waits.
        # A busy machine may spoil some of them, not three of four.
        # Not of a program that a sanitizer slows down: its time says nothing about ours.
        assert nginx.sanitized or statistics.quantiles(took)[0] < 64 + 18 * max(flush, 2), took


def test_switch_of_a_region_that_was_just_made_returns_when_every_worker_obeys_it(figures) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        http = region.http(free_port(), blue.address, green.address, listen="reuseport")
        with Nginx(folder, http, workers=4, level="notice", allowed="missing|control") as nginx:
            waits = []
            for _ in range(3):
                region.control.unlink(missing_ok=True)
                where = ("--control", region.control, "--telemetry", region.telemetry, "--app", "app")
                bgctl("init", *where)
                begin = time.monotonic()
                switched = bgctl("switch", "green", *where)
                waits.append(round((time.monotonic() - begin) * 1000))
                assert "but" not in switched.stdout.splitlines()[0], switched.stdout
                colors = {nginx.get("/").headers["X-Color"] for _ in range(40)}
                assert colors == {"green"}, (colors, waits)
                begin = time.monotonic()
                bgctl("switch", "blue", *where)
                attached = round((time.monotonic() - begin) * 1000)
            figures(first_switch_ms=waits, attached_switch_ms=attached)


def test_switch_says_which_workers_obey_another_file() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        bgctl("init", "--control", region.control, "--app", "app")
        http = region.http(free_port(), blue.address, green.address)
        with Nginx(folder, http, workers=2):
            other = folder / "other"
            bgctl("init", "--control", other, "--app", "app")
            switched = bgctl("switch", "green", "--control", other, "--telemetry", region.telemetry, "--app", "app")
            first, hint = switched.stdout.splitlines()[:2]
            assert first.startswith("app: green serves now (") and "2 of 2 NGINX workers" in first
            assert f"bluegreen_control is {other}" in hint


def test_sigterm_in_the_wait_for_health_undoes_the_deploy_at_once() -> None:
    with a_host(healthy_within="60s") as (host, _):
        host.done("deploy", "v1")
        foreground = host.start("deploy", "sick", "--id", "stopped")
        events_file = host.traces / "app/stopped/events.ndjson"
        until(lambda: events_file.exists() and ("healthy", "started") in [e[:2] for e in events(host, "stopped")],
              "it waits for health")
        for pid in host.deploys():
            os.kill(pid, signal.SIGTERM)
        begin = time.monotonic()
        out, _ = foreground.communicate(timeout=60)
        assert foreground.returncode == 95 and time.monotonic() - begin < 10, out
        assert "stopped on request at healthy: green serves v1" in out.splitlines()[0]
        assert not host.listening("blue")
