"""A reload and a binary upgrade under probing: no health changes, no count goes back, and one worker probes."""

from harness import Connection, Nginx, Watch, until
from harness.hostile_backend import HostileBackend
from lifecycle_test import Upgradable, settled
from probe_stage import STEADY_INTERVAL, prober, steady


class Counters:
    """Probes, failures and requests of the status document: they never go back."""

    def __init__(self, nginx: Nginx) -> None:
        self.nginx = nginx
        self.last = self.look()

    def look(self) -> list[int]:
        blue = self.nginx.status()["apps"]["app"]["colors"]["blue"]
        return [blue["requests"], *(e[name] for e in blue["endpoints"] for name in ("probes", "failures"))]

    def check(self) -> None:
        now = self.look()
        assert all(new >= old for new, old in zip(now, self.last)), (self.last, now)
        self.last = now


def test_reload_changes_no_health_and_loses_no_count(figures) -> None:
    with steady(4) as at, Watch(at.region.telemetry) as watch:
        counters, reloads = Counters(at.nginx), 4
        for round_ in range(reloads):
            at.nginx.settings["workers"] = 4 - round_ % 3
            at.nginx.reload()
            for _ in range(10):
                assert at.nginx.get("/").body == b"fine\n"
                counters.check()
            at.probed_anew()
        until(lambda: settled(at.nginx, int(at.nginx.settings["workers"])), "the old ones have gone")
        longest = at.longest_gap()
        figures(reloads=reloads, longest_gap_ms=round(longest * 1000), counters_went_back=len(watch.back))
        assert longest <= 2 * STEADY_INTERVAL
        at.check()
        counters.check()
        assert counters.last[0] >= 10 * reloads and watch.back == []
        assert prober(at.nginx)["pid"] in [worker.pid for worker in at.nginx.workers()]


def test_old_worker_that_lingers_gives_probing_away() -> None:
    with HostileBackend() as slow, steady(1) as at:
        slow.delay = 2.0
        at.region.publish("green", "v2", [slow.address])
        at.region.switch("green")
        with Connection(at.nginx.port) as client:
            old = prober(at.nginx)
            client.ask("/")
            until(lambda: slow.requests, "the request is on its way")
            at.nginx.reload()
            until(lambda: prober(at.nginx)["pid"] not in (0, old["pid"]), "a new worker probes", 2 * STEADY_INTERVAL)
            assert old["pid"] in [worker.pid for worker in at.nginx.workers()], "it still serves"
            assert client.answer().body == b"fine\n"


def test_binary_upgrade_changes_no_health_and_loses_no_count(figures) -> None:
    keep = "env LD_PRELOAD; env ASAN_OPTIONS; env UBSAN_OPTIONS;"  # for the new master of a sanitized build
    with steady(2, kind=Upgradable, main=keep) as at, Watch(at.region.telemetry) as watch:
        counters = Counters(at.nginx)
        for _ in range(2):
            old, new = at.nginx.process, at.nginx.upgrade()
            until(lambda: settled(at.nginx, 4), "old and new workers have a slot each")
            for _ in range(10):
                assert at.nginx.get("/").body == b"fine\n"
                counters.check()
            at.nginx.end(old)
            at.nginx.process = new
            until(lambda: settled(at.nginx, 2), "the old slots are free")
            at.probed_anew()
            counters.check()
        longest = at.longest_gap()
        figures(upgrades=2, longest_gap_ms=round(longest * 1000), counters_went_back=len(watch.back))
        assert longest <= 2 * STEADY_INTERVAL
        at.check()
        assert watch.back == [] and counters.last[0] >= 20
        assert prober(at.nginx)["pid"] in [worker.pid for worker in at.nginx.workers()]
