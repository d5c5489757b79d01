"""bgctl switch --hold, hold, release, maintenance and weight against a real NGINX: a flip with nothing in
flight, the way back when that cannot be had, and what a bgctl leaves that was killed in the middle."""

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from harness import (AsyncBackend, Connection, Nginx, NginxBackend, Region, bgctl, free_port, often, program, until,
                     work_folder)

SWITCHES = often(20)


class Shift:
    """Who is at work at this moment, over both colors: `met` counts the moments when two of them were."""

    def __init__(self) -> None:
        self.lock, self.working, self.met, self.done = threading.Lock(), {"blue": 0, "green": 0}, 0, 0

    def change(self, color: str, by: int) -> None:
        other = "green" if color == "blue" else "blue"
        with self.lock:
            self.working[color] += by
            self.met += by > 0 and self.working[other] > 0
            self.done += by < 0


class Working(AsyncBackend):
    """Each request is work of some milliseconds, between its last byte and the answer."""

    def __init__(self, color: str, release: str, shift: Shift) -> None:
        super().__init__(color, release)
        self.shift = shift

    async def _body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> None:
        await super()._body(reader, headers)
        self.shift.change(self.color, 1)
        try:
            await asyncio.sleep(0.003)
        finally:
            self.shift.change(self.color, -1)


class Stage:
    """bgctl's own region with both colors published, and an NGINX in front of them."""

    def __init__(self, folder: pathlib.Path, blue: AsyncBackend | NginxBackend, green: AsyncBackend | NginxBackend,
                 workers: int = 2) -> None:
        self.folder, self.region = folder, Region(folder)
        self.options = ["--control", self.region.control, "--telemetry", self.region.telemetry, "--app", "app"]
        self.bgctl("init")
        self.region.publish("blue", "v1", [blue.address])
        self.region.publish("green", "v2", [green.address])
        http = self.region.http(free_port(), listen="reuseport", top="keepalive_requests 1000000000;")
        self.nginx = Nginx(folder, http, workers=workers, level="notice")

    def __enter__(self) -> "Stage":
        self.nginx.start()
        until(lambda: self.status()["telemetry"]["attached"] == int(self.nginx.settings["workers"]), "all are attached")
        return self

    def __exit__(self, *about: object) -> None:
        self.nginx.__exit__(*about)

    def bgctl(self, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        return bgctl(*words, *self.options, check=check)

    def status(self) -> dict:
        return json.loads(self.bgctl("status", "--json").stdout)

    def route(self) -> tuple[str, list[str]]:
        app = self.status()["apps"]["app"]
        return app["active"], app["flags"]

    @contextlib.contextmanager
    def load(self, clients: int = 16) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [program("loadgen"), "--host", "127.0.0.1", "--port", str(self.nginx.port), "--clients", str(clients),
             "--method", "POST", "--body", "512", "--seconds", "180", "--record", self.folder / "record.csv"],
            stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def judged(self, load: subprocess.Popen[str], flips: list[str]) -> dict:
        load.send_signal(signal.SIGTERM)
        summary = json.loads(load.communicate(timeout=30)[0])
        (self.folder / "flips").write_text("\n".join(flips) + "\n")
        judged = json.loads(subprocess.run(
            [program("loadgen"), "judge", "--record", self.folder / "record.csv", "--flips", self.folder / "flips"],
            capture_output=True, text=True, timeout=60, check=True).stdout)
        return judged | summary


def test_two_colors_never_work_at_one_moment_when_bgctl_switches_with_hold_under_load(figures) -> None:
    shift = Shift()
    with work_folder() as folder, Working("blue", "v1", shift) as blue, Working("green", "v2", shift) as green, \
            Stage(folder, blue, green) as stage, stage.load() as load:
        until(lambda: shift.done > 100, "the load has begun")
        workers, flips, held, took = stage.nginx.workers(), [], [], []
        for number in range(SWITCHES):
            color = "green" if number % 2 == 0 else "blue"
            begin = time.monotonic_ns()
            verdict = json.loads(stage.bgctl("switch", color, "--hold", "--json").stdout)
            flips.append(f"{begin} {time.monotonic_ns()} {color}")
            held.append(verdict["held_ms"])
            took.append(verdict["took_ms"])
            assert (verdict["active"], verdict["exit"]) == (color, 0)
            done = shift.done
            until(lambda: shift.done > done + 30, "the new color works", every=0.005)
        judged = stage.judged(load, flips)
        figures(switches=SWITCHES, requests=judged["requests"], failed=judged["failed"], stale=judged["stale"],
                colors_met=shift.met, held_ms_median=statistics.median(held), held_ms_max=max(held),
                took_ms_median=statistics.median(took), slowest_ms=judged["slowest_ms"])
        assert (judged["failed"], judged["stale"], judged["reconnects"], shift.met) == (0, 0, 0, 0), judged
        assert judged["requests"] > SWITCHES * 30
        assert stage.nginx.workers() == workers
        assert stage.route() == ("blue" if SWITCHES % 2 == 0 else "green",
                                 ["closed_green" if SWITCHES % 2 == 0 else "closed_blue"])


def test_two_colors_do_work_at_one_moment_when_bgctl_switches_without_hold() -> None:
    shift = Shift()
    with work_folder() as folder, Working("blue", "v1", shift) as blue, Working("green", "v2", shift) as green, \
            Stage(folder, blue, green) as stage, stage.load() as load:
        until(lambda: shift.done > 100, "the load has begun")
        for color in ("green", "blue") * 10:
            stage.bgctl("switch", color)
            if shift.met:
                break
        load.send_signal(signal.SIGTERM)
        load.communicate(timeout=30)
        assert shift.met > 0  # so the test above would have seen it


def test_switch_with_hold_that_cannot_drain_goes_back_and_is_60(figures) -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue, AsyncBackend("green", "v2") as green, \
            Stage(folder, blue, green) as stage, Connection(stage.nginx.port) as slow, \
            Connection(stage.nginx.port) as held:
        stage.bgctl("weight", "25")
        slow.ask("/gate")
        until(lambda: blue.waiting + green.waiting == 1, "the request is in flight")
        if green.waiting:  # by the weight; the next one is not
            green.open_gate()
            slow.answer()
            slow.ask("/gate")
            until(lambda: blue.waiting == 1, "the request is in flight on blue")
        begin = time.monotonic()
        switch = subprocess.Popen([program("bgctl"), "switch", "green", "--hold", "--timeout", "3s",
                                   *map(str, stage.options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: stage.route()[1] == ["hold"], "it holds")
        held.ask("/")
        until(lambda: stage.status()["apps"]["app"]["colors"]["blue"]["waiting"] == 1, "the second one waits")
        out, err = switch.communicate(timeout=20)
        took = time.monotonic() - begin
        figures(limit_ms=3000, took_ms=round(took * 1000))
        assert switch.returncode == 60, (out, err)
        assert out.startswith("app: not switched to green after ") and ": blue serves (release v1" in out
        assert "1 request still in flight on blue when the time was up" in out
        assert held.answer().status == 200
        app = stage.status()["apps"]["app"]
        assert (app["active"], app["flags"], app["weight"]) == ("blue", [], 2500)
        blue.open_gate()
        assert slow.answer().headers["X-Color"] == "blue"
        assert 3 <= took < 8 or stage.nginx.sanitized


def kill_at_store(stage: Stage, number: int, *words: object) -> bool:
    """bgctl dies of SIGKILL as it makes that store durable: what it stored is visible, nothing follows. False when
    it has ended well before: there is no such store."""
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")  # the leak check refuses to be traced
    run = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=msync", "-e", f"inject=msync:signal=KILL:when={number}",
         program("bgctl"), *map(str, words), *map(str, stage.options)],
        env=env, capture_output=True, text=True, timeout=60, check=False)
    killed = run.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert killed or run.returncode == 0, run
    return killed


def test_bgctl_killed_at_each_store_of_a_switch_with_hold_leaves_one_color_serving(figures) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green, \
            Stage(folder, blue, green) as stage:
        ends, number, killed = [], 0, True
        while killed:
            number += 1
            assert number < 20, "it stores a word more than twenty times"
            stage.bgctl("switch", "blue")
            stage.bgctl("weight", "0", "--force")
            killed = kill_at_store(stage, number, "switch", "green", "--hold", "--timeout", "20s")
            active, flags = stage.route()
            ends.append(f"{active}{'+hold' if 'hold' in flags else ''}")
            # Whatever comes next finds what was left and ends it.
            repaired = stage.bgctl("weight", "0")
            assert ("had left requests waiting; they go to " + active in repaired.stderr) == ("hold" in flags)
            assert stage.nginx.get("/").headers["X-Color"] == active
            assert "hold" not in stage.route()[1]
        figures(kills=number - 1, left=" ".join(ends))
        assert number - 1 >= 3, "three words are stored at least"
        assert ends[-1] == "green" and "blue+hold" in ends and "green+hold" in ends


def test_switches_with_hold_that_are_killed_under_load_fail_no_request(figures) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green, \
            Stage(folder, blue, green) as stage, stage.load(8) as load:
        kills = 0
        until(lambda: len(blue.requests()) > 100, "the load has begun")
        for number in range(1, 6):
            stage.bgctl("switch", "blue")
            kills += kill_at_store(stage, number, "switch", "green", "--hold", "--timeout", "100ms")
            if number == 4:  # nobody comes: it ends by itself
                until(lambda: "hold" not in stage.route()[1], "the hold is over", every=0.1)
            serving = {"blue": blue, "green": green}[stage.route()[0]]
            if number != 4:
                stage.bgctl("release")
            seen = len(serving.requests())
            until(lambda: len(serving.requests()) > seen + 50, "requests go on")
        judged = stage.judged(load, [])
        figures(kills=kills, requests=judged["requests"], failed=judged["failed"], slowest_ms=judged["slowest_ms"])
        assert (judged["failed"], judged["reconnects"], kills) == (0, 0, 5), judged


def test_hold_of_a_killed_switch_ends_by_its_deadline_and_old_serves_on() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue, AsyncBackend("green", "v2") as green, \
            Stage(folder, blue, green) as stage, Connection(stage.nginx.port) as slow, \
            Connection(stage.nginx.port) as held:
        slow.ask("/gate")
        until(lambda: blue.waiting == 1, "the request is in flight")
        begin = time.monotonic()
        switch = subprocess.Popen([program("bgctl"), "switch", "green", "--hold", "--timeout", "2s",
                                   *map(str, stage.options)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: stage.route()[1] == ["hold"], "it holds", every=0.005)
        switch.kill()
        switch.wait(10)
        held.ask("/")
        assert held.answer().headers["X-Color"] == "blue"
        assert time.monotonic() - begin < 8 or stage.nginx.sanitized  # 2 s, and 2 s of margin
        assert stage.route() == ("blue", [])
        assert stage.nginx.status()["apps"]["app"]["flags"] == []
        blue.open_gate()
        assert slow.answer().headers["X-Color"] == "blue"
        # And the next switch is as if nothing had been.
        stage.bgctl("switch", "green", "--hold")
        assert stage.nginx.get("/").headers["X-Color"] == "green"


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_switch_with_hold_that_is_told_to_stop_goes_back_at_once_and_is_95(name: signal.Signals) -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue, AsyncBackend("green", "v2") as green, \
            Stage(folder, blue, green) as stage, Connection(stage.nginx.port) as slow:
        slow.ask("/gate")
        until(lambda: blue.waiting == 1, "the request is in flight")
        switch = subprocess.Popen([program("bgctl"), "switch", "green", "--hold", "--timeout", "20s",
                                   *map(str, stage.options)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: stage.route()[1] == ["hold"], "it holds", every=0.005)
        switch.send_signal(name)
        assert switch.wait(10) == 95
        assert stage.route() == ("blue", [])
        assert stage.nginx.get("/").headers["X-Color"] == "blue"
        blue.open_gate()
        assert slow.answer().status == 200


def test_switch_with_hold_when_nothing_is_in_flight_is_a_matter_of_milliseconds(figures) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green, \
            Stage(folder, blue, green) as stage:
        plain, held = [], []
        for number in range(20):
            for times, more in ((plain, []), (held, ["--hold"])):
                words = [program("bgctl"), "switch", "green" if number % 2 == 0 else "blue", *more, *stage.options]
                if more:
                    stage.bgctl("switch", "blue" if number % 2 == 0 else "green")
                begin = time.monotonic()
                subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL)
                times.append((time.monotonic() - begin) * 1000)
        figures(plain_ms=round(statistics.median(plain), 2), hold_ms=round(statistics.median(held), 2))
        assert statistics.median(held) < 250 or stage.nginx.sanitized


def test_hold_lets_requests_wait_until_release_and_a_switch_meanwhile_decides_where_they_go() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green, \
            Stage(folder, blue, green) as stage:
        assert ", they waited already" not in stage.bgctl("hold").stdout
        clients = [Connection(stage.nginx.port) for _ in range(5)]
        for client in clients:
            client.ask("/")
        until(lambda: stage.status()["apps"]["app"]["colors"]["blue"]["waiting"] == 5, "five wait")
        ours, theirs = stage.status()["apps"]["app"], stage.nginx.status()["apps"]["app"]
        assert theirs["flags"] == ours["flags"] == ["hold"]
        assert 0 < theirs["hold"]["left_ms"] <= 30_000 and 0 < ours["hold"]["left_ms"] <= 30_000
        assert theirs["colors"]["blue"].keys() <= ours["colors"]["blue"].keys()
        assert ", they waited already" in stage.bgctl("hold", "--for", "60s").stdout
        stage.bgctl("switch", "green")
        stage.bgctl("weight", "0", "--force")
        assert len(blue.requests()) + len(green.requests()) == 0
        released = json.loads(stage.bgctl("release", "--json").stdout)
        assert released["waiting"] == 5
        assert [client.answer().headers["X-Color"] for client in clients] == ["green"] * 5
        for client in clients:
            client.close()
        assert stage.status()["apps"]["app"]["colors"]["blue"]["waiting"] == 0


def test_maintenance_is_503_for_new_requests_until_it_is_off() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green, \
            Stage(folder, blue, green) as stage:
        stage.bgctl("maintenance", "on")
        answer = stage.nginx.get("/")
        assert (answer.status, "Retry-After" in answer.headers) == (503, True)
        stage.bgctl("switch", "green")
        assert stage.nginx.get("/").status == 503
        assert stage.status()["apps"]["app"]["colors"]["blue"]["refused"] == 1
        assert "1 answered 503" in stage.bgctl("status").stdout
        stage.bgctl("maintenance", "off")
        assert stage.nginx.get("/").headers["X-Color"] == "green"


def test_weight_of_1_percent_by_bgctl_is_1_percent_of_10000_requests(figures) -> None:
    workers = 2
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green, \
            Stage(folder, blue, green, workers) as stage:
        stage.bgctl("weight", "1")
        with stage.load() as load:
            until(lambda: len(blue.requests()) > 10_000, "10,000 requests", seconds=60)
            load.send_signal(signal.SIGTERM)
            load.communicate(timeout=30)
        until(lambda: stage.nginx.in_flight() == (0, 0), "nothing is in flight")
        asked, weighted = len(blue.requests()) + len(green.requests()), len(green.requests())
        figures(requests=asked, weighted=weighted, expected=asked / 100)
        assert abs(weighted - asked / 100) <= workers
        assert stage.status()["apps"]["app"]["colors"]["green"]["weighted"] == weighted
        assert f"green: {weighted} by weight" in stage.bgctl("status").stdout
        stage.bgctl("weight", "100")
        assert {stage.nginx.get("/").headers["X-Color"] for _ in range(20)} == {"green"}
        stage.bgctl("switch", "blue")
        assert {stage.nginx.get("/").headers["X-Color"] for _ in range(20)} == {"blue"}
