"""In-flight accounting: 1 while a request is on its way, 0 when it has ended, however it ends."""

import os
import signal
import struct
import subprocess
import time

import pytest

from harness import AsyncBackend, Connection, Nginx, Region, WebSocket, free_port, program, until, work_folder

LOCATIONS = """
    location /unbuffered { proxy_pass http://app/gate; proxy_request_buffering off; proxy_http_version 1.1; }
    location /timeout { proxy_pass http://app/gate; proxy_read_timeout 300ms; }
    location /ten { proxy_pass http://app/gate; proxy_http_version 1.0; }
    location /ws { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
                   proxy_set_header Connection upgrade; }
    location /error { proxy_pass http://app/status/500; proxy_intercept_errors on; error_page 500 = /gate; }
    location /mirrored { mirror /copy; proxy_pass http://app/; }
    location = /copy { internal; proxy_pass http://app/gate; }
    location /authorized { auth_request /copy; proxy_pass http://app/; }
    location /refused { proxy_pass http://app/close; }
"""


@pytest.fixture(scope="module")
def stage():
    with work_folder() as folder, AsyncBackend("blue") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port(), more=LOCATIONS)) as nginx:
            yield nginx, blue


def gone(nginx: Nginx) -> None:
    until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more")


def held(nginx: Nginx, blue: AsyncBackend) -> None:
    until(lambda: blue.waiting == 1, "the upstream has the request")
    assert nginx.in_flight() == (1, 0)


# name, how to ask; each reaches the backend's gate and is counted once until it is opened
THROUGH_THE_GATE = {
    "plain": dict(path="/gate"),
    "post with a body": dict(path="/gate", method="POST", body=b"x" * 100000),
    "request buffering off": dict(path="/unbuffered", method="POST", body=b"x" * 1000),
    "HTTP/1.0 client": dict(path="/gate", version="1.0"),
    "HTTP/1.0 upstream": dict(path="/ten"),
    "response has begun": dict(path="/stream"),
    "error_page to another request": dict(path="/error"),
    "X-Accel-Redirect": dict(path="/accel?to=/gate"),
    "mirror subrequest outlives the answer": dict(path="/mirrored"),
    "auth_request subrequest": dict(path="/authorized"),
}


@pytest.mark.parametrize("case", THROUGH_THE_GATE)
def test_request_is_counted_once_until_it_has_ended(stage, case) -> None:
    nginx, blue = stage
    with Connection(nginx.port) as client:
        client.ask(**THROUGH_THE_GATE[case])
        held(nginx, blue)
        blue.open_gate()
        assert client.answer().status == 200
        gone(nginx)


@pytest.mark.parametrize("path", ["/gate", "/stream"])
def test_request_whose_client_leaves_is_not_counted_any_more(stage, path) -> None:
    nginx, blue = stage
    client = Connection(nginx.port)
    client.ask(path)
    held(nginx, blue)
    client.close()
    gone(nginx)
    blue.open_gate()


def test_half_sent_body_without_buffering_is_counted_until_the_client_leaves(stage) -> None:
    nginx, _ = stage
    client = Connection(nginx.port)
    client.ask("/unbuffered", "POST", b"half", {"Content-Length": "1000"})
    until(lambda: nginx.in_flight() == (1, 0), "the request is in flight")
    client.close()
    gone(nginx)


def test_upstream_that_times_out_ends_the_request(stage) -> None:
    nginx, blue = stage
    with Connection(nginx.port) as client:
        client.ask("/timeout")
        held(nginx, blue)
        assert client.answer().status == 504
        gone(nginx)
    blue.open_gate()


def test_upstream_that_closes_without_an_answer_ends_the_request(stage) -> None:
    nginx, _ = stage
    assert nginx.get("/refused").status == 502
    gone(nginx)


def test_websocket_is_counted_until_it_closes(stage) -> None:
    nginx, _ = stage
    with WebSocket(nginx.port) as socket:
        assert socket.handshake.status == 101
        assert socket.echo("hello") == "hello"
        assert nginx.in_flight() == (1, 0)
        assert socket.echo("again") == "again"
    gone(nginx)


def test_requests_counter_counts_admitted_requests_once(stage) -> None:
    nginx, _ = stage
    before = nginx.status()["apps"]["app"]["colors"]["blue"]["requests"]
    for _ in range(7):
        nginx.get("/")
    assert nginx.status()["apps"]["app"]["colors"]["blue"]["requests"] == before + 7


def test_refused_upstream_is_not_counted_for_ever() -> None:
    with work_folder() as folder:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [f"127.0.0.1:{free_port()}"])
        with Nginx(folder, region.http(free_port())) as nginx:
            assert nginx.get("/").status == 502
            gone(nginx)


def test_killed_worker_takes_its_requests_with_it_and_its_successor_begins_at_0() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port()), allowed=r"exited on signal 9") as nginx:
            nginx.get("/")
            client = Connection(nginx.port)
            client.ask("/gate")
            held(nginx, blue)
            before = nginx.workers()[0]
            os.kill(before.pid, signal.SIGKILL)
            until(lambda: any(worker != before for worker in nginx.workers()), "a new worker")
            until(lambda: nginx.in_flight() == (0, 0), "the dead worker's request is not counted")
            figures = nginx.status()["apps"]["app"]["colors"]["blue"]
            assert figures["requests"] == 2  # counters run on
            assert nginx.status()["workers"]["live"] == 1
            blue.open_gate()


def test_old_worker_keeps_its_slot_through_a_reload_until_its_requests_end() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port())) as nginx, Connection(nginx.port) as client:
            client.ask("/gate")
            held(nginx, blue)
            nginx.reload()
            status = nginx.status()
            assert status["workers"]["live"] == status["workers"]["attached"] == 2
            assert nginx.in_flight() == (1, 0)
            blue.open_gate()
            assert client.answer().status == 200
            until(lambda: nginx.status()["workers"]["live"] == 1, "the old worker has gone")
            assert nginx.in_flight() == (0, 0)


def test_telemetry_replaced_while_a_request_is_in_flight_gets_its_gauge() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port())) as nginx, Connection(nginx.port) as client:
            client.ask("/gate")
            held(nginx, blue)
            os.unlink(region.telemetry)
            nginx.reload()  # the master makes it anew, the old worker moves into it
            until(lambda: nginx.status()["workers"]["live"] == 2, "both workers are in the new file")
            assert nginx.in_flight() == (1, 0)
            blue.open_gate()
            assert client.answer().status == 200
            gone(nginx)


def withdrawn(region: Region) -> int:
    """Announcements that slot 0 took back for application 0, both colors (telemetry_region.hpp)."""
    content = region.telemetry.read_bytes()
    return sum(struct.unpack_from("<Q", content, 1331200 + 128 + color * 128 + 10 * 8)[0] for color in (0, 1))


def test_requests_under_a_storm_of_closing_words_withdraw_move_and_leave_gauges_at_0() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue, AsyncBackend("green") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        with Nginx(folder, region.http(free_port(), top="keepalive_requests 1000000;")) as nginx:
            storm = subprocess.Popen([program("route_tool"), "storm", region.control, "app", "40"])
            statuses = []
            begin = time.monotonic()
            with Connection(nginx.port) as client:  # the two must run at one moment: that may take a while
                while time.monotonic() < begin + 1 or (not withdrawn(region) and time.monotonic() < begin + 35):
                    for _ in range(200):
                        client.ask("/")
                        statuses.append(client.answer().status)
            storm.kill()
            storm.wait(10)
            assert set(statuses) <= {200, 503} and statuses.count(200) > len(statuses) * 0.9, statuses
            assert withdrawn(region) > 0
            gone(nginx)
