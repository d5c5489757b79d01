"""Fallback: a request whose color cannot be reached goes to the other one, where the word allows it."""

import threading

import pytest

from harness import AsyncBackend, Connection, Nginx, Region, free_port, no_keepalive, often, until, work_folder

REASON = "add_header X-Reason $bluegreen_reason always; add_header X-Upstream $upstream_addr always;"


@pytest.fixture
def stage():
    """Blue is active, and nobody listens there; green is well."""
    with work_folder() as folder, AsyncBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        dead = f"127.0.0.1:{free_port()}"
        region.publish("blue", "v1", [dead])
        region.publish("green", "v2", [green.address])
        yield folder, region, dead, green


def requests_of(nginx: Nginx) -> tuple[int, int]:
    colors = nginx.status()["apps"]["app"]["colors"]
    return colors["blue"]["requests"], colors["green"]["requests"]


def test_request_falls_back_within_itself_when_its_color_refuses_the_connection(stage) -> None:
    folder, region, dead, green = stage
    region.flags("+fallback")
    with Nginx(folder, region.http(free_port(), location=REASON)) as nginx:
        answer = nginx.get("/")
        assert (answer.status, answer.headers["X-Color"], answer.headers["X-Reason"]) == (200, "green", "fallback")
        assert answer.headers["X-Upstream"] == f"{dead}, {green.address}"
        assert requests_of(nginx) == (1, 1) and nginx.in_flight() == (0, 0)
        # Blue has failed lately: the next one does not even knock there.
        assert nginx.get("/").headers["X-Upstream"] == green.address
        assert requests_of(nginx) == (1, 2)


def test_without_the_flag_the_request_fails_on_its_own_color(stage) -> None:
    folder, region, dead, green = stage
    with Nginx(folder, region.http(free_port(), location=REASON)) as nginx:
        for _ in range(3):
            answer = nginx.get("/")
            assert (answer.status, answer.headers["X-Reason"], answer.headers["X-Upstream"]) == (502, "active", dead)
        assert green.seen == []


def test_fallback_ends_when_neither_color_can_be_reached(stage) -> None:
    folder, region, dead, _ = stage
    other = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    region.publish("green", "v2", other)
    region.flags("+fallback")
    with Nginx(folder, region.http(free_port(), location=REASON)) as nginx:
        answer = nginx.get("/")
        assert answer.status == 502
        tried = answer.headers["X-Upstream"].split(", ")
        assert tried[0] == dead and sorted(tried[1:]) == sorted(other)
        # All are out now, so all are tried again rather than none.
        assert nginx.get("/").status == 502
        assert nginx.in_flight() == (0, 0)


def test_fallback_goes_to_the_other_color_after_all_endpoints_of_its_own(stage) -> None:
    folder, region, dead, green = stage
    second = f"127.0.0.1:{free_port()}"
    region.publish("blue", "v1", [dead, second])
    region.flags("+fallback")
    with Nginx(folder, region.http(free_port(), location=REASON)) as nginx:
        tried = nginx.get("/").headers["X-Upstream"].split(", ")
        assert sorted(tried[:2]) == sorted([dead, second]) and tried[2:] == [green.address]


def test_fallback_does_not_go_to_a_closed_color(stage) -> None:
    folder, region, _, green = stage
    region.flags("+fallback")
    region.close("green")
    with Nginx(folder, region.http(free_port(), location=REASON)) as nginx:
        answer = nginx.get("/")
        assert answer.status == 502 and answer.headers["X-Reason"] == "active"
        assert green.seen == []


def test_color_without_endpoints_falls_back(stage) -> None:
    folder, region, _, green = stage
    region.publish("blue", "none", [])
    region.flags("+fallback")
    with Nginx(folder, region.http(free_port(), location=REASON)) as nginx:
        answer = nginx.get("/")
        assert (answer.headers["X-Reason"], answer.headers["X-Upstream"]) == ("fallback", green.address)


def test_weighted_request_falls_back_to_the_active_color(stage) -> None:
    folder, region, dead, green = stage
    region.switch("green")
    region.weight(10000)
    region.flags("+fallback")
    with Nginx(folder, region.http(free_port(), location=REASON)) as nginx:
        answer = nginx.get("/")
        assert (answer.headers["X-Color"], answer.headers["X-Reason"]) == ("green", "fallback")
        assert answer.headers["X-Upstream"] == f"{dead}, {green.address}"


def test_color_that_comes_back_is_asked_again_after_fail_timeout_once(stage) -> None:
    folder, region, dead, green = stage
    region.flags("+fallback")
    upstream = "bluegreen_balance round_robin fail_timeout=300ms; keepalive 16;"
    with Nginx(folder, region.http(free_port(), location=REASON, upstream=upstream)) as nginx:
        assert nginx.get("/").headers["X-Reason"] == "fallback"
        with AsyncBackend("blue", "v1", port=int(dead.rsplit(":", 1)[1])):
            until(lambda: nginx.get("/").headers["X-Reason"] == "active", "blue is asked again", 5)
            assert nginx.get("/").headers["X-Color"] == "blue"


def test_post_that_was_sent_is_not_sent_again_and_one_that_was_not_is(stage) -> None:
    folder, region, dead, green = stage
    region.flags("+fallback")
    # Without keepalive: a cached connection that dies is one more try on the same endpoint.
    upstream = f"bluegreen_balance round_robin max_fails=0; {no_keepalive()}"
    with Nginx(folder, region.http(free_port(), location=REASON, upstream=upstream)) as nginx:
        answer = nginx.get("/", method="POST", body=b"x" * 100)
        assert answer.status == 200 and answer.headers["X-Reason"] == "fallback"
        with AsyncBackend("blue", "v1", port=int(dead.rsplit(":", 1)[1])) as blue:
            before = len(green.seen)
            answer = nginx.get("/close", method="POST", body=b"x" * 100)
            assert answer.status == 502 and blue.seen == ["POST /close"]
            assert len(green.seen) == before
            # What may be repeated is, as ever.
            assert nginx.get("/close").status == 502
            assert blue.seen.count("GET /close") == 1 and green.seen.count("GET /close") == 1


@pytest.mark.parametrize("directive, status, reached", [
    ("", 500, 0),
    ("proxy_next_upstream error http_500;", 500, 1),
    ("proxy_next_upstream off;", 500, 0),
])
def test_answers_are_passed_on_unless_next_upstream_says_otherwise(stage, directive, status, reached) -> None:
    folder, region, dead, green = stage
    region.flags("+fallback")
    with AsyncBackend("blue", "v1", port=int(dead.rsplit(":", 1)[1])), \
            Nginx(folder, region.http(free_port(), location=REASON + directive)) as nginx:
        answer = nginx.get("/status/500")
        # The last one's own answer is passed on, not a 502 for a try that nobody can serve.
        assert answer.status == status and "X-Color" in answer.headers
        assert len(green.seen) == reached


def test_next_upstream_tries_limits_fallback_too(stage) -> None:
    folder, region, dead, green = stage
    region.flags("+fallback")
    with Nginx(folder, region.http(free_port(), location=REASON + "proxy_next_upstream_tries 1;")) as nginx:
        answer = nginx.get("/")
        assert (answer.status, answer.headers["X-Upstream"]) == (502, dead)
        assert green.seen == []


def test_drain_counts_a_request_that_fell_back_on_the_color_that_serves_it(stage) -> None:
    folder, region, _, green = stage
    region.flags("+fallback")
    with Nginx(folder, region.http(free_port(), location=REASON)) as nginx, Connection(nginx.port) as client:
        client.ask("/gate")
        until(lambda: green.waiting == 1, "green has the request")
        assert nginx.in_flight() == (0, 1)
        green.open_gate()
        assert client.answer().headers["X-Reason"] == "fallback"
        until(lambda: nginx.in_flight() == (0, 0), "the gauges fall")


def test_no_request_reaches_a_color_that_was_closed_under_weighted_and_falling_back_requests() -> None:
    """A drain of the other color, again and again, while weight, retries and fallback lead there."""
    with work_folder() as folder, AsyncBackend("green", "v2") as green, AsyncBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address, f"127.0.0.1:{free_port()}"])
        upstream = "bluegreen_balance round_robin max_fails=1 fail_timeout=20ms; keepalive 16;"
        http = region.http(free_port(), listen="reuseport", upstream=upstream, top="keepalive_requests 1000000;",
                           location="proxy_next_upstream error http_500;")
        with Nginx(folder, http, workers=2, level="crit") as nginx:
            failed: list[int] = []
            done = threading.Event()

            def load(path: str) -> None:
                with Connection(nginx.port) as client:
                    while not done.is_set():
                        client.ask(path)
                        status = client.answer().status
                        if status not in (200, 500, 502):  # 502: blue's answers of 500 leave the dead one
                            failed.append(status)

            # Blue's 500s send a part of the requests to green by fallback, the weight another one.
            threads = [threading.Thread(target=load, args=(path,)) for path in ("/", "/", "/status/500")]
            for thread in threads:
                thread.start()
            for _ in range(often(10)):
                region.publish("green", "v2", [green.address])
                region.weight(5000)
                region.flags("+fallback")
                before = len(green.seen)
                until(lambda n=before: len(green.seen) > n + 20, "green is asked", 10, 0.001)
                region.close("green")
                until(lambda: nginx.in_flight()[1] == 0, "green's gauges are 0", 10, 0.001)
                drained, asked = len(green.seen), len(blue.seen)
                until(lambda n=asked: len(blue.seen) > n + 50, "the load goes on, on blue", 10, 0.001)
                assert len(green.seen) == drained
            done.set()
            for thread in threads:
                thread.join()
            assert failed == []
