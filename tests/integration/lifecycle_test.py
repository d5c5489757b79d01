"""Reloads, binary upgrades and their way back, 1 to 16 workers, thread pools, under load: one telemetry, whose
counters never go back and whose gauges end at 0, and a route that nothing of it touches."""

import os
import pathlib
import signal
import subprocess

import pytest

from harness import (Connection, Load, Nginx, NginxBackend, Region, Watch, free_port, times, until,
                     work_folder)
from harness.nginx import Worker
from harness.telemetry import read_sums

ROUNDS = times(2, 10)
# A reload closes idle connections, and a request that is just being sent on one is lost: NGINX's own
# way. With a connection a request nothing of that kind is left, so that each failure would be ours.
CLOSE = ("Connection: close",)


@pytest.fixture
def colors():
    with NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        yield blue, green


@pytest.fixture
def region(colors):
    with work_folder() as folder:
        region = Region(folder)
        region.init()
        for backend in colors:
            region.publish(backend.color, backend.release, [backend.address])
        region.switch("green")
        yield region


def settled(nginx: Nginx, workers: int) -> bool:
    return nginx.status()["workers"] == {"live": workers, "attached": workers}


def steady(region: Region, watch: Watch, load: Load) -> dict[str, object]:
    """What every test of this file asks for, and its figures."""
    assert watch.back == []
    assert (load.judged["failed"], load.judged["stale"], load.judged["uncolored"]) == (0, 0, 0), (
        load.judged, load.failures()[:5])
    sums = read_sums(region.telemetry)
    assert sums.in_flight == 0  # dead slots included: every worker ended in an orderly way
    assert sums.counters[0] >= load.judged["requests"]
    return {"requests": load.judged["requests"], "failed": load.judged["failed"],
            "wrong_color": load.judged["stale"], "counters_went_back": len(watch.back), "looks": watch.looks,
            "slots_used": sums.used}


def test_1_to_16_workers_and_back_by_reloads_under_load(region, figures) -> None:
    with Nginx(region.control.parent, region.http(free_port(), listen="backlog=4096"), workers=1) as nginx:
        with Watch(region.telemetry) as watch, Load(nginx.port, region.control.parent, "green", headers=CLOSE) as load:
            for workers in [2, 4, 8, 16, 3, 16, 1] * ROUNDS:
                nginx.settings["workers"] = workers
                nginx.reload()
            until(lambda: settled(nginx, 1), "the others have gone, their slots are free")
        until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more")
        figures(reloads=7 * ROUNDS, **steady(region, watch, load))
        assert watch.last.used <= 40, "slots are taken again"
        region.switch("blue")
        assert nginx.get("/").headers["X-Color"] == "blue"


def test_thread_pools_serve_bodies_from_disk_and_count_as_ever(region, figures) -> None:
    more = """location /file { root FOLDER; aio threads; directio 512; add_header X-Color green; }
              location /stored { proxy_pass http://app/; aio threads; aio_write on; proxy_buffers 4 4k;
                                 proxy_buffer_size 4k; proxy_max_temp_file_size 10m; client_body_buffer_size 1k; }"""
    folder = region.control.parent
    (folder / "file").write_bytes(b"x" * 300000)
    http = region.http(free_port(), more=more.replace("FOLDER", str(folder)), top="aio threads; aio_write on;")
    with Nginx(folder, http, workers=2, main="thread_pool default threads=4;") as nginx:
        with Watch(region.telemetry) as watch, \
                Load(nginx.port, folder, "green", path="/stored", body=60000, headers=CLOSE) as load:
            for _ in range(2 * ROUNDS):
                assert len(nginx.get("/file").body) == 300000
                nginx.reload()
            until(lambda: settled(nginx, 2), "the old workers have gone")
        until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more")
        figures(reloads=2 * ROUNDS, **steady(region, watch, load))


class Orphan:
    """A process that is nobody's child here, with what Nginx asks of a Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.started = self._stat()[19]

    def poll(self) -> int | None:
        try:
            stat = self._stat()
        except OSError:
            return 0
        return 0 if stat[19] != self.started or stat[0] == "Z" else None

    def wait(self, timeout: float = 20) -> int:
        try:
            until(lambda: self.poll() is not None, f"master {self.pid} ends", timeout)
        except AssertionError as error:
            raise subprocess.TimeoutExpired("nginx", timeout) from error
        return 0

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _stat(self) -> list[str]:
        return pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()


class Upgradable(Nginx):
    """A daemon: NGINX ignores USR2 while the process that started the master is its parent. `process` is the
    master that counts, `masters` all that were."""

    def write_config(self) -> None:
        super().write_config()
        self.config.write_text(self.config.read_text().replace("daemon off;", "daemon on;"))

    def start(self) -> "Upgradable":
        self.write_config()
        with open(self.prefix / "stderr", "ab") as stderr:
            subprocess.run([self.binary, "-c", str(self.config), "-p", str(self.prefix)], env=self.env, check=True,
                           stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, timeout=20)
        self.process = Orphan(self._pid_file(0))
        self.masters = [self.process]
        until(self._ready, f"NGINX answers on {self.ports}", 20)
        return self

    def __exit__(self, kind: object, *about: object) -> None:
        last = self.process
        if kind is not None:
            for master in self.masters:
                self.process = master
                self._kill()
            print(self.error_log[-4000:])
            return
        for master in self.masters:
            if master is not last:
                self.end(master)
        self.process = last
        super().__exit__(kind, *about)

    def upgrade(self) -> Orphan:
        """USR2; the new master, when it has its workers."""
        os.kill(self.pid, signal.SIGUSR2)
        new = Orphan(self._pid_file(self.pid))
        self.masters.append(new)
        until(lambda: len(self.workers_of(new)) == int(self.settings["workers"]), "the new master's workers", 20)
        return new

    def workers_of(self, master: Orphan) -> list[Worker]:
        before, self.process = self.process, master
        try:
            return self.workers()
        finally:
            self.process = before

    def end(self, master: Orphan) -> None:
        master.send_signal(signal.SIGQUIT)
        master.wait()

    def _pid_file(self, other_than: int) -> int:
        path = self.prefix / "nginx.pid"

        def read() -> int:
            try:
                pid = int(path.read_text())
            except (OSError, ValueError):
                return 0
            return pid if pid != other_than else 0

        return until(read, "the master's pid", 20)


@pytest.fixture
def upgradable(region):
    keep = "env LD_PRELOAD; env ASAN_OPTIONS; env UBSAN_OPTIONS;"  # for the new master of a sanitized build
    with Upgradable(region.control.parent, region.http(free_port()), workers=2, main=keep) as nginx:
        until(lambda: settled(nginx, 2), "both workers are attached")
        yield nginx


def test_binary_upgrade_is_one_telemetry_and_one_route(region, upgradable, figures) -> None:
    nginx = upgradable
    with Watch(region.telemetry) as watch, Load(nginx.port, region.control.parent, "green", headers=CLOSE) as load:
        for _ in range(ROUNDS):
            old, new = nginx.process, nginx.upgrade()
            until(lambda: settled(nginx, 4), "old and new workers have a slot each")
            old.send_signal(signal.SIGWINCH)
            until(lambda: nginx.workers_of(old) == [], "the old workers end")
            nginx.end(old)
            nginx.process = new
            until(lambda: settled(nginx, 2), "the old slots are free")
    until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more")
    figures(upgrades=ROUNDS, **steady(region, watch, load))
    region.switch("blue")
    assert nginx.get("/").headers["X-Color"] == "blue"


def test_binary_upgrade_can_be_taken_back(region, upgradable, figures) -> None:
    nginx = upgradable
    with Watch(region.telemetry) as watch, Load(nginx.port, region.control.parent, "green", headers=CLOSE) as load:
        for _ in range(ROUNDS):
            old, new = nginx.process, nginx.upgrade()
            old.send_signal(signal.SIGWINCH)
            until(lambda: nginx.workers_of(old) == [], "the old workers end")
            until(lambda: settled(nginx, 2), "the new ones serve")
            old.send_signal(signal.SIGHUP)  # its workers again, by the configuration that it has
            until(lambda: settled(nginx, 4), "the old master's workers are back")
            nginx.end(new)
            until(lambda: not (nginx.prefix / "nginx.pid.oldbin").exists(), "the old master has its name back")
            until(lambda: settled(nginx, 2), "the new slots are free")
    until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more")
    figures(upgrades_taken_back=ROUNDS, **steady(region, watch, load))


def test_old_master_and_new_one_follow_the_same_flips(region, upgradable) -> None:
    nginx = upgradable
    with Connection(nginx.port) as old_client:
        old_client.ask("/")
        assert old_client.answer().headers["X-Color"] == "green"
        nginx.upgrade()
        region.switch("blue")
        old_client.ask("/")
        assert old_client.answer().headers["X-Color"] == "blue"
        for _ in range(20):
            assert nginx.get("/").headers["X-Color"] == "blue"
