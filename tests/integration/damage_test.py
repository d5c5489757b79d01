"""Control and telemetry cut, overwritten, deleted, replaced, on a full disk, under load: nobody notices but the
status document, which says so and heals. See control_file_test.py for each kind alone."""

import os
import pathlib
import random
import shutil
import struct
import subprocess
import time
from collections.abc import Callable

import pytest

from harness import AsyncBackend, Connection, Load, Nginx, NginxBackend, Region, free_port, times, until, work_folder
from harness.telemetry import SLOTS_AT, SLOT_SIZE

TIMES = times(60, 1000)
SEED = 20261125


class Damage:
    """One file, and everything that can befall it. `whole` is what is put back."""

    def __init__(self, path: pathlib.Path, draw: random.Random) -> None:
        self.path, self.draw = path, draw
        self.whole = path.read_bytes()
        self.status = path.stat()
        self.size = len(self.whole)

    def cut(self) -> None:
        os.truncate(self.path, self.draw.choice([0, 1, 63, 64, 4096, self.draw.randrange(self.size)]))

    def cut_and_grow(self) -> None:
        os.truncate(self.path, self.draw.randrange(self.size))
        os.truncate(self.path, self.size)

    def random_part(self) -> None:
        with open(self.path, "r+b", buffering=0) as file:
            for _ in range(self.draw.randrange(1, 20)):
                file.seek(self.draw.randrange(self.size - 4096))
                file.write(self.draw.randbytes(self.draw.randrange(1, 4096)))

    def random_head(self) -> None:
        with open(self.path, "r+b", buffering=0) as file:
            file.write(self.draw.randbytes(64))

    def random_whole(self) -> None:
        with open(self.path, "r+b", buffering=0) as file:
            file.write(self.draw.randbytes(self.size))

    def zeroes(self) -> None:
        with open(self.path, "r+b", buffering=0) as file:
            file.write(bytes(self.size))

    def wrong_abi(self) -> None:
        with open(self.path, "r+b", buffering=0) as file:
            file.seek(8)
            file.write(struct.pack("<I", 77))

    def deleted(self) -> None:
        self.path.unlink()

    def replaced_by_junk(self) -> None:
        self._replace(self.draw.randbytes(self.draw.choice([0, 10, 5000, self.size])))

    def replaced_by_its_copy(self) -> None:
        self._replace(self.whole)

    def replaced_by_a_folder(self) -> None:
        self.path.unlink()
        self.path.mkdir()

    def wrong_owner(self) -> None:
        """Another user's, and nobody else may read it: by a new file, as by a careless restore."""
        self._replace(self.whole, mode=0o600)
        os.chown(self.path, 0, 0)

    def heal(self) -> None:
        """In place where the inode is still there, else by a new file."""
        if self.path.is_dir():
            self.path.rmdir()
        if self.path.exists() and self.path.stat().st_ino == self.status.st_ino:
            with open(self.path, "r+b", buffering=0) as file:
                file.write(self.whole)
            os.truncate(self.path, self.size)
        else:
            self._replace(self.whole)
            self.status = self.path.stat()

    def _replace(self, content: bytes, mode: int | None = None) -> None:
        fresh = self.path.with_suffix(".fresh")
        fresh.write_bytes(content)
        os.chown(fresh, self.status.st_uid, self.status.st_gid)
        fresh.chmod(mode if mode is not None else self.status.st_mode & 0o777)
        fresh.rename(self.path)


KINDS = ["cut", "cut_and_grow", "random_part", "random_head", "random_whole", "zeroes", "wrong_abi", "deleted",
         "replaced_by_junk", "replaced_by_its_copy", "replaced_by_a_folder", "wrong_owner"]


@pytest.fixture
def stage():
    """Green serves; the lines of the configuration say blue: whoever falls back to them is seen."""
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        region.switch("green")
        http = region.http(free_port(), blue.address, green.address, top="keepalive_requests 1000000000;")
        http = http.replace(f"access_log {folder}/routed.log routed;", "access_log off;")
        with Nginx(folder, http, workers=2) as nginx:
            until(lambda: attached(nginx), "both workers are attached")
            yield nginx, region


def attached(nginx: Nginx) -> bool:
    status = nginx.status()
    return (status["control"]["state"], status["telemetry"]["state"]) == ("ok", "ok") and \
        status["workers"] == {"live": 2, "attached": 2}


def maps(pid: int, path: pathlib.Path) -> bool:
    """Whether the process maps the file that is at the path now, not one that was there before."""
    inode = str(path.stat().st_ino)
    lines = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    return any(line.split()[4] == inode and line.endswith(str(path)) for line in lines)


def state(nginx: Nginx, which: str) -> str:
    return nginx.status()[which]["state"]


@pytest.mark.parametrize("which", ["control", "telemetry"])
def test_requests_under_load_do_not_notice_what_befalls_a_file(stage, figures, which) -> None:
    nginx, region = stage
    draw = random.Random(SEED)
    damage = Damage(getattr(region, which), draw)
    workers, counts = nginx.workers(), dict.fromkeys(KINDS, 0)
    with Load(nginx.port, region.control.parent, "green") as load:
        for number in range(TIMES):
            kind = KINDS[number % len(KINDS)]
            getattr(damage, kind)()
            counts[kind] += 1
            time.sleep(draw.random() * 0.03)
            if draw.random() < 0.8:  # else the next one comes on top of it
                damage.heal()
                time.sleep(draw.random() * 0.03)
            elif not damage.path.is_file() or damage.path.stat().st_size < damage.size:
                damage.heal()
        damage.heal()
        until(lambda: attached(nginx), "both workers have healed", 20)
        until(lambda: nginx.in_flight()[1] <= 8, "gauges say what is in flight")
    until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more")
    judged = load.judged
    figures(damages=TIMES, requests=judged["requests"], failed=judged["failed"], wrong_color=judged["stale"],
            crashes=int(nginx.workers() != workers))
    assert judged["requests"] > TIMES
    assert (judged["failed"], judged["stale"], judged["uncolored"]) == (0, 0, 0), judged
    assert nginx.workers() == workers
    # The id in a file's copy is the same: a worker that still maps the one before looks attached.
    until(lambda: all(maps(worker.pid, damage.path) for worker in nginx.workers()), "both workers map the file itself")
    region.switch("blue")
    assert nginx.get("/").headers["X-Color"] == "blue"


# Each kind is waited for in the status document, which takes up to a second each way.
REPORTED: dict[str, set[str]] = {
    "cut": {"damaged"}, "random_head": {"damaged"}, "random_whole": {"damaged"}, "zeroes": {"damaged"},
    "wrong_abi": {"damaged"}, "deleted": {"missing"}, "replaced_by_junk": {"damaged"},
    "replaced_by_a_folder": {"damaged"}, "wrong_owner": {"damaged"}}


@pytest.mark.parametrize("which", ["control", "telemetry"])
def test_status_document_says_what_befell_a_file_and_that_it_is_whole_again(stage, which) -> None:
    nginx, region = stage
    draw = random.Random(SEED)
    damage = Damage(getattr(region, which), draw)
    kinds = ["random_head", "deleted"] if times(1, 0) else list(REPORTED)
    for kind in kinds:
        getattr(damage, kind)()
        until(lambda: state(nginx, which) in REPORTED[kind], f"{which} is reported after {kind}")
        assert nginx.get("/").headers["X-Color"] == "green"
        until(lambda: nginx.status()["workers"]["attached"] == 0 or which == "telemetry", f"nobody obeys after {kind}")
        damage.heal()
        until(lambda: attached(nginx), f"{which} heals after {kind}")
    logged = nginx.error_log
    assert which in logged


@pytest.mark.parametrize("byte", [0, 0xA5])
def test_gauge_that_was_overwritten_is_set_right_while_the_request_is_in_flight(byte) -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port()), workers=1) as nginx, Connection(nginx.port) as client:
            client.ask("/gate")
            until(lambda: blue.waiting == 1 and nginx.in_flight() == (1, 0), "it is in flight")
            with open(region.telemetry, "r+b", buffering=0) as file:
                file.seek(SLOTS_AT)
                file.write(bytes([byte]) * SLOT_SIZE)
            assert nginx.in_flight() != (1, 0)
            until(lambda: nginx.in_flight() == (1, 0), "the gauge is right again")
            until(lambda: nginx.status()["workers"] == {"live": 1, "attached": 1}, "the slot says whom it obeys")
            blue.open_gate()
            assert client.answer().status == 200
            until(lambda: nginx.in_flight() == (0, 0), "it has ended")


def test_reload_while_files_are_cut_leaves_the_master_and_the_route(stage) -> None:
    nginx, region = stage
    master, draw = nginx.pid, random.Random(SEED)
    for which in ("control", "telemetry"):
        damage = Damage(getattr(region, which), draw)
        for size in (0, 5000, 64, damage.size - 1)[:times(1, 4)]:
            os.truncate(damage.path, size)
            nginx.reload()
            assert nginx.get("/").headers["X-Color"] == "green"
            damage.heal()
            until(lambda: attached(nginx), "it heals")
    assert nginx.pid == master


@pytest.fixture
def small_disk():
    """A tmpfs of 6 MiB that can be filled."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    with work_folder() as folder:
        disk = folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=0755", "none", disk], check=False).returncode:
            pytest.skip("this machine does not let a tmpfs be mounted")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: pathlib.Path) -> Callable[[], None]:
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    assert shutil.disk_usage(disk).free < 4096
    return filler.unlink


def test_disk_that_fills_up_under_both_files_costs_nothing(small_disk) -> None:
    with NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(small_disk)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        work = small_disk.parent / "nginx"
        work.mkdir()
        http = region.http(free_port()).replace(f"{small_disk}/routed.log", f"{work}/routed.log")
        with Nginx(work, http, workers=2) as nginx:
            until(lambda: attached(nginx), "both workers are attached")
            fill(small_disk)
            for color in ("green", "blue", "green"):
                region.switch(color)
                for _ in range(50):
                    assert nginx.get("/").headers["X-Color"] == color
            nginx.reload()
            until(lambda: attached(nginx), "the new workers are attached")
            assert nginx.get("/").headers["X-Color"] == "green"


def test_full_disk_at_the_start_leaves_no_half_file_and_a_reload_makes_a_whole_one(small_disk) -> None:
    with NginxBackend("blue", "v1") as blue:
        region = Region(small_disk)
        region.init()
        region.publish("blue", "v1", [blue.address])
        work = small_disk.parent / "nginx"
        work.mkdir()
        http = region.http(free_port()).replace(f"{small_disk}/routed.log", f"{work}/routed.log")
        make_room = fill(small_disk)
        with Nginx(work, http, workers=2) as nginx:
            assert nginx.get("/").headers["X-Color"] == "blue"
            assert state(nginx, "telemetry") == "missing"
            assert "No space left on device" in nginx.error_log
            assert list(region.telemetry.parent.iterdir()) == []
            make_room()
            nginx.reload()
            until(lambda: attached(nginx), "telemetry is made")
