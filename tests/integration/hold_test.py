"""Hold and release: requests wait in NGINX, without an upstream connection, and go on in order."""

import os
import signal
import threading
import time

import pytest

from harness import Connection, Nginx, NginxBackend, Region, free_port, often, until, work_folder
from hold_stage import Stage, connections_to, stage  # noqa: F401 (a fixture)


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
    with stage.ask("/static") as client:
        assert client.answer().body == b"static"  # leads nowhere of ours
        for path in ("/waited", "/variable"):
            client.ask(path)
            stage.waits(1)
            stage.region.release()
            assert client.answer().status == 200
            stage.region.hold(60)
        stage.region.release()
        client.ask("/did_not")
        assert client.answer().status == 200
    for line in ("- - 200 /static", "hold blue 200 /waited", "hold blue 200 /variable", "active blue 200 /did_not"):
        until(lambda line=line: line in stage.reasons(), line)


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
    clients = [stage.ask(f"/{i}") for i in range(300)]  # more than go on at a time
    stage.waits(300)
    worker = stage.nginx.workers()[0].pid
    os.kill(worker, signal.SIGSTOP)  # the release and the new request are met in one turn
    try:
        stage.region.release()
        last = stage.ask("/last")
    finally:
        os.kill(worker, signal.SIGCONT)
    for client in [*clients, last]:
        assert client.answer().status == 200
        client.close()
    until(lambda: "hold blue 200 /last" in stage.reasons(), "nothing holds any more, and it has stood in line")


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
        until(lambda: "hold - 503 /a" in stage.reasons(), "the log says why")


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


def test_client_that_has_left_before_its_request_is_read_takes_no_place(stage) -> None:
    stage.region.hold(60)
    with stage.ask("/waits"):
        stage.waits(1)
        worker = stage.nginx.workers()[0].pid
        os.kill(worker, signal.SIGSTOP)  # request and end of the connection become one event
        try:
            for _ in range(20):
                stage.ask("/gone").close()
        finally:
            os.kill(worker, signal.SIGCONT)
        until(lambda: sum("/gone" in line for line in stage.reasons()) == 20, "all 20 have been seen off")
        assert stage.figures("blue")["waiting"] == 1
        stage.region.release()


def test_client_that_leaves_in_the_middle_of_its_body_frees_its_place(stage) -> None:
    stage.region.hold(60)
    client = stage.ask("/", "POST", b"half", headers={"Content-Length": "1000"})
    stage.waits(1)
    client.close()
    stage.waits(0)
    stage.region.release()
    assert not stage.blue.seen


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


def test_worker_shutdown_timeout_ends_the_wait_of_an_old_worker() -> None:
    with work_folder() as folder, Stage(folder, main="worker_shutdown_timeout 500ms;") as stage:
        stage.region.hold(60)
        clients = [stage.ask(), stage.ask("/variable")]
        stage.waits(2)
        stage.nginx.reload()
        until(lambda: all(client.closed() for client in clients), "NGINX closes them, as it was told")
        stage.waits(0)
        until(lambda: stage.nginx.status()["workers"]["live"] == 1, "the old worker has gone")
        stage.region.release()


def test_killed_worker_takes_its_waiting_requests_with_it() -> None:
    with work_folder() as folder, Stage(folder, "bluegreen_hold max=4;", allowed=r"exited on signal 9") as stage:
        stage.region.hold(60)
        clients = [stage.ask() for _ in range(4)]
        stage.waits(4)
        before = stage.nginx.workers()[0]
        os.kill(before.pid, signal.SIGKILL)
        until(lambda: any(worker != before for worker in stage.nginx.workers()), "a new worker")
        for client in clients:
            client.close()
        stage.waits(0)
        client = stage.ask()
        stage.waits(1)
        stage.region.release()
        assert client.answer().status == 200
        client.close()


def test_requests_of_a_worker_that_was_killed_while_it_shut_down_take_no_place() -> None:
    with work_folder() as folder, Stage(folder, "bluegreen_hold max=4;", allowed=r"exited on signal 9") as stage:
        stage.region.hold(60)
        clients = [stage.ask() for _ in range(4)]
        stage.waits(4)
        stage.nginx.reload()
        assert stage.nginx.get("/").status == 503
        old = next(worker for worker in stage.nginx.workers() if worker.leaving)
        os.kill(old.pid, signal.SIGKILL)  # nobody takes its slot, so nobody sets its gauges to 0
        until(lambda: len(stage.nginx.workers()) == 1, "the old worker is gone")
        stage.waits(0)  # a dying process has no command line any more, and still its locks
        for client in clients:
            client.close()
        clients = [stage.ask() for _ in range(4)]
        stage.waits(4)
        assert stage.nginx.get("/").status == 503
        stage.region.release()
        for client in clients:
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
            until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight")
            assert nginx.status()["apps"]["app"]["colors"]["blue"]["waiting"] == 0
            figures(holds=often(20), requests=asked[0], failed=len(failed), misrouted=wrong)


def test_many_that_wait_are_all_answered_and_cost_little(figures) -> None:
    count = often(1000)
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        with Nginx(folder, region.http(free_port()), workers=8) as nginx:
            def waiting() -> int:
                return nginx.status()["apps"]["app"]["colors"]["blue"]["waiting"]

            region.hold(120)
            before = sum(worker.rss_kib for worker in nginx.workers())
            clients = []
            for _ in range(count):
                clients.append(Connection(nginx.port))
                clients[-1].ask()
            until(lambda: waiting() == count, "all wait", 60)
            each = (sum(worker.rss_kib for worker in nginx.workers()) - before) / count
            region.switch("green")
            begin = time.monotonic()
            region.release()
            colors = {client.answer().headers["X-Color"] for client in clients}
            took = time.monotonic() - begin
            for client in clients:
                client.close()
            assert colors == {"green"} and not blue.requests() and waiting() == 0
            figures(waiting=count, kib_each=round(each, 1), released_ms=round(took * 1000))
            assert nginx.sanitized or (each < 40 and took < 0.002 * count + 1)
