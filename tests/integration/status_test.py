"""The status document: the contract's shape, methods, headers."""

import os
import pwd
import stat

from harness import Nginx, NginxBackend, Region, free_port, request, work_folder


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
            assert nginx.status() == {
                "schema": 1,
                "control": {"state": "ok", "path": str(region.control)},
                "telemetry": {"state": "ok", "path": str(region.telemetry), "inexact": False},
                "workers": {"live": 1, "attached": 1},
                "apps": {"app": {
                    "active": "green", "generation": 5, "weight": 0, "flags": ["closed_blue"], "release": "v2",
                    "source": "region",
                    "colors": {
                        "blue": {"release": "v1", "in_flight": 0, "requests": 0, "endpoints": [
                            {"address": blue.address, "weight": 1, "health": "unknown",
                             "since": "2026-01-01T00:00:00Z", "last_error": ""}]},
                        "green": {"release": "v2", "in_flight": 0, "requests": 1, "endpoints": [
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
