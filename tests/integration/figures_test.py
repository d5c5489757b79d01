"""The second part of the telemetry file (shm/telemetry_detail.hpp): made, extended, and what is counted there."""

import os
import pathlib
import struct

import pytest

from harness import Nginx, NginxBackend, Region, free_port, until, work_folder

PART_AT, APPS_AT, APP_SIZE = 3444736, 3444736 + 73728, 40960 + 128 * 20480
MAGIC = b"BGDETL\r\n"


def size_for(apps: int) -> int:
    return APPS_AT + apps * APP_SIZE


def head(path: pathlib.Path, size: int = 64) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return os.pread(file.fileno(), size, PART_AT)


@pytest.fixture
def stage():
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        yield folder, region


def serve(folder: pathlib.Path, region: Region, more: str = "") -> Nginx:
    return Nginx(folder, region.http(free_port(), top=more))


def test_master_makes_the_second_part_sparse(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        assert nginx.get().status == 200
        status = region.telemetry.stat()
        assert status.st_size == size_for(1)
        assert head(region.telemetry)[:8] == MAGIC
        assert status.st_blocks * 512 < PART_AT + 73728 + 40960 + 20480 * 4 + 65536


def test_file_grows_when_an_application_is_added(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        nginx.get()
    with serve(folder, region, "upstream second { bluegreen second; bluegreen_server blue 127.0.0.1:9; }") as nginx:
        nginx.get()
        assert region.telemetry.stat().st_size == size_for(2)


def test_old_file_without_a_second_part_gets_one(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        nginx.get()
    os.truncate(region.telemetry, PART_AT)
    with serve(folder, region) as nginx:
        assert nginx.get().status == 200
        assert region.telemetry.stat().st_size == size_for(1)
        assert head(region.telemetry)[:8] == MAGIC


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_unknown_version_of_the_second_part_is_left_alone(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        nginx.get()
    known = head(region.telemetry)
    assert struct.unpack_from("<I", known, 60)[0] == crc32c(known[:60])
    other = known[:8] + struct.pack("<I", 2) + known[12:60]
    other += struct.pack("<I", crc32c(other))
    with open(region.telemetry, "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), other, PART_AT)
    with serve(folder, region) as nginx:
        assert nginx.get().status == 200
        until(lambda: nginx.status()["workers"]["live"] >= 1, "a worker is there")
        assert head(region.telemetry) == other


def test_damaged_header_of_the_second_part_is_made_anew_at_a_start(stage) -> None:
    folder, region = stage
    with serve(folder, region) as nginx:
        nginx.get()
    known = head(region.telemetry)
    with open(region.telemetry, "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"\xff" * 40, PART_AT)
    with serve(folder, region) as nginx:
        assert nginx.get().status == 200
        assert head(region.telemetry) == known
