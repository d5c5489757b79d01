"""The status document: the contract's shape, methods, headers."""

import base64
import fcntl
import hashlib
import json
import os
import pwd
import re
import stat
import struct
import subprocess
import time
from datetime import datetime

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
            document = nginx.status()
            assert abs(datetime.fromisoformat(document.pop("now")).timestamp() - time.time()) < 10
            assert re.fullmatch("[0-9a-f]{16}", document.pop("instance"))
            assert document.pop("prober").keys() == {"pid", "epoch"}
            assert isinstance(document.pop("events"), list)
            flipped = document["apps"]["app"].pop("flipped")
            assert abs(datetime.fromisoformat(flipped).timestamp() - time.time()) < 10
            for color in ("blue", "green"):
                shown = document["apps"]["app"]["colors"][color]
                answers, latency = shown.pop("responses"), shown.pop("latency")
                assert list(answers.values()) == [0, int(color == "green"), 0, 0, 0, 0]
                assert list(latency) == ["connect", "first_byte", "total"]
                assert shown.pop("tries") == int(color == "green") and shown.pop("failures") == 0
                for name in ("retries", "connect_errors", "timeouts", "other_errors", "bytes_in", "bytes_out"):
                    assert shown.pop(name) >= 0
            unprobed = {"status": 0, "latency_ms": 0, "checked": None, "probes": 0, "failures": 0}
            assert document == {
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
                             "since": "2026-01-01T00:00:00Z", "last_error": "", **unprobed}]},
                        "green": {"release": "v2", "in_flight": 0, "requests": 1, **none, "endpoints": [
                            {"address": green.address, "weight": 7, "health": "unknown",
                             "since": "2026-01-01T00:00:00Z", "last_error": "", **unprobed},
                            {"address": "unix:/run/none.sock", "weight": 1, "health": "unknown",
                             "since": "2026-01-01T00:00:00Z", "last_error": "", **unprobed}]}}}}}


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
                refused = request(nginx.port, "/bluegreen/status", method, b"x")
                assert refused.status == 405 and refused.headers["Allow"] == "GET, HEAD"


def test_format_is_that_of_the_query_then_of_the_directive_then_of_the_accept_header() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        metrics, open_metrics = "text/plain; version=0.0.4; charset=utf-8", (
            "application/openmetrics-text; version=1.0.0; charset=utf-8")
        text = region.http(free_port(), blue.address).replace(
            "location = /bluegreen/status", "location = /metrics { bluegreen_status prometheus; }\n"
            "        location = /bluegreen/status")
        with Nginx(folder, text) as nginx:
            def kind(path: str, accept: str) -> str:
                return request(nginx.port, path, headers={"Accept": accept}).headers["Content-Type"]

            assert kind("/bluegreen/status", "*/*") == "application/json"
            assert kind("/bluegreen/status", "text/plain;version=0.0.4") == metrics
            assert kind("/bluegreen/status", "application/openmetrics-text;version=1.0.0") == open_metrics
            assert kind("/metrics", "application/json") == metrics
            assert kind("/metrics?format=openmetrics", "*/*") == open_metrics
            assert kind("/metrics?format=json", "text/plain") == "application/json"
            assert kind("/bluegreen/status", "text/html,*/*;q=0.8") == "text/html; charset=utf-8"
            unknown = request(nginx.port, "/metrics?format=yaml")
            assert unknown.status == 400 and "expected json" in json.loads(unknown.body)["error"]


def test_page_is_served_with_the_policy_of_its_own_style_and_script() -> None:
    with work_folder() as folder:
        region = Region(folder)
        with Nginx(folder, region.http(free_port())) as nginx:
            page = request(nginx.port, "/bluegreen/status?format=html")
            policy = page.headers["Content-Security-Policy"]
            assert page.status == 200 and "default-src 'none'" in policy and "unsafe" not in policy
            for tag in (b"style", b"script"):
                text = re.search(rb"<%s>(.*?)</%s>" % (tag, tag), page.body, re.DOTALL)
                digest = base64.b64encode(hashlib.sha256(text[1]).digest()).decode()
                assert f"{tag.decode()}-src 'sha256-{digest}'" in policy
            head = request(nginx.port, "/bluegreen/status?format=html", "HEAD")
            assert head.headers["Content-Length"] == str(len(page.body)) and head.body == b""


def test_one_application_is_shown_by_its_name_and_an_unknown_one_gets_404() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        with Nginx(folder, region.http(free_port(), blue.address)) as nginx:
            assert list(nginx.status("/bluegreen/status?app=%61pp")["apps"]) == ["app"]
            for name in ("other", "", "ap", "app%00", "%22%3Cscript"):
                unknown = request(nginx.port, f"/bluegreen/status?app={name}")
                assert unknown.status == 404 and json.loads(unknown.body) == {"error": "no such application"}


def test_region_that_cannot_be_seen_is_503_with_the_reason_unless_something_was_accepted() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port())) as nginx:
            assert nginx.get("/").status == 200
            os.truncate(region.control, 100)
            until(lambda: nginx.status()["control"]["state"] == "damaged", "it still serves what it accepted")
        region.telemetry.unlink()
        with Nginx(folder, region.http(free_port(), blue.address)) as nginx:
            got = request(nginx.port, "/bluegreen/status")
            control = json.loads(got.body)["control"]
            assert got.status == 503 and control["state"] == "damaged" and control["reason"]
            metrics = request(nginx.port, "/bluegreen/status?format=prometheus")
            assert metrics.status == 503 and b"\nbluegreen_control_ok 0\n" in metrics.body
            assert nginx.get("/").status == 503


def test_document_is_made_once_a_second_however_many_ask() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        text = region.http(free_port(), blue.address).replace("bluegreen_status cache=0;", "bluegreen_status;")
        with Nginx(folder, text) as nginx:
            begin = time.monotonic()
            made, asked = set(), 0
            while len(made) < 3:
                made.add(nginx.status()["now"])
                asked += 1
            assert time.monotonic() - begin > 1.8 and asked > 20


def test_metrics_satisfy_promtool_and_count_what_the_document_counts() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port())) as nginx:
            for _ in range(3):
                nginx.get("/")
            text = request(nginx.port, "/bluegreen/status?format=prometheus").body.decode()
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=False,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
            assert checked.returncode == 0 and checked.stdout == "", checked.stdout
            lines = text.splitlines()
            assert "bluegreen_flipped_timestamp_seconds{" not in text and nginx.status()["apps"]["app"]["flipped"] is None
            assert 'bluegreen_requests_total{app="app",color="blue"} 3' in lines
            assert 'bluegreen_active{app="app",color="blue"} 1' in lines
            assert 'bluegreen_release_info{app="app",color="blue",release="v1"} 1' in lines
            assert "bluegreen_control_ok 1" in lines
            ended = request(nginx.port, "/bluegreen/status?format=openmetrics").body
            assert ended.endswith(b"\n# EOF\n")
            region.switch("green")
            text = request(nginx.port, "/bluegreen/status?format=prometheus").body.decode()
            (flipped,) = re.findall('^bluegreen_flipped_timestamp_seconds{app="app"} ([0-9.]+)$', text, re.MULTILINE)
            assert abs(float(flipped) - time.time()) < 10


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
