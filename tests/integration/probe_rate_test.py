"""How often endpoints are probed: each once an interval by one worker of all, whatever the number of workers is, and
never in a storm; dead endpoints too."""

import contextlib
import time

from harness import until
from harness.hostile_backend import HostileBackend
from probe_stage import all_healthy, endpoints, prober, probing

ENDPOINTS, WINDOW = 8, 6.0
STAGES = {"1 worker": (1, "ok"), "4 workers": (4, "ok"), "8 workers": (8, "ok"), "4 workers, all dead": (4, "silent")}


def test_eight_endpoints_are_probed_eight_times_a_second_by_any_number_of_workers(figures) -> None:
    # All stages at once, each with an NGINX and backends of its own: the window costs its time only once.
    with contextlib.ExitStack() as stack:
        begun, running = time.monotonic(), {}
        for name, (workers, mode) in STAGES.items():
            backends = [stack.enter_context(HostileBackend(mode)) for _ in range(ENDPOINTS)]
            nginx, _ = stack.enter_context(probing([b.address for b in backends], "interval=1s timeout=200ms",
                                                   workers=workers))
            running[name] = nginx, backends
        for name, (nginx, _) in running.items():
            if STAGES[name][1] == "ok":
                all_healthy(nginx)
            else:
                until(lambda: {e["health"] for e in endpoints(nginx)} == {"unhealthy"}, "every endpoint is unhealthy")
        probers = {name: prober(nginx) for name, (nginx, _) in running.items()}
        start = time.monotonic()
        time.sleep(WINDOW)  # what is measured
        rates, gaps = {}, {}
        for name, (nginx, backends) in running.items():
            assert prober(nginx) == probers[name], "one worker all the while"
            seen = [[t for t in b.times() if start <= t < start + WINDOW] for b in backends]
            rates[name] = sum(map(len, seen)) / WINDOW
            gaps[name] = [later - earlier for times in seen for earlier, later in zip(times, times[1:])]
            # Before it is held for what it is, an endpoint is probed faster: rise or fall probes, and one that was
            # on its way.
            assert all(len([t for t in b.times() if begun <= t < start]) <= 4 + (start - begun) for b in backends), name
        figures(**{f"probes a second, {name}": round(rate, 2) for name, rate in rates.items()},
                shortest_gap_ms=round(min(map(min, gaps.values())) * 1000),
                longest_gap_ms=round(max(map(max, gaps.values())) * 1000))
        for name in STAGES:
            # An interval is up to 1/16 shorter than said: 8.53 at most, on the long run.
            assert 7 <= rates[name] <= 9, (name, rates)
            assert 0.9 <= min(gaps[name]) and max(gaps[name]) <= 1.2, (name, min(gaps[name]), max(gaps[name]))


def test_probes_of_an_application_are_spread_over_the_interval() -> None:
    with contextlib.ExitStack() as stack:
        backends = [stack.enter_context(HostileBackend()) for _ in range(ENDPOINTS)]
        # Without a fast interval the first round shows the spread at once.
        nginx, _ = stack.enter_context(probing([b.address for b in backends], "interval=1s fast_interval=1s rise=1"))
        all_healthy(nginx)
        firsts = sorted(b.times()[0] for b in backends)
        steps = [later - earlier for earlier, later in zip(firsts, firsts[1:])]
        assert all(0.06 <= step <= 0.19 for step in steps), steps
