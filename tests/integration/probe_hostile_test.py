"""What a backend may do to a probe: the cause is told, the worker's memory stays as it is, and the good endpoint beside
it is probed on time."""

import pathlib
import time

import pytest

from harness import Nginx, until
from harness.hostile_backend import HostileBackend, certificate
from probe_stage import all_healthy, becomes, endpoint, probing

# Bodies are read up to 64 KB; that one asks for something in them makes those that never end failures.
PROBE = "interval=200ms fast_interval=100ms timeout=300ms fall=2 rise=2 body=fine"
MODES = {
    "slow_bytes": "timed out in the midst of the answer", "silent": "timed out waiting for the answer",
    "endless_headers": "more than 32 KB of headers", "endless_line": "more than 32 KB of headers",
    "big_body": "the body's first 64 KB are not what body= asks for",
    "chunks": "the body's first 64 KB are not what body= asks for",
    "garbage": "not an HTTP/1 answer", "tls_garbage": "not an HTTP/1 answer",
    "wrong_length": "closed the connection in the middle of its body",
    "cut": "closed the connection in the middle of its headers",
    "reset": "Connection reset by peer",  # in connect, send or before the answer
    # What the request meets there is FIN, or RST when it came later.
    "close": ("closed the connection without an answer", "before the answer: Connection reset by peer"),
}
OVER_TLS = {
    "silent": "timed out waiting for the answer", "garbage": "not an HTTP/1 answer", "tls_garbage": "TLS",
    "close": "TLS handshake", "reset": ("TLS handshake", "connect: Connection reset by peer"), "big_body": MODES["big_body"],
    "endless_headers": MODES["endless_headers"], "cut": MODES["cut"],
}
ROUNDS = 1  # probes of each mode, behind the one that is on its way


def rss_kib(nginx: Nginx) -> int:
    return sum(worker.rss_kib for worker in nginx.workers())


def latest_gap(backend: HostileBackend, start: float) -> float:
    times = [t for t in backend.times() if t >= start] + [time.monotonic()]
    return max(later - earlier for earlier, later in zip(times, times[1:]))


def go_through(nginx: Nginx, bad: HostileBackend, modes: dict[str, object]) -> dict[str, str]:
    """The last error of each mode, when it has had its probes."""
    said = {}
    for mode, expected in modes.items():
        bad.mode = mode
        begun = endpoint(nginx, 1)["probes"]
        until(lambda: endpoint(nginx, 1)["probes"] > begun + ROUNDS, f"probes of {mode}")
        found = endpoint(nginx, 1)
        said[mode] = found["last_error"]
        assert found["health"] == "unhealthy", (mode, found)
        assert any(text in said[mode] for text in ([expected] if isinstance(expected, str) else expected)), (mode, found)
        assert endpoint(nginx)["health"] == "healthy"
    return said


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_hostile_endpoint_is_told_and_disturbs_nothing(tls: bool, figures, tmp_path: pathlib.Path) -> None:
    pair = certificate(tmp_path) if tls else None
    modes = OVER_TLS if tls else MODES
    with HostileBackend(tls=pair) as good, HostileBackend("garbage", tls=pair) as bad:
        with probing([good.address, bad.address], PROBE + (" ssl=on" if tls else ""), workers=2) as (nginx, _):
            all_of_it = [worker.pid for worker in nginx.workers()]
            becomes(nginx, "healthy")
            go_through(nginx, bad, {mode: modes[mode] for mode in list(modes)[:2]})  # what is allocated once is now
            before, start = rss_kib(nginx), time.monotonic()
            go_through(nginx, bad, modes)
            gap, after = latest_gap(good, start), rss_kib(nginx)
            figures(modes=len(modes), probes=len(bad.connections), rss_growth_kib=after - before,
                    longest_gap_ms=round(gap * 1000))
            assert gap <= 1.5 * 0.2, "the good one waits for nobody"
            assert after - before <= 2048 or nginx.sanitized
            bad.mode = "ok"
            all_healthy(nginx)
            assert [worker.pid for worker in nginx.workers()] == all_of_it
            assert good.requests[-1].connection == 1, "its connection was kept all the while"


def test_memory_stays_as_it_is_through_hundreds_of_such_answers(figures) -> None:
    quick = "interval=20ms fast_interval=20ms timeout=400ms fall=2 rise=2 body=fine"
    with HostileBackend() as good, HostileBackend("big_body") as bad:
        with probing([good.address, bad.address], quick, workers=2) as (nginx, _):
            sizes = []
            for mode in ("big_body", "garbage", "cut", "big_body", "chunks", "endless_headers", "garbage", "reset", "cut"):
                bad.mode, begun = mode, endpoint(nginx, 1)["probes"]
                until(lambda: endpoint(nginx, 1)["probes"] > begun + 25, f"probes of {mode}", 20)
                sizes.append(rss_kib(nginx))
            # What is allocated once is allocated by then.
            figures(probes=endpoint(nginx, 1)["probes"], rss_kib=sizes)
            assert max(sizes[3:]) - sizes[2] <= 1024 or nginx.sanitized


def test_body_without_end_is_cut_and_well_where_nobody_asks_for_a_body() -> None:
    with HostileBackend("big_body") as big, HostileBackend("chunks") as chunks:
        with probing([big.address, chunks.address]) as (nginx, _):
            all_healthy(nginx)
            assert len(big.connections) == len(big.requests), "what was cut cannot be used again"


@pytest.mark.parametrize(("pattern", "body"), [
    ("^(a+)+b", b"a" * 60000),  # without end at one place
    (r"status.*ok", b"status" * 10000 + b"k"), (r"\\w+=ok", b"a" * 60000)])  # quick at each of many
def test_pattern_that_backtracks_without_end_is_given_up(pattern: str, body: bytes) -> None:
    with HostileBackend() as good, HostileBackend() as bad:
        bad.body = body
        with probing([good.address, bad.address], "interval=200ms fast_interval=50ms rise=1 fall=1 "
                     f'"body=~{pattern}|fine"') as (nginx, _):
            becomes(nginx, "unhealthy", 1)
            becomes(nginx, "healthy")
            start, begun = time.monotonic(), endpoint(nginx, 1)["probes"]
            until(lambda: endpoint(nginx, 1)["probes"] > begun + 5, "more probes of it")
            assert latest_gap(good, start) <= 1.5 * 0.2
