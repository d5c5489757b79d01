"""What follows from a probed health: who gets requests, and what happens when all of a color are down.

prober_tool says what the probes found (harness/stand_in.py), so each test knows when that was.
"""

import collections
import contextlib
from collections.abc import Iterator

import pytest

from harness import AsyncBackend, Connection, Nginx, Region, free_port, no_keepalive, often, until, work_folder
from harness.stand_in import ProberStandIn

REASON = "add_header X-Reason $bluegreen_reason always; add_header X-Upstream $upstream_addr always;"
REFUSED = "every endpoint of its color is unhealthy, and when_all_down=refuse"
SECRET = "secret-0123456789-0123456789-ABCDEF"


class Stage:
    """Blue is active and has so many endpoints, named by letters; green has one, z."""

    def __init__(self, region: Region, nginx: Nginx, prober: ProberStandIn | None, blue: list[AsyncBackend],
                 green: AsyncBackend) -> None:
        self.region, self.nginx, self.prober, self.blue, self.green = region, nginx, prober, blue, green

    def finds(self, health: str, *places: int, color: str = "blue") -> None:
        for place in places:
            self.prober.finds(color, place, health)

    def served(self, count: int = 40) -> dict[str, int]:
        """How many requests each release answered."""
        return collections.Counter(self.nginx.get("/").headers.get("X-Release", "nobody") for _ in range(count))

    def get(self, path: str = "/", **more: object) -> tuple[int, str | None, str | None]:
        answer = self.nginx.get(path, **more)
        return answer.status, answer.headers.get("X-Reason"), answer.headers.get("X-Upstream")


@contextlib.contextmanager
def staged(count: int = 2, probe: str | None = "", *, balance: str = "", workers: int = 1,
           location: str = "", keepalive: str = "keepalive 16;") -> Iterator[Stage]:
    with work_folder() as folder, contextlib.ExitStack() as stack:
        blue = [stack.enter_context(AsyncBackend("blue", name)) for name in "abcdef"[:count]]
        green = stack.enter_context(AsyncBackend("green", "z"))
        (folder / "secret").write_text(SECRET + "\n")
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [backend.address for backend in blue])
        region.publish("green", "v2", [green.address])
        line = f"bluegreen_probe interval=1h fast_interval=1h {probe};" if probe is not None else ""
        http = region.http(free_port(), location=REASON + location,
                           upstream=f"{balance} bluegreen_preview $http_x_secret {folder}/secret; {keepalive} {line}")
        nginx = stack.enter_context(Nginx(folder, http, workers=workers))
        prober = stack.enter_context(ProberStandIn(region))
        yield Stage(region, nginx, prober, blue, green)


def test_unhealthy_endpoint_gets_no_request_and_a_degraded_or_unknown_one_its_share() -> None:
    with staged(4) as stage:
        stage.finds("unhealthy", 1)
        stage.finds("degraded", 2)
        stage.finds("healthy", 3)
        assert stage.served(often(201)) == {"a": often(201) / 3, "c": often(201) / 3, "d": often(201) / 3}
        stage.finds("unhealthy", 0, 2)
        assert stage.served() == {"d": 40}
        stage.finds("healthy", 0, 1, 2)
        assert stage.served() == dict.fromkeys("abcd", 10)
        stage.finds("unhealthy", 1)
        stage.finds("unknown", 1)
        assert stage.served() == dict.fromkeys("abcd", 10)


def test_least_conn_leaves_it_out_too() -> None:
    with staged(3, balance="bluegreen_balance least_conn;") as stage:
        stage.finds("unhealthy", 0)
        assert stage.served() == {"b": 20, "c": 20}


def test_change_of_health_is_known_to_every_worker_at_its_next_request() -> None:
    with staged(2, workers=3) as stage, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Connection(stage.nginx.port)) for _ in range(24)]

        def served() -> set[str]:
            found = set()
            for client in clients:
                client.ask()
                found.add(client.answer().headers["X-Release"])
            return found

        for _ in range(often(20)):
            stage.finds("unhealthy", 0)
            assert served() == {"b"}
            stage.finds("unhealthy", 1)
            stage.finds("healthy", 0)
            assert served() == {"a"}
            stage.finds("healthy", 1)


def test_words_do_not_count_without_bluegreen_probe() -> None:
    with staged(2, probe=None) as stage:
        stage.finds("unhealthy", 0)
        assert stage.served() == {"a": 20, "b": 20}
        stage.nginx.reload()  # workers read the words when they start
        assert stage.served() == {"a": 20, "b": 20}


def test_new_workers_know_what_was_found_before_them() -> None:
    with staged(2) as stage:
        stage.finds("unhealthy", 0)
        stage.nginx.reload()
        assert stage.served() == {"b": 40}


def test_endpoint_of_another_table_starts_unknown_and_gets_requests() -> None:
    with staged(2) as stage:
        stage.finds("unhealthy", 0)
        assert stage.served() == {"b": 40}
        stage.region.publish("blue", "v1", [backend.address for backend in stage.blue])
        assert stage.served() == {"a": 20, "b": 20}
        stage.finds("unhealthy", 1)
        assert stage.served() == {"a": 40}
        stage.region.switch("green")  # a word alone changes nothing
        stage.region.switch("blue")
        assert stage.served() == {"a": 40}


# --- all of a color are down
def test_when_all_are_down_all_are_tried() -> None:
    with staged(2) as stage:
        stage.finds("unhealthy", 0, 1)
        assert stage.served() == {"a": 20, "b": 20}
        assert stage.get()[:2] == (200, "active")
        stage.finds("healthy", 1)
        assert stage.served() == {"b": 40}


def test_when_all_are_down_those_that_failed_lately_are_left_out_until_all_have() -> None:
    with staged(2, keepalive=no_keepalive()) as stage:
        stage.blue[0].stop_listening()
        stage.finds("unhealthy", 0, 1)
        until(lambda: ", " in stage.get()[2], "a request has met the dead one, and went on", 5)
        assert {stage.get()[2] for _ in range(20)} == {stage.blue[1].address}
        stage.blue[1].stop_listening()
        both = {backend.address for backend in stage.blue}
        assert stage.get()[::2] == (502, stage.blue[1].address)
        status, _, upstream = stage.get()  # now all have failed: none has
        assert status == 502 and set(upstream.split(", ")) == both


def test_when_all_are_down_and_refuse_is_said_the_answer_is_503_at_once() -> None:
    with staged(2, "when_all_down=refuse") as stage:
        stage.finds("unhealthy", 0, 1)
        answer = stage.nginx.get("/")
        assert (answer.status, answer.headers["X-Reason"]) == (503, "nobody") and b"503" in answer.body
        lines = [line for line in stage.nginx.error_log.splitlines() if REFUSED in line]
        assert len(lines) == 1 and "[error]" in lines[0]
        assert stage.nginx.in_flight() == (0, 0)
        assert stage.nginx.status()["apps"]["app"]["colors"]["blue"]["refused"] == 1
        stage.finds("degraded", 1)
        assert stage.served() == {"b": 40}


@pytest.mark.parametrize("probe, status", [("", 200), ("when_all_down=try", 200), ("when_all_down=refuse", 503)])
def test_single_endpoint_that_is_down_is_tried_unless_refuse_is_said(probe, status) -> None:
    with staged(1, probe) as stage:
        stage.finds("unhealthy", 0)
        assert [stage.get()[0] for _ in range(3)] == [status] * 3
        stage.finds("healthy", 0)
        assert stage.get()[0] == 200


@pytest.mark.parametrize("probe", ["when_all_down=try", "when_all_down=refuse"])
@pytest.mark.parametrize("count", [1, 2])
def test_color_that_is_down_falls_back_where_the_word_allows_it(probe, count) -> None:
    with staged(count, probe) as stage:
        stage.region.flags("+fallback")
        stage.finds("unhealthy", *range(count))
        assert {stage.get() for _ in range(10)} == {(200, "fallback", stage.green.address)}
        # Green is down as well: both are as bad, so each request stays with its own.
        stage.finds("unhealthy", 0, color="green")
        status, reason, upstream = stage.get()
        if "refuse" in probe:
            assert (status, reason) == (503, "nobody")
        else:
            assert (status, reason) == (200, "active") and upstream in {backend.address for backend in stage.blue}
        stage.finds("healthy", 0, color="green")
        stage.region.close("green")
        assert stage.get()[1] == ("nobody" if "refuse" in probe else "active")


# --- coming back
def test_endpoint_that_comes_back_rises_slowly() -> None:
    with staged(2, balance="bluegreen_balance round_robin slow_start=30s;") as stage:
        stage.finds("unhealthy", 0)
        assert stage.served() == {"b": 40}
        stage.finds("healthy", 0)
        assert stage.served()["a"] <= 4
        stage.finds("unhealthy", 1)  # alone it has all
        assert stage.served() == {"a": 40}


def test_endpoint_that_comes_back_has_its_failures_forgotten_and_counts_new_ones() -> None:
    with staged(2, balance="bluegreen_balance round_robin fail_timeout=1h;") as stage:
        port = stage.blue[0].port
        stage.blue[0].stop_listening()
        until(lambda: ", " in stage.get()[2], "the dead one has failed", 5)
        stage.finds("unhealthy", 0)
        with AsyncBackend("blue", "again", port=port) as again:
            assert stage.served() == {"b": 40}
            stage.finds("healthy", 0)
            assert stage.served() == {"again": 20, "b": 20}
            again.stop_listening()
        until(lambda: ", " in stage.get()[2], "it has failed once more", 5)
        assert {stage.get()[2] for _ in range(20)} == {stage.blue[1].address}


# --- retries
def test_retry_goes_to_no_endpoint_that_is_down_and_an_answer_is_kept_when_nobody_is_left() -> None:
    with staged(3, location="proxy_next_upstream error http_500;",
                balance="bluegreen_balance round_robin max_fails=0;") as stage:
        stage.finds("unhealthy", 1)
        for _ in range(10):
            status, _, upstream = stage.get("/status/500")
            # The last one's own answer, not a 502 for a try that nobody can serve.
            assert status == 500
            assert set(upstream.split(", ")) == {stage.blue[0].address, stage.blue[2].address}
        stage.finds("unhealthy", 0, 2)
        status, _, upstream = stage.get("/status/500")
        assert status == 500 and len(upstream.split(", ")) == 3
        stage.region.flags("+fallback")
        stage.finds("healthy", 2)
        status, reason, upstream = stage.get("/status/500")
        assert (status, reason) == (500, "fallback")
        assert upstream == f"{stage.blue[2].address}, {stage.green.address}"


# --- other ways
@pytest.mark.parametrize("probe, status", [("", 200), ("when_all_down=refuse", 503)])
def test_preview_is_tried_or_refused_by_the_same_rule(probe, status) -> None:
    with staged(1, probe) as stage:
        secret = {"X-Secret": SECRET}
        assert stage.get(headers=secret)[:2] == (200, "preview")
        stage.finds("unhealthy", 0, color="green")
        stage.region.flags("+fallback")  # is not for previews
        assert stage.get(headers=secret)[:2] == (status, "preview" if status == 200 else "nobody")
        assert stage.get()[:2] == (200, "active")


def test_maintenance_and_hold_come_first() -> None:
    with staged(1, "when_all_down=refuse") as stage:
        stage.finds("unhealthy", 0)
        stage.region.flags("+maintenance")
        assert stage.get()[:2] == (503, "maintenance")
        stage.region.flags("-maintenance")
        stage.region.hold(60)
        with Connection(stage.nginx.port) as client:
            client.ask()
            until(lambda: stage.nginx.status()["apps"]["app"]["colors"]["blue"]["waiting"] == 1, "it waits")
            stage.finds("healthy", 0)
            stage.region.release()
            assert client.answer().status == 200


def test_weighted_share_of_a_color_that_is_down_is_tried_or_refused() -> None:
    with staged(1, "when_all_down=refuse") as stage:
        stage.region.weight(10000)
        stage.finds("unhealthy", 0, color="green")
        assert stage.get()[0] == 503
        stage.region.flags("+fallback")
        assert stage.get() == (200, "fallback", stage.blue[0].address)
