"""The ring of events in the telemetry file: what happens is told once, by whichever of the workers saw it first."""

import collections
import os
import pathlib
import struct
import time

import pytest

from harness import Nginx, NginxBackend, Region, free_port, until, work_folder

RING_AT, EVENTS = 3444736 + 4096, 256
HEAD = struct.Struct("<QQIIBBBBIQ")
KINDS = {1: "flip", 2: "weight", 3: "flags", 4: "endpoints", 7: "control_damaged", 8: "control_healed",
         9: "telemetry_healed"}
Event = collections.namedtuple("Event", "number time kind pid app color before after weight generation")


def events(path: pathlib.Path) -> list[Event]:
    with open(path, "rb", buffering=0) as file:
        data = os.pread(file.fileno(), 64 + EVENTS * 256, RING_AT)
    found = [Event(*HEAD.unpack_from(data, 64 + place * 256)) for place in range(EVENTS)]
    return sorted(event._replace(kind=KINDS.get(event.kind, str(event.kind))) for event in found if event.number)


def kinds(path: pathlib.Path) -> list[str]:
    return [event.kind for event in events(path)]


@pytest.fixture
def stage():
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        with Nginx(folder, region.http(free_port()), workers=4, allowed="damaged|missing|cannot be used") as nginx:
            until(lambda: nginx.status()["workers"]["attached"] == 4, "all workers are attached")
            yield nginx, region


def test_flip_weight_and_flags_are_told_once_by_all_workers(stage) -> None:
    nginx, region = stage
    assert kinds(region.telemetry) == []
    before = time.time_ns()
    for wanted, change in (("flip", lambda: region.switch("green")), ("weight", lambda: region.weight(2500)),
                           ("flags", lambda: region.flags("+fallback"))):
        known = len(events(region.telemetry))
        change()
        until(lambda: len(events(region.telemetry)) > known, f"{wanted} is told", every=0.01)
    # Each worker has its timer's turn, a second, to tell it again.
    time.sleep(1.2)
    found = events(region.telemetry)
    assert [event.kind for event in found] == ["flip", "weight", "flags"]
    flip, weight, _ = found
    assert (flip.before, flip.after) == (0, 1) and weight.weight == 2500 and weight.color == 0
    assert before <= flip.time <= time.time_ns()
    assert flip.pid in [worker.pid for worker in nginx.workers()]


def test_control_file_that_is_damaged_and_healed_is_told_once_each(stage) -> None:
    nginx, region = stage
    content = region.control.read_bytes()
    with open(region.control, "r+b", buffering=0) as file:
        file.write(bytes(64))
    until(lambda: "control_damaged" in kinds(region.telemetry), "the damage is told")
    time.sleep(1.2)
    with open(region.control, "r+b", buffering=0) as file:
        file.write(content[:64])
    until(lambda: "control_healed" in kinds(region.telemetry), "its end is told")
    time.sleep(1.2)
    assert kinds(region.telemetry) == ["control_damaged", "control_healed"]


def test_telemetry_that_was_overwritten_and_put_back_is_told_once(stage) -> None:
    nginx, region = stage
    with open(region.telemetry, "r+b", buffering=0) as file:
        content = file.read(64)
        os.pwrite(file.fileno(), bytes(64), 0)
        time.sleep(1.5)
        os.pwrite(file.fileno(), content, 0)
    until(lambda: "telemetry_healed" in kinds(region.telemetry), "it is told")
    time.sleep(1.2)
    assert kinds(region.telemetry) == ["telemetry_healed"]
