"""Hold and release: requests wait in NGINX, without an upstream connection, and go on in order."""

import os
import signal
import subprocess
import threading
import time

import pytest

from harness import (AsyncBackend, Connection, Nginx, NginxBackend, Region, WebSocket, free_port, often, until,
                     work_folder)

MORE = """
    location /unbuffered { proxy_pass http://app/; proxy_request_buffering off; proxy_http_version 1.1; }
    location /variable { set $name app; proxy_pass http://$name/; }
    location /variable_unbuffered { set $name app; proxy_pass http://$name/; proxy_request_buffering off;
                                    proxy_http_version 1.1; }
    location = /check { internal; proxy_pass http://app/; proxy_pass_request_body off;
                        proxy_set_header Content-Length ""; }
    location /authorized { auth_request /check; proxy_pass http://app/; }
    location /ws { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
                   proxy_set_header Connection upgrade; }
    location /static { return 200 "static"; }
    location /accel { proxy_pass http://app; }
    location /mirrored { mirror /check; proxy_pass http://app/gate; }
    location /sorry { error_page 503 /app/sorry; proxy_pass http://app/; }
    location /if { root /nowhere; if ($arg_go) { proxy_pass http://app; } }
"""


class Stage:
    def __init__(self, folder, upstream: str = "", **more: object) -> None:
        self.blue, self.green = AsyncBackend("blue"), AsyncBackend("green")
        self.region = Region(folder)
        self.region.init()
        self.region.publish("blue", "v1", [self.blue.address])
        self.region.publish("green", "v2", [self.green.address])
        http = self.region.http(free_port(), upstream=f"{upstream} keepalive 16;", more=MORE)
        self.nginx = Nginx(folder, http, **more)

    def __enter__(self) -> "Stage":
        self.blue.__enter__()
        self.green.__enter__()
        self.nginx.start()
        return self

    def __exit__(self, *about: object) -> None:
        try:
            self.nginx.__exit__(*about)
        finally:
            self.blue.__exit__()
            self.green.__exit__()

    def figures(self, color: str = "blue") -> dict:
        return self.nginx.status()["apps"]["app"]["colors"][color]

    def waits(self, count: int) -> None:
        until(lambda: sum(self.figures(color)["waiting"] for color in ("blue", "green")) == count,
              f"{count} requests wait")

    def ask(self, path: str = "/", *arguments: object, **more: object) -> Connection:
        client = Connection(self.nginx.port)
        client.ask(path, *arguments, **more)
        return client


@pytest.fixture
def stage():
    with work_folder() as folder, Stage(folder) as stage:
        yield stage


def connections_to(port: int) -> int:
    """Established connections with that port at the other end, as the kernel has them now."""
    remote = f":{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        return sum(1 for line in list(table)[1:]
                   if line.split()[2].endswith(remote) and line.split()[3] == "01")


def test_held_requests_wait_without_an_upstream_connection_and_go_on_in_order(stage) -> None:
    stage.region.hold(60)
    clients = []
    for i in range(20):
        clients.append(stage.ask(f"/{i}"))
        stage.waits(i + 1)
    assert connections_to(stage.blue.port) == 0 and not stage.blue.seen
    assert stage.nginx.in_flight() == (0, 0)
    document = stage.nginx.status()["apps"]["app"]
    assert document["flags"] == ["hold"] and 0 < document["hold"]["left_ms"] <= 60001
    stage.region.release()
    for client in clients:
        assert client.answer().headers["X-Color"] == "blue"
        client.close()
    assert stage.blue.seen == [f"GET /{i}" for i in range(20)]
    stage.waits(0)
    assert "hold" not in stage.nginx.status()["apps"]["app"]


def test_request_that_waited_says_so_in_its_reason(stage) -> None:
    stage.region.hold(60)
    client = stage.ask("/static")
    assert client.answer().body == b"static"  # leads nowhere of ours
    client.ask("/")
    stage.waits(1)
    stage.region.release()
    assert client.answer().status == 200
    client.close()
    log = (stage.region.control.parent / "routed.log").read_text()
    assert '200 "blue"' in log


def test_hold_flip_close_and_release_brings_all_to_the_new_color(stage) -> None:
    stage.region.hold(60)
    clients = [stage.ask(f"/{i}") for i in range(30)]
    stage.waits(30)
    stage.region.switch("green")
    stage.region.close("blue")
    assert stage.figures("blue")["waiting"] == 30  # the hold went on
    stage.region.release()
    for client in clients:
        assert client.answer().headers["X-Color"] == "green"
        client.close()
    assert not stage.blue.seen and len(stage.green.seen) == 30


def test_new_request_does_not_overtake_those_that_wait(stage) -> None:
    stage.region.hold(60)
    clients = [stage.ask(f"/{i}") for i in range(300)]  # more than one batch
    stage.waits(300)
    stage.region.release()
    last = stage.ask("/last")
    for client in [*clients, last]:
        assert client.answer().status == 200
        client.close()
    arrived = stage.blue.seen.index("GET /last")
    assert arrived >= 290, arrived  # the backend accepts connections in an order of its own


def test_deadline_ends_a_hold_that_nobody_releases(stage) -> None:
    begin = time.monotonic()
    stage.region.hold(1.5)
    with stage.ask() as client:
        assert client.answer().status == 200
    took = time.monotonic() - begin
    assert took >= 1.4
    assert stage.nginx.sanitized or took < 4
    assert stage.nginx.get("/").status == 200
    until(lambda: 'the hold of application "app" is over' in stage.nginx.error_log, "the log says so")


@pytest.mark.parametrize("fault, why", [("boot", "it was made before this boot"), ("crc", "its ticket is damaged")])
def test_ticket_that_does_not_count_holds_nothing_and_is_said_once(stage, fault, why) -> None:
    stage.region.hold(60, fault)
    for _ in range(5):
        assert stage.nginx.get("/").status == 200
    assert stage.nginx.error_log.count(f'the hold of application "app" does not count: {why}') == 1
    assert "hold" not in stage.nginx.status()["apps"]["app"]


def test_time_limit_ends_with_503_and_retry_after() -> None:
    with work_folder() as folder, Stage(folder, "bluegreen_hold timeout=300ms retry_after=7s;") as stage:
        stage.region.hold(60)
        with stage.ask("/a", "POST", b"body") as client:
            answer = client.answer()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
            client.ask("/b")  # the connection lives on
            assert client.answer().status == 503
        assert stage.figures()["refused"] == 2
        stage.waits(0)
        stage.region.release()
        assert stage.nginx.get("/").status == 200
        assert '503 "-" "-" "-" "-" POST /a' in "\n".join(stage.region.routed())


def test_count_limit_ends_with_503_at_once_over_all_workers() -> None:
    with work_folder() as folder, Stage(folder, "bluegreen_hold max=5 retry_after=3s;", workers=3) as stage:
        stage.region.hold(60)
        clients = []
        for i in range(5):
            clients.append(stage.ask())
            stage.waits(i + 1)
        for _ in range(6):
            answer = stage.nginx.get("/")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "3")
        clients.pop().close()
        stage.waits(4)
        clients.append(stage.ask())
        stage.waits(5)
        stage.region.release()
        for client in clients:
            assert client.answer().status == 200
            client.close()


def test_client_that_leaves_frees_its_place(stage) -> None:
    stage.region.hold(60)
    clients = [stage.ask(f"/{i}") for i in range(5)]
    stage.waits(5)
    clients[0].close()
    clients[2].close()
    clients[4].close()
    stage.waits(2)
    stage.region.release()
    assert clients[1].answer().status == clients[3].answer().status == 200
    assert stage.blue.seen == ["GET /1", "GET /3"]
    clients[1].close()
    clients[3].close()


def test_client_that_leaves_in_the_middle_of_its_body_frees_its_place(stage) -> None:
    stage.region.hold(60)
    client = stage.ask("/", "POST", b"half", headers={"Content-Length": "1000"})
    stage.waits(1)
    client.close()
    stage.waits(0)
    stage.region.release()
    assert not stage.blue.seen


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
        assert sorted(stage.green.seen) == ["GET /other", "POST /slow"]
        until(lambda: stage.nginx.in_flight() == (0, 0), "nothing is in flight")
    line = next(line for line in stage.region.routed() if "POST /slow" in line)
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


def test_redirect_of_a_request_in_flight_is_not_held(stage) -> None:
    """A drain waits for it: to hold it would be to wait for ourselves."""
    with stage.ask("/cut") as client:
        until(lambda: stage.blue.waiting == 1, "blue has it")
        stage.region.hold(60)
        stage.blue.open_gate()
        assert client.answer().status == 502
    stage.region.release()


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


def test_reload_while_requests_wait_loses_none_of_them(stage) -> None:
    stage.region.hold(60)
    clients = [stage.ask(f"/{i}") for i in range(10)]
    stage.waits(10)
    stage.nginx.reload()
    clients += [stage.ask(f"/{i}") for i in range(10, 15)]
    stage.waits(15)
    time.sleep(0.3)
    assert stage.nginx.status()["workers"]["live"] == 2  # the old one stays for them
    stage.region.switch("green")
    stage.region.release()
    for client in clients:
        assert client.answer().headers["X-Color"] == "green"
        client.close()
    until(lambda: stage.nginx.status()["workers"]["live"] == 1, "the old worker has gone")
    stage.waits(0)


def test_killed_worker_takes_its_waiting_requests_with_it() -> None:
    with work_folder() as folder, Stage(folder, "bluegreen_hold max=4;", allowed=r"exited on signal 9") as stage:
        stage.region.hold(60)
        clients = [stage.ask() for _ in range(4)]
        stage.waits(4)
        before = stage.nginx.workers()[0]
        os.kill(before.pid, signal.SIGKILL)
        until(lambda: stage.nginx.workers() and stage.nginx.workers()[0] != before, "a new worker")
        for client in clients:
            client.close()
        stage.waits(0)
        client = stage.ask()
        stage.waits(1)
        stage.region.release()
        assert client.answer().status == 200
        client.close()


def test_damaged_word_keeps_the_hold_until_its_deadline(stage) -> None:
    stage.region.hold(2)
    with stage.ask() as client:
        stage.waits(1)
        whole = stage.region.damage("word")
        time.sleep(0.2)
        assert stage.nginx.status()["apps"]["app"]["colors"]["blue"]["waiting"] == 1
        assert client.answer().headers["X-Color"] == "blue"
    stage.region.restore(whole)


def test_hold_and_release_under_load_loses_and_misroutes_nothing(figures) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        failed, asked = [], [0]
        done = threading.Event()
        with Nginx(folder, region.http(free_port(), top="keepalive_requests 1000000;"), workers=2) as nginx:
            def client() -> None:
                with Connection(nginx.port) as connection:
                    while not done.is_set():
                        connection.ask("/", "POST", b"body")
                        answer = connection.answer()
                        asked[0] += 1
                        if answer.status != 200:
                            failed.append(answer.status)

            threads = [threading.Thread(target=client) for _ in range(8)]
            for thread in threads:
                thread.start()
            wrong = 0
            for i in range(often(20)):
                old, new = ("blue", "green") if i % 2 == 0 else ("green", "blue")
                region.hold(30)
                until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight", every=0.002)
                before = len((blue if old == "blue" else green).requests())
                region.switch(new)
                region.close(old)
                region.release()
                wrong += len((blue if old == "blue" else green).requests()) - before
            done.set()
            for thread in threads:
                thread.join(20)
            assert not failed and wrong == 0
            assert nginx.in_flight() == (0, 0)
            assert nginx.status()["apps"]["app"]["colors"]["blue"]["waiting"] == 0
            figures(holds=often(20), requests=asked[0], failed=len(failed), misrouted=wrong)
