"""Workers that are killed, or stopped and continued, under load: who fails, what the figures say, what drain says."""

import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

from harness import (AsyncBackend, Connection, Load, Nginx, NginxBackend, Region, Watch, bgctl, free_port, program,
                     times, until, work_folder)

DEATHS = times(15, 100)
CLIENTS = 16


@pytest.fixture
def stage():
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        http = region.http(free_port(), top="keepalive_requests 1000000000;", more="location = /pid { return 200 $pid; }")
        with Nginx(folder, http, workers=4, allowed=r"exited on signal 9", level="notice") as nginx:
            until(lambda: nginx.status()["workers"] == {"live": 4, "attached": 4}, "all workers are attached")
            yield nginx, region


def client_connections(pid: int, port: int) -> int:
    """Connections of clients that a worker has, by its descriptors; it must not run meanwhile."""
    inodes = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].split(":")[1], 16) == port and fields[3] != "0A":  # not the listening one
            inodes.add(f"socket:[{fields[9]}]")
    links = (os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir())
    return sum(link in inodes for link in links)


def stopped(pid: int) -> bool:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def test_killed_workers_fail_only_their_own_connections_and_leave_no_figure_behind(stage, figures) -> None:
    nginx, region = stage
    draw = random.Random(7)
    killed: list[tuple[int, int]] = []  # when, connections that it had
    with Watch(region.telemetry) as watch, Load(nginx.port, region.control.parent, "blue", clients=CLIENTS) as load:
        for _ in range(DEATHS):
            worker = draw.choice(nginx.workers())
            os.kill(worker.pid, signal.SIGSTOP)
            until(lambda: stopped(worker.pid), "it is stopped", every=0.001)
            killed.append((time.monotonic_ns(), client_connections(worker.pid, nginx.port)))
            os.kill(worker.pid, signal.SIGKILL)
            until(lambda: worker not in nginx.workers() and len(nginx.workers()) == 4, "its successor", every=0.005)
            time.sleep(draw.random() * 0.1)
        until(lambda: nginx.status()["workers"] == {"live": 4, "attached": 4}, "all workers are attached")
    until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more")
    failures = load.failures()
    beside = [failure for failure in failures if failure.end_ns < killed[0][0]]
    for number, (when, connections) in enumerate(killed):
        until_ns = killed[number + 1][0] if number + 1 < len(killed) else 1 << 63
        mine = [failure for failure in failures if when <= failure.end_ns < until_ns]
        beside += mine[connections:]
    assert not beside, (beside, killed)
    colors = nginx.status()["apps"]["app"]["colors"]
    figures(kills=DEATHS, requests=load.judged["requests"], failed=load.judged["failed"],
            connections_of_the_killed=sum(count for _, count in killed), failed_beside=len(beside),
            counters_went_back=len(watch.back), looks=watch.looks, slots_used=watch.last.used,
            in_flight_at_the_end=colors["blue"]["in_flight"])
    assert load.judged["requests"] > DEATHS * CLIENTS
    assert watch.back == []
    assert watch.last.used <= 8  # a successor takes its predecessor's slot, or one that became free
    assert colors["blue"]["requests"] >= load.judged["requests"] - load.judged["failed"]


def test_stopped_and_continued_workers_fail_nothing(stage, figures) -> None:
    nginx, region = stage
    draw, before = random.Random(7), nginx.workers()
    with Watch(region.telemetry) as watch, Load(nginx.port, region.control.parent, "blue", clients=CLIENTS) as load:
        for _ in range(DEATHS):
            worker = draw.choice(before)
            os.kill(worker.pid, signal.SIGSTOP)
            time.sleep(draw.random() * 0.1)
            os.kill(worker.pid, signal.SIGCONT)
            time.sleep(draw.random() * 0.05)
    until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more")
    figures(stops=DEATHS, requests=load.judged["requests"], failed=load.judged["failed"],
            counters_went_back=len(watch.back))
    assert load.judged["failed"] == 0 and load.judged["requests"] > DEATHS
    assert watch.back == [] and nginx.workers() == before


def test_drain_waits_for_a_stopped_worker_and_says_so_when_the_time_is_up(figures) -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        options = ["--control", region.control, "--telemetry", region.telemetry, "--app", region.app]
        bgctl("init", *options)
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        http = region.http(free_port(), more="location = /pid { return 200 $pid; }")
        with Nginx(folder, http, workers=2) as nginx, Connection(nginx.port) as client:
            client.ask("/pid")
            holder = int(client.answer().body)
            client.ask("/gate")
            until(lambda: blue.waiting == 1, "its request is in flight")
            os.kill(holder, signal.SIGSTOP)
            bgctl("switch", "green", *options)
            blue.open_gate()  # the answer is there, and the worker does not read it
            forced = bgctl("drain", "blue", "--timeout", "500ms", *options, check=False)
            assert forced.returncode == 80, forced
            assert "1 request" in forced.stdout
            drain = subprocess.Popen([program("bgctl"), "drain", "blue", "--timeout", "20s", *map(str, options)],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            begin = time.monotonic()
            time.sleep(0.3)
            assert drain.poll() is None
            os.kill(holder, signal.SIGCONT)
            assert drain.wait(20) == 0, drain
            assert client.answer().headers["X-Color"] == "blue"
            figures(drain_waited_ms=round((time.monotonic() - begin) * 1000))


def test_worker_stopped_between_its_choice_and_the_close_sends_nothing_to_the_drained_color() -> None:
    """Connections wait in a stopped worker; when it goes on, the color has been closed and drained."""
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        options = ["--control", region.control, "--telemetry", region.telemetry, "--app", region.app]
        bgctl("init", *options)
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        http = region.http(free_port(), more="location = /pid { return 200 $pid; }")
        with Nginx(folder, http, workers=1) as nginx:
            for _ in range(times(5, 50)):
                clients = [Connection(nginx.port) for _ in range(4)]
                for client in clients:
                    client.ask("/pid")
                    client.answer()
                worker = nginx.workers()[0]
                os.kill(worker.pid, signal.SIGSTOP)
                until(lambda: stopped(worker.pid), "it is stopped", every=0.001)
                for client in clients:
                    client.ask("/")
                bgctl("switch", "green", *options)
                assert bgctl("drain", "blue", "--timeout", "5s", *options).returncode == 0
                served = len(blue.requests())
                os.kill(worker.pid, signal.SIGCONT)
                assert [client.answer().headers["X-Color"] for client in clients] == ["green"] * 4
                assert len(blue.requests()) == served
                for client in clients:
                    client.close()
                bgctl("switch", "blue", *options)
