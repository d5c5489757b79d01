"""Hold for each kind of request: bodies, late ones that had passed the gate, subrequests, protocols."""

import subprocess
import threading
import time

import pytest

from harness import Connection, WebSocket, free_port, until, work_folder
from hold_stage import Stage, connections_to, stage  # noqa: F401 (a fixture)


@pytest.mark.parametrize("path", ["/", "/unbuffered", "/variable"])
def test_post_body_arrives_whole_after_a_hold(stage, path) -> None:
    body = b"x" * 300000
    stage.region.hold(60)
    client = Connection(stage.nginx.port)
    sender = threading.Thread(target=client.ask, args=(path, "POST", body))
    sender.start()  # nobody reads it while it waits
    stage.waits(1)
    stage.region.release()
    sender.join(10)
    assert client.answer().status == 200
    assert client.sock is not None
    client.ask("/again")
    assert client.answer().status == 200
    client.close()
    assert stage.nginx.in_flight() == (0, 0)


def test_chunked_body_arrives_whole_after_a_hold(stage) -> None:
    stage.region.hold(60)
    with Connection(stage.nginx.port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n")
        stage.waits(1)
        client.send(b"3\r\nefg\r\n0\r\n\r\n")
        stage.region.release()
        assert client.answer().status == 200


def test_slow_upload_that_passed_before_the_hold_is_parked_and_begins_anew(stage) -> None:
    with Connection(stage.nginx.port) as client:
        client.ask("/slow", "POST", b"first", {"Content-Length": "10"})
        until(lambda: not stage.blue.seen, "NGINX waits for the body")
        time.sleep(0.05)
        stage.region.hold(60)
        other = stage.ask("/other")
        stage.waits(1)
        client.send(b"other")
        stage.waits(2)
        assert not stage.blue.seen and stage.nginx.in_flight() == (0, 0)
        stage.region.switch("green")
        stage.region.release()
        assert client.answer().headers["X-Color"] == "green"
        assert other.answer().headers["X-Color"] == "green"
        other.close()
        assert stage.green.seen == ["POST /slow", "GET /other"]  # it came first
        until(lambda: stage.nginx.in_flight() == (0, 0), "nothing is in flight")
    line = until(lambda: [line for line in stage.region.routed() if "POST /slow" in line], "it is in the log")[0]
    assert line == f'200 "green" "6" "v2" "{stage.green.address}" POST /slow HTTP/1.1'


def test_proxy_pass_with_a_variable_is_held_too(stage) -> None:
    stage.region.hold(60)
    clients = [stage.ask(f"/variable?{i}") for i in range(3)]
    stage.waits(3)
    assert connections_to(stage.blue.port) == 0
    stage.region.hold(60)  # prolonged
    stage.region.release()
    for client in clients:
        assert client.answer().status == 200
        client.close()
    clients = [stage.ask("/variable", "POST", b"body")]
    assert clients[0].answer().status == 200
    clients[0].close()


def test_proxy_pass_with_a_variable_and_no_request_buffering_is_refused(stage) -> None:
    stage.region.hold(60)
    with stage.ask("/variable_unbuffered", "POST", b"half", headers={"Content-Length": "8"}) as client:
        answer = client.answer()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    whole = stage.ask("/variable_unbuffered", "POST", b"all of it")  # NGINX has it: nothing can be lost
    none = stage.ask("/variable_unbuffered")
    stage.waits(2)
    stage.region.release()
    for client in (whole, none):
        assert client.answer().status == 200
        client.close()
    assert stage.nginx.in_flight() == (0, 0)


def test_late_request_with_a_cache_gives_its_entry_back_and_asks_again(stage) -> None:
    for entry in ("MISS", "EXPIRED"):
        stage.region.hold(60)
        clients = [stage.ask("/variable_cached/x")]
        stage.waits(1)
        clients += [stage.ask("/variable_cached/x") for _ in range(2)]
        stage.waits(3)
        stage.region.release()
        assert clients[0].answer().headers["X-Cache"] == entry
        for client in clients[1:]:
            assert client.answer().status == 200
        for client in clients:
            client.close()
        assert stage.nginx.get("/variable_cached/x").headers["X-Cache"] == "HIT"
        time.sleep(2.1)  # NGINX's cache counts in seconds


def test_late_client_that_leaves_frees_its_place(stage) -> None:
    stage.region.hold(60)
    client = stage.ask("/variable", "POST", b"x" * 100000)
    stage.waits(1)
    client.close()
    stage.waits(0)
    stage.region.release()
    assert stage.nginx.get("/").status == 200


def test_time_limit_of_a_late_request() -> None:
    with work_folder() as folder, Stage(folder, "bluegreen_hold timeout=200ms;") as stage:
        stage.region.hold(60)
        with stage.ask("/variable", "POST", b"body") as client:
            assert client.answer().status == 503
            client.ask("/static")
            assert client.answer().status == 200


def test_subrequest_is_held_and_its_request_goes_on(stage) -> None:
    stage.region.hold(60)
    with stage.ask("/authorized", "POST", b"body") as client:
        stage.waits(1)
        assert not stage.blue.seen
        stage.region.release()
        assert client.answer().status == 200
    assert len(stage.blue.seen) == 2


def test_subrequest_of_a_request_in_flight_is_not_held(stage) -> None:
    with stage.ask("/accel?to=/gate") as client:
        until(lambda: stage.blue.waiting == 1, "blue has it")
        stage.region.hold(60)
        other = stage.ask()
        stage.waits(1)
        stage.blue.open_gate()
        assert client.answer().status == 200
        stage.region.release()
        assert other.answer().status == 200
        other.close()


@pytest.mark.parametrize("path", ["/to_app", "/to_variable"])
def test_redirect_of_a_request_in_flight_is_not_held(stage, path) -> None:
    """A drain waits for it: to hold it would be to wait for ourselves."""
    with stage.ask(path) as client:
        until(lambda: stage.blue.waiting == 1, "blue has it")
        stage.region.hold(60)
        stage.blue.open_gate()
        assert client.answer().status == 200
    stage.region.release()


def test_background_subrequest_waits_when_its_request_has_been_answered(stage) -> None:
    stage.region.hold(60)
    with stage.ask("/background") as client:
        assert client.answer().status == 200
        stage.waits(1)
    gone = stage.ask("/background")
    assert gone.answer().status == 200
    stage.waits(2)
    gone.close()  # NGINX does not look at a client that it has answered
    stage.region.release()
    stage.waits(0)
    until(lambda: stage.blue.seen.count("GET /") == 2 + 2, "both reached the application")
    until(lambda: stage.nginx.in_flight() == (0, 0), "nothing is in flight")


def test_error_page_of_a_refused_request_does_not_wait_again() -> None:
    with work_folder() as folder, Stage(folder, "bluegreen_hold timeout=200ms;") as stage:
        stage.region.hold(60)
        begin = time.monotonic()
        with stage.ask("/sorry") as client:
            answer = client.answer()
        assert answer.status == 503 and answer.headers["Retry-After"] == "1"
        assert stage.nginx.sanitized or time.monotonic() - begin < 1.5


def test_proxy_pass_in_an_if_block_is_held(stage) -> None:
    stage.region.hold(60)
    assert stage.nginx.get("/if").status == 404
    with stage.ask("/if?go=1") as client:
        stage.waits(1)
        stage.region.release()
        assert client.answer().status == 200


def test_websocket_is_held_and_then_upgraded(stage) -> None:
    stage.region.hold(60)
    found = []
    thread = threading.Thread(target=lambda: found.append(WebSocket(stage.nginx.port)))
    thread.start()
    stage.waits(1)
    stage.region.release()
    thread.join(10)
    with found[0] as socket:
        assert socket.handshake.status == 101 and socket.echo("hello") == "hello"


def test_keepalive_connection_waits_again_and_again(stage) -> None:
    with Connection(stage.nginx.port) as client:
        for _ in range(5):
            stage.region.hold(60)
            client.ask("/")
            stage.waits(1)
            stage.region.release()
            assert client.answer().status == 200


def test_http2_bodies_that_passed_the_gate_arrive_whole() -> None:
    with work_folder() as folder:
        port = free_port()
        (folder / "body").write_bytes(b"x" * 200000)
        with Stage(folder) as stage:
            stage.nginx.stop()
            stage.nginx.http += (f"server {{ listen 127.0.0.1:{port} http2; "
                                 "location / { set $name app; proxy_pass http://$name; } }\n")
            stage.nginx.start()
            stage.region.hold(60)
            run = subprocess.Popen(["h2load", "-n", "6", "-c", "2", "-m", "3", "-d", folder / "body",
                                    f"http://127.0.0.1:{port}/h2"], stdout=subprocess.PIPE, text=True)
            stage.waits(6)
            assert not stage.blue.seen
            stage.region.release()
            out, _ = run.communicate(timeout=20)
            assert "6 succeeded" in out and "status codes: 6 2xx" in out, out
            assert stage.blue.seen == ["POST /h2"] * 6


def test_http2_streams_wait_and_a_killed_client_frees_their_places() -> None:
    with work_folder() as folder:
        port = free_port()
        with Stage(folder) as stage:
            stage.nginx.stop()
            stage.nginx.http += f"server {{ listen 127.0.0.1:{port} http2; location / {{ proxy_pass http://app; }} }}\n"
            stage.nginx.start()
            url = f"http://127.0.0.1:{port}/h2"
            stage.region.hold(60)
            stays = subprocess.Popen(["h2load", "-n", "20", "-c", "1", "-m", "20", url], stdout=subprocess.PIPE, text=True)
            leaves = subprocess.Popen(["h2load", "-n", "5", "-c", "1", "-m", "5", url], stdout=subprocess.DEVNULL)
            stage.waits(25)
            leaves.kill()
            leaves.wait(10)
            stage.waits(20)
            stage.region.release()
            out, _ = stays.communicate(timeout=20)
            assert "20 succeeded" in out, out
            assert len(stage.blue.seen) == 20
