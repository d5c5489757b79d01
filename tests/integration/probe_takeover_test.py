"""Another worker goes on where the one that probed was killed or stopped: soon, from its results, and as the only
one; one that goes on later changes nothing."""

import json
import os
import signal
import time

from harness import Connection, Nginx, until
from lifecycle_test import settled
from probe_stage import STEADY, STEADY_INTERVAL, Steady, endpoints, events, lease_epoch, prober, steady


def test_killed_prober_is_followed_by_another_worker(figures) -> None:
    with steady(4, allowed="exited on signal 9") as at:
        longest = 0.0
        for _ in range(2):
            old, probes = prober(at.nginx), endpoints(at.nginx)[0]["probes"]
            os.kill(old["pid"], signal.SIGKILL)
            new = until(lambda: prober(at.nginx)["epoch"] > old["epoch"] and prober(at.nginx), "another one probes")
            until(lambda: endpoints(at.nginx)[0]["probes"] > probes + 1, "it goes on counting")
            until(lambda: settled(at.nginx, 4), "the dead one has a successor")
            longest = at.longest_gap()
            assert new["pid"] != old["pid"] and new["pid"] in [worker.pid for worker in at.nginx.workers()]
        figures(kills=2, longest_gap_ms=round(longest * 1000))
        assert longest <= 2 * STEADY_INTERVAL
        at.check()
        leases = events(at.nginx, "lease")
        assert len(leases) == 3 and leases[-1]["pid"] == new["pid"]


def test_killed_prober_without_a_successor_is_known_to_be_dead() -> None:
    # The master's new worker would take the dead one's slot, and the lease with it: here there is none for a while.
    with steady(3, allowed="exited on signal 9") as at:
        old = prober(at.nginx)
        os.kill(at.nginx.pid, signal.SIGSTOP)
        try:
            os.kill(old["pid"], signal.SIGKILL)
            until(lambda: lease_epoch(at.region) > old["epoch"], "another one probes before its patience is over", 0.5)
            at.probed_anew()
        finally:
            os.kill(at.nginx.pid, signal.SIGCONT)
        until(lambda: settled(at.nginx, 3), "the dead one has a successor")
        at.check()
        assert at.longest_gap() <= 2 * STEADY_INTERVAL


def test_prober_alone_is_followed_by_its_successor() -> None:
    with steady(1, allowed="exited on signal 9") as at:
        old = prober(at.nginx)
        os.kill(old["pid"], signal.SIGKILL)
        until(lambda: [worker.pid for worker in at.nginx.workers()] not in ([], [old["pid"]]), "another worker")
        until(lambda: prober(at.nginx)["epoch"] > old["epoch"], "it probes")
        at.check()
        assert at.longest_gap() <= 2 * STEADY_INTERVAL


def stop_in_a_probe(at: Steady) -> int:
    """The prober's pid: stopped while it waits for the good endpoint's answer, which never comes."""
    pid, seen = prober(at.nginx)["pid"], len(at.good.requests)
    at.good.mode = "silent"
    until(lambda: len(at.good.requests) > seen, "a probe is on its way", every=0.001)
    os.kill(pid, signal.SIGSTOP)
    at.good.mode = "ok"
    return pid


def test_stopped_prober_is_followed_and_changes_nothing_when_it_goes_on(figures) -> None:
    # One failure is enough here: what the woken one takes for a time-out would be a change.
    with steady(4, STEADY.replace("fall=2", "fall=1")) as at:
        longest = 0.0
        for _ in range(2):
            pid, stopped = stop_in_a_probe(at), time.monotonic()
            try:
                until(lambda: all(b.requests[-1].time > stopped for b in (at.good, at.sick)), "another one probes")
                longest = max(longest, time.monotonic() - stopped)
                until(lambda: at.good.requests[-1].time > stopped + 2 * STEADY_INTERVAL, "it goes on")
            finally:
                os.kill(pid, signal.SIGCONT)
            at.check()
            assert endpoints(at.nginx)[0]["failures"] == 0, "what the stopped one waited for counts for nothing"
            assert prober(at.nginx)["pid"] != pid
        figures(stops=2, longest_until_probed_ms=round(longest * 1000))
        assert longest <= 2 * STEADY_INTERVAL
        assert len(events(at.nginx, "lease")) == 3


def test_two_that_are_stopped_one_after_the_other_and_go_on_together() -> None:
    with steady(4, STEADY.replace("fall=2", "fall=1")) as at:
        stopped, epoch = [], lease_epoch(at.region)
        try:
            stopped.append(stop_in_a_probe(at))
            until(lambda: lease_epoch(at.region) > epoch, "another one probes")
            stopped.append(until(lambda: prober_soon(at.nginx), "a worker answers"))
            os.kill(stopped[1], signal.SIGSTOP)
            until(lambda: lease_epoch(at.region) > epoch + 1, "a third one probes")
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        at.check()
        assert prober(at.nginx)["pid"] not in stopped


def prober_soon(nginx: Nginx) -> int | None:
    """None: the kernel has given the connection to a worker that is stopped."""
    try:
        with Connection(nginx.port, timeout=0.3) as connection:
            connection.ask("/bluegreen/status", headers={"Connection": "close"})
            return json.loads(connection.answer().body)["prober"]["pid"]
    except OSError:
        return None
