"""Several endpoints a color: weights, least connections, failures, slow start, and tables that come and go."""

import collections
import contextlib

import pytest

from harness import AsyncBackend, Connection, Nginx, NginxBackend, Region, free_port, until, work_folder

UPSTREAM = "add_header X-Upstream $upstream_addr always;"


@contextlib.contextmanager
def stage(count: int, kind=AsyncBackend):
    with work_folder() as folder, contextlib.ExitStack() as stack:
        backends = [stack.enter_context(kind("blue", chr(ord("a") + i))) for i in range(count)]
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [backend.address for backend in backends])
        yield folder, region, backends


def order(nginx: Nginx, count: int, path: str = "/") -> str:
    return "".join(nginx.get(path).headers["X-Release"] for _ in range(count))


def test_least_conn_takes_the_endpoint_with_the_fewest_requests() -> None:
    with stage(2) as (folder, region, (a, b)):
        upstream = "bluegreen_balance least_conn; keepalive 16;"
        with Nginx(folder, region.http(free_port(), upstream=upstream)) as nginx, contextlib.ExitStack() as stack:
            assert order(nginx, 4) == "abab"
            clients = [stack.enter_context(Connection(nginx.port)) for _ in range(3)]
            for i, client in enumerate(clients):
                client.ask("/gate")
                until(lambda n=i: a.waiting + b.waiting == n + 1, "a backend has the request")
            assert sorted([a.waiting, b.waiting]) == [1, 2]
            free = "a" if a.waiting == 1 else "b"
            assert order(nginx, 4) == free * 4
            a.open_gate()
            b.open_gate()
            for client in clients:
                client.answer()
            until(lambda: nginx.in_flight() == (0, 0), "all have ended")
            assert sorted(order(nginx, 2)) == ["a", "b"]


def test_least_conn_counts_requests_that_began_before_their_table_was_replaced() -> None:
    with stage(2) as (folder, region, (a, b)):
        upstream = "bluegreen_balance least_conn; keepalive 16;"
        with Nginx(folder, region.http(free_port(), upstream=upstream)) as nginx, Connection(nginx.port) as client:
            client.ask("/gate")
            until(lambda: a.waiting + b.waiting == 1, "a backend has the request")
            free = "b" if a.waiting else "a"
            region.publish("blue", "v2", [b.address, a.address])
            assert order(nginx, 4) == free * 4
            a.open_gate()
            b.open_gate()
            client.answer()
            until(lambda: nginx.in_flight() == (0, 0), "it has ended")
            assert collections.Counter(order(nginx, 4)) == {"a": 2, "b": 2}


def test_endpoint_that_failed_is_left_out_and_asked_again_once_after_fail_timeout() -> None:
    with stage(1) as (folder, region, (alive,)):
        dead = free_port()
        region.publish("blue", "v1", [f"127.0.0.1:{dead}", alive.address])
        upstream = "bluegreen_balance round_robin fail_timeout=400ms; keepalive 16;"
        http = region.http(free_port(), upstream=upstream, location=UPSTREAM)
        with Nginx(folder, http) as nginx:
            def knocks(requests: int) -> int:
                return sum(f":{dead}" in nginx.get("/").headers["X-Upstream"] for _ in range(requests))

            assert knocks(20) == 1
            until(lambda: knocks(20) == 1, "it is asked again", 5)
            assert knocks(20) == 0
            with AsyncBackend("blue", "back", port=dead):
                until(lambda: "back" in nginx.get("/").headers["X-Release"], "it is back", 5)
                assert knocks(20) == 10


def test_endpoint_is_left_out_after_max_fails_and_never_with_max_fails_0() -> None:
    for max_fails, knocks in ((3, 3), (0, 10)):
        with stage(1) as (folder, region, (alive,)):
            dead = f"127.0.0.1:{free_port()}"
            region.publish("blue", "v1", [dead, alive.address])
            upstream = f"bluegreen_balance round_robin max_fails={max_fails}; keepalive 16;"
            with Nginx(folder, region.http(free_port(), upstream=upstream, location=UPSTREAM)) as nginx:
                seen = [nginx.get("/").headers["X-Upstream"] for _ in range(20)]
                # A failure lowers the weight for a while, as NGINX does: turns come later, not never.
                assert sum(dead in line for line in seen) == pytest.approx(knocks, abs=0 if max_fails else 2)
                assert all(alive.address in line for line in seen)


def test_answer_that_counts_as_a_failure_leaves_its_endpoint_out_on_a_cached_connection_too() -> None:
    with stage(2) as (folder, region, (a, b)):
        location = UPSTREAM + "proxy_next_upstream error http_500;"
        with Nginx(folder, region.http(free_port(), location=location)) as nginx:
            assert order(nginx, 4) == "abab"
            assert nginx.get("/status/500").status == 500  # both are tried, the last answer is passed on
            assert a.seen[-1] == b.seen[-1] == "GET /status/500"
            assert order(nginx, 4) == "bbbb"
            assert "is left out" in nginx.error_log


def test_connection_that_died_in_the_cache_does_not_count_against_its_endpoint() -> None:
    with stage(2) as (folder, region, (a, b)):
        http = region.http(free_port(), location=UPSTREAM)
        with Nginx(folder, http, level="info") as nginx:
            assert order(nginx, 4) == "abab"
            answer = nginx.get("/close", method="POST", body=b"x")
            assert answer.status == 502  # it was sent: it is not repeated
            assert "is left out" not in nginx.error_log
            assert collections.Counter(order(nginx, 4)) == {"a": 2, "b": 2}


def test_endpoint_that_stays_keeps_its_failures_when_the_table_is_replaced() -> None:
    with stage(1) as (folder, region, (alive,)):
        dead = f"127.0.0.1:{free_port()}"
        region.publish("blue", "v1", [dead, alive.address])
        with Nginx(folder, region.http(free_port(), location=UPSTREAM)) as nginx:
            seen = [nginx.get("/").headers["X-Upstream"] for _ in range(4)]
            assert sum(dead in line for line in seen) == 1
            region.publish("blue", "v2", [alive.address, dead])
            assert not any(dead in nginx.get("/").headers["X-Upstream"] for _ in range(6))
            region.publish("blue", "v3", [alive.address, f"{dead}#2"])  # a successor at the same address
            assert sum(dead in nginx.get("/").headers["X-Upstream"] for _ in range(6)) == 1


def test_flips_do_not_disturb_the_turns_of_the_endpoints() -> None:
    with stage(3) as (folder, region, _):
        with Nginx(folder, region.http(free_port())) as nginx:
            seen = ""
            for _ in range(6):
                seen += order(nginx, 1)
                region.switch("green")
                region.switch("blue")
        assert seen == "abcabc"


def test_newly_published_endpoint_rises_slowly_beside_the_others() -> None:
    with stage(2) as (folder, region, (a, b)):
        region.publish("blue", "v1", [a.address])
        upstream = "bluegreen_balance round_robin slow_start=30s; keepalive 16;"
        with Nginx(folder, region.http(free_port(), upstream=upstream)) as nginx:
            assert order(nginx, 2) == "aa"
            region.publish("blue", "v2", [a.address, b.address])
            assert order(nginx, 40).count("b") <= 4
            region.publish("blue", "v3", [b.address])  # alone it has all
            assert order(nginx, 3) == "bbb"


def test_slow_start_ends() -> None:
    with stage(2) as (folder, region, (a, b)):
        region.publish("blue", "v1", [a.address])
        upstream = "bluegreen_balance round_robin slow_start=500ms; keepalive 16;"
        with Nginx(folder, region.http(free_port(), upstream=upstream)) as nginx:
            nginx.get("/")
            region.publish("blue", "v2", [a.address, b.address])
            until(lambda: order(nginx, 10).count("b") == 5, "it has its whole share", 5)


def test_single_endpoint_is_asked_however_often_it_failed() -> None:
    with stage(0) as (folder, region, _):
        port = free_port()
        region.publish("blue", "v1", [f"127.0.0.1:{port}"])
        with Nginx(folder, region.http(free_port())) as nginx:
            assert [nginx.get("/").status for _ in range(3)] == [502] * 3
            with AsyncBackend("blue", "v1", port=port):
                assert nginx.get("/").status == 200


def test_endpoints_of_all_families_share_the_requests() -> None:
    with work_folder() as folder:
        path = folder / "app.sock"
        six = f"[::1]:{free_port()}"
        with NginxBackend("blue", "four") as four, NginxBackend("blue", "six", listen=six), \
                NginxBackend("blue", "unix", listen=f"unix:{path}"):
            region = Region(folder)
            region.init()
            region.publish("blue", "v1", [four.address, six, f"unix:{path}"])
            with Nginx(folder, region.http(free_port(), location=UPSTREAM)) as nginx:
                answers = [nginx.get("/") for _ in range(9)]
                assert collections.Counter(a.headers["X-Release"] for a in answers) == {"four": 3, "six": 3, "unix": 3}
                assert {a.headers["X-Upstream"] for a in answers} == {four.address, six, f"unix:{path}"}


def test_all_endpoints_are_asked_again_at_once_when_all_have_failed() -> None:
    with stage(0) as (folder, region, _):
        ports = [free_port(), free_port()]
        region.publish("blue", "v1", [f"127.0.0.1:{port}" for port in ports])
        with Nginx(folder, region.http(free_port())) as nginx:
            assert nginx.get("/").status == 502  # both are out for ten seconds
            with AsyncBackend("blue", "back", port=ports[1]):
                assert [nginx.get("/").status for _ in range(6)] == [200] * 6


def test_answer_of_a_weighted_request_is_passed_on_when_its_color_has_no_other_endpoint() -> None:
    with stage(1) as (folder, region, (a,)), AsyncBackend("green", "g") as green:
        region.publish("green", "g", [green.address])
        region.weight(10000)
        with Nginx(folder, region.http(free_port(), location="proxy_next_upstream error http_500;")) as nginx:
            answer = nginx.get("/status/500")
            assert answer.status == 500 and answer.headers["X-Release"] == "g"
            assert a.seen == [] and green.seen == ["GET /status/500"]


@pytest.mark.parametrize("line, message", [
    ("bluegreen_balance random;",
     'invalid parameter "random" in "bluegreen_balance": expected "round_robin" or "least_conn" in '),
    ("bluegreen_balance least_conn max_fails=x;",
     'invalid parameter "max_fails=x" in "bluegreen_balance": expected "max_fails=N" with N from 0 to 1000000 in '),
    ("bluegreen_balance least_conn fail_timeout=0;",
     'invalid parameter "fail_timeout=0" in "bluegreen_balance": expected "fail_timeout=TIME" with TIME from 1ms to 1d'),
    ("bluegreen_balance least_conn slow_start=1s slow_start=1s;",
     'invalid parameter "slow_start=1s" in "bluegreen_balance": expected each parameter once in '),
    ("bluegreen_balance least_conn weight=1;", 'expected "max_fails=N", "fail_timeout=TIME" or "slow_start=TIME" in '),
    ("bluegreen_balance least_conn; bluegreen_balance round_robin;", '"bluegreen_balance" directive is duplicate in '),
])
def test_bad_balance_line_is_refused_by_name_and_line(line: str, message: str) -> None:
    with work_folder() as folder:
        region = Region(folder)
        run = Nginx(folder, region.http(free_port(), upstream=line)).test()
        assert run.returncode != 0 and message in run.stderr and "nginx.conf:" in run.stderr
