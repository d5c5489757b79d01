"""The status document: the contract's shape, methods, headers."""

import fcntl
import os
import pwd
import stat
import struct

from harness import AsyncBackend, Connection, Nginx, NginxBackend, Region, free_port, request, until, work_folder

F_OFD_SETLK, SLOTS_AT, SLOT_SIZE, SLOTS = 37, 1331200, 16512, 128


def test_document_has_the_contracts_shape() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [f"{green.address}@7", "unix:/run/none.sock"])
        region.switch("green")
        region.close("blue")
        with Nginx(folder, region.http(free_port())) as nginx:
            nginx.get("/")
            none = {"waiting": 0, "weighted": 0, "previews": 0, "fallbacks": 0, "refused": 0}
            assert nginx.status() == {
                "schema": 1,
                "control": {"state": "ok", "path": str(region.control)},
                "telemetry": {"state": "ok", "path": str(region.telemetry), "inexact": False},
                "workers": {"live": 1, "attached": 1},
                "apps": {"app": {
                    "active": "green", "generation": 5, "weight": 0, "flags": ["closed_blue"], "release": "v2",
                    "source": "region",
                    "colors": {
                        "blue": {"release": "v1", "in_flight": 0, "requests": 0, **none, "endpoints": [
                            {"address": blue.address, "weight": 1, "health": "unknown",
                             "since": "2026-01-01T00:00:00Z", "last_error": ""}]},
                        "green": {"release": "v2", "in_flight": 0, "requests": 1, **none, "endpoints": [
                            {"address": green.address, "weight": 7, "health": "unknown",
                             "since": "2026-01-01T00:00:00Z", "last_error": ""},
                            {"address": "unix:/run/none.sock", "weight": 1, "health": "unknown",
                             "since": "2026-01-01T00:00:00Z", "last_error": ""}]}}}}}


def test_get_and_head_are_answered_uncached_and_other_methods_get_405() -> None:
    with work_folder() as folder:
        region = Region(folder)
        with Nginx(folder, region.http(free_port())) as nginx:
            got = request(nginx.port, "/bluegreen/status")
            assert got.headers["Cache-Control"] == "no-store"
            assert got.headers["Content-Type"] == "application/json"
            head = request(nginx.port, "/bluegreen/status", "HEAD")
            assert head.status == 200 and head.headers["Content-Length"] == str(len(got.body))
            for method in ("POST", "PUT", "DELETE", "OPTIONS"):
                assert request(nginx.port, "/bluegreen/status", method, b"x").status == 405


def test_telemetry_belongs_to_the_workers_user_alone() -> None:
    with work_folder() as folder:
        region = Region(folder)
        with Nginx(folder, region.http(free_port()), main="user daemon;" if os.geteuid() == 0 else ""):
            status = region.telemetry.stat()
            assert stat.S_IMODE(status.st_mode) == 0o640
            if os.geteuid() == 0:
                assert status.st_uid == pwd.getpwnam("daemon").pw_uid


def test_nginx_serves_without_telemetry_and_says_so() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.telemetry.write_bytes(b"foreign" * 1000)
        with Nginx(folder, region.http(free_port(), blue.address)) as nginx:
            assert nginx.get("/").status == 200
            document = nginx.status()
            assert document["telemetry"]["state"] == "damaged" and document["telemetry"]["inexact"]
            assert document["apps"]["app"]["colors"]["blue"]["requests"] == 1
            assert "a drain cannot be exact" in nginx.error_log
            assert region.telemetry.read_bytes() == b"foreign" * 1000


def take_all_slots(path) -> int:
    """A descriptor that owns every slot, as 128 workers would."""
    fd = os.open(path, os.O_RDWR)
    for slot in range(SLOTS):
        fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, SLOTS_AT + slot * SLOT_SIZE, 1, 0))
    return fd


def test_worker_without_a_free_slot_serves_says_inexact_and_takes_one_with_its_gauges_later() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port())):
            pass  # makes the telemetry
        fd = take_all_slots(region.telemetry)
        with Nginx(folder, region.http(free_port())) as nginx, Connection(nginx.port) as client:
            client.ask("/gate")
            until(lambda: blue.waiting == 1, "the request is in flight")
            document = nginx.status()
            assert document["telemetry"] == {"state": "ok", "path": str(region.telemetry), "inexact": True}
            assert nginx.in_flight() == (1, 0)
            os.close(fd)
            until(lambda: nginx.status()["workers"] == {"live": 1, "attached": 1}, "a slot was taken")
            assert not nginx.status()["telemetry"]["inexact"]
            assert nginx.in_flight() == (1, 0)
            assert nginx.status()["apps"]["app"]["colors"]["blue"]["requests"] == 1
            blue.open_gate()
            assert client.answer().status == 200
            assert nginx.in_flight() == (0, 0)
