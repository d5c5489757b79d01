"""When the health of an endpoint changes, how that is told, and what becomes of clients meanwhile."""

import time

import pytest

from harness import Nginx, often, until
from harness.hostile_backend import HostileBackend
from probe_stage import all_healthy, becomes, endpoint, endpoints, events, health_lines, probing

# A long interval behind a short fast one: what is counted when the health changes stays so for a second.
COUNTED = "interval=1s fast_interval=50ms timeout=500ms fall=3 rise=4"


def gaps(backend: HostileBackend, count: int) -> list[float]:
    """Between its last `count` requests."""
    times = backend.times()[-count:]
    return [later - earlier for earlier, later in zip(times, times[1:])]


def changes(nginx: Nginx) -> list[tuple[str, str]]:
    return [(event["before"], event["after"]) for event in events(nginx, "health")]


@pytest.fixture
def backend():
    with HostileBackend() as backend:
        yield backend


def test_rise_fall_and_the_fast_interval_are_counted_exactly(backend) -> None:
    with probing([backend.address], COUNTED) as (nginx, _):
        found = becomes(nginx, "healthy")
        assert (found["probes"], found["failures"], len(backend.requests)) == (4, 0, 4)
        assert all(0.04 <= gap <= 0.12 for gap in gaps(backend, 4)), gaps(backend, 4)

        # Two failures in a row, and it stays what it is; the doubt is looked into at the fast interval.
        backend.upcoming.extend([500, 500])
        until(lambda: len(backend.requests) == 7, "two failures and what comes after them")
        assert 0.9 <= gaps(backend, 4)[0] <= 1.1 and all(0.04 <= gap <= 0.12 for gap in gaps(backend, 3))
        found = until(lambda: endpoint(nginx)["probes"] == 7 and endpoint(nginx), "that success")
        assert (found["health"], found["failures"], found["last_error"]) == ("healthy", 2, "")

        backend.status = 500
        found = becomes(nginx, "unhealthy")
        assert (found["probes"], found["failures"], found["status"]) == (10, 5, 500)
        assert found["last_error"] == "status 500, expected 200-399"
        # A success between failures counts for nothing: rise is in a row.
        backend.upcoming.extend([200, 200, 200, 500])
        until(lambda: endpoint(nginx)["probes"] == 14, "three successes and a failure")
        assert endpoint(nginx)["health"] == "unhealthy" and 0.9 <= gaps(backend, 5)[0] <= 1.1
        backend.status = 200
        assert becomes(nginx, "healthy")["probes"] == 18
        assert changes(nginx) == [("unknown", "healthy"), ("healthy", "unhealthy"), ("unhealthy", "healthy")]


def test_fast_interval_longer_than_a_short_interval_is_cut_down_to_it(backend) -> None:
    with probing([backend.address], "interval=60ms timeout=50ms rise=4") as (nginx, _):
        becomes(nginx, "healthy")
        assert all(gap <= 0.12 for gap in gaps(backend, 4)), gaps(backend, 4)


def test_slow_success_is_degraded_and_as_many_quick_ones_as_rise_heal_it(backend) -> None:
    with probing([backend.address], "interval=100ms fast_interval=50ms timeout=400ms rise=3 slow=100ms") as (nginx, _):
        becomes(nginx, "healthy")
        backend.delay = 0.15
        found = becomes(nginx, "degraded")
        assert 150 <= found["latency_ms"] <= 300 and found["last_error"] == "" and found["failures"] == 0
        assert nginx.get("/").status == 200, "it still serves"
        until(lambda: endpoint(nginx)["probes"] >= found["probes"] + 3, "more slow ones")
        assert endpoint(nginx)["health"] == "degraded"
        backend.delay = 0
        quick = len(backend.requests)
        becomes(nginx, "healthy")
        assert len(backend.requests) - quick >= 3
        assert changes(nginx) == [("unknown", "healthy"), ("healthy", "degraded"), ("degraded", "healthy")]
        levels = [line.split("[", 1)[1].split("]")[0] for line in nginx.error_log.splitlines() if " endpoint " in line]
        assert levels == ["notice", "warn", "notice"]
        assert "is degraded, was healthy: answered in 1" in health_lines(nginx)[1]


def test_each_change_is_one_event_and_one_line_with_names_and_cause(backend) -> None:
    with HostileBackend() as green:
        with probing([backend.address], workers=4) as (nginx, region):
            region.publish("green", "v2", [green.address])
            all_healthy(nginx)
            becomes(nginx, "healthy", color="green")
            backend.mode, green.status = "close", 503
            became = becomes(nginx, "unhealthy")
            becomes(nginx, "unhealthy", color="green")
            time.sleep(1.2)  # every worker has had its timer's turn, and more probes have failed for the same cause
            assert became["since"] == endpoint(nginx)["since"]
            backend.mode, green.status = "ok", 200
            all_healthy(nginx)
            becomes(nginx, "healthy", color="green")
            told = {color: [(e["app"], e["endpoint"], e["before"], e["after"], e["text"])
                            for e in events(nginx, "health") if e["color"] == color] for color in ("blue", "green")}
            for color, endpoint_, cause in (("blue", backend, became["last_error"]),
                                            ("green", green, "status 503, expected 200-399")):
                assert told[color] == [("app", endpoint_.address, "unknown", "healthy", ""),
                                       ("app", endpoint_.address, "healthy", "unhealthy", cause),
                                       ("app", endpoint_.address, "unhealthy", "healthy", "")]
                about = f'bluegreen: application "app": {color} endpoint {endpoint_.address} is'
                lines = [line for line in health_lines(nginx) if line.startswith(about)]
                assert [line.removeprefix(about).split(":")[0] for line in lines] == [
                    " healthy, was unknown", " unhealthy, was healthy", " healthy, was unhealthy"]
                assert lines[1].endswith(f": {cause}")
            assert len(health_lines(nginx)) == 6
            errors = [line for line in nginx.error_log.splitlines() if "[error]" in line]
            assert len(errors) == 2, "a failed probe is no line of its own"


def test_release_published_at_the_same_address_starts_as_unknown(backend) -> None:
    # So long an interval that it stays unknown until it is looked at.
    with probing([f"{backend.address}#1"], "interval=1s fast_interval=400ms timeout=300ms rise=2") as (nginx, region):
        backend.status = 500
        old = becomes(nginx, "unhealthy")
        backend.status = 200
        for identity, release in (("#2", "v2"), ("#2", "v3")):  # another container; the same one published anew
            region.publish("blue", release, [backend.address + identity])
            found = endpoint(nginx)
            # The first probe comes at once; it takes two for a health.
            assert (found["health"], found["failures"], found["last_error"]) == ("unknown", 0, ""), found
            assert found["probes"] <= 1
            found = becomes(nginx, "healthy")
            assert found["probes"] == 2 and found["failures"] == 0 and found["checked"] > old["checked"]
        assert [e["before"] for e in events(nginx, "health")] == ["unknown"] * 3


def test_endpoints_that_come_and_go_are_followed(backend) -> None:
    with HostileBackend() as other, HostileBackend() as third:
        with probing([backend.address], workers=2) as (nginx, region):
            becomes(nginx, "healthy")
            region.publish("blue", "v2", [other.address, third.address])
            all_healthy(nginx)
            left = len(backend.requests)
            region.publish("blue", "v3", [])
            until(lambda: endpoints(nginx) == [], "no endpoint")
            seen = len(other.requests)
            assert seen > 0 and left > 0
            time.sleep(0.5)  # more than two intervals
            assert len(other.requests) <= seen + 1 and len(backend.requests) <= left + 1
            until(lambda: backend.open_connections == 0, "the connection that was kept for it is closed")


@pytest.mark.parametrize("graceful", [True, False], ids=["quit", "term"])
@pytest.mark.parametrize("mode", ["ok", "silent"])
def test_worker_that_probes_ends_at_once_when_it_is_told(backend, graceful: bool, mode: str) -> None:
    with HostileBackend() as other:
        with probing([backend.address, other.address], "interval=100ms timeout=1m", workers=2) as (nginx, _):
            all_healthy(nginx)
            backend.mode = mode
            seen = len(backend.requests)
            until(lambda: len(backend.requests) > seen, "a probe in that mode")
            begun = time.monotonic()
            nginx.stop(graceful)
            assert time.monotonic() - begun < 1.0


def test_killed_backend_is_found_in_time(figures) -> None:
    interval, timeout, fall = 0.2, 0.1, 3
    took = []
    with HostileBackend() as good, HostileBackend() as bad:
        with probing([good.address, bad.address], "interval=200ms timeout=100ms fall=3 rise=1") as (nginx, _):
            for round_, kill in enumerate([bad.die, lambda: setattr(bad, "mode", "silent")] * often(2)):
                all_healthy(nginx)
                time.sleep(interval * (round_ % 4) / 4)  # at another point between two probes
                begun = time.monotonic()
                kill()
                until(lambda: endpoint(nginx, 1)["health"] == "unhealthy", "it is out", every=0.005)
                took.append(time.monotonic() - begun)
                bad.mode = "ok"
                bad.live()
    figures(kills=len(took), longest_ms=round(max(took) * 1000), bound_ms=round((fall * interval + timeout) * 1000))
    assert max(took) <= fall * interval + timeout + 0.05
