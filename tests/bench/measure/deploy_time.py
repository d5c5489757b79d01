"""What a deploy and a rollback cost beside what they wait for.

`rollback`: the foreground command as a whole process, from its start to its verdict, while the old
color still runs (keep_old): nothing is pulled and nothing started, so all of it is ours. `overhead`:
whole deploys by the command, less the steps that wait for others (pull, start, health, the canary's
windows, the soak, the drain, the old color's end). Process runtime, a real NGINX, no load: what is
measured is the controller.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from .report import Row
from .switch_time import spawn_ms

sys.path.append(str(Path(__file__).resolve().parents[2] / "integration"))

ROLLBACK_LIMIT_MS = 100.0
OVERHEAD_LIMIT_MS = 200.0
# Time that belongs to a registry, the application, its users or the configuration.
WAITS = {"pull", "migrate", "clear", "start", "healthy", "probed", "smoke", "pre_flip", "gate", "canary", "post_flip",
         "soak", "drain", "stop", "post_stop"}


def last_verdict(traces: Path) -> dict:
    """Of the deploy that ended last."""
    newest = max(traces.glob("app/*/verdict.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text())


def notes_of(verdict: dict) -> str:
    return ", ".join(f"{step['name']} {step['ms']} ms" for step in verdict["steps"])


def measure_rollback(options: argparse.Namespace) -> list[Row]:
    from deploy_process_test import a_host
    with a_host(keep_old="600s") as (host, _):
        host.done("deploy", "v1")
        host.done("deploy", "v2")
        command = host.command("rollback")
        times = []
        for number in range(options.deploys + 2):
            times.append(spawn_ms(command[0], command[1:], host.env | {"SSM_COMMAND_ID": f"r{number}"}))
            assert host.serving()[1] == ("v1" if number % 2 == 0 else "v2")
        verdict = last_verdict(host.traces)
    times = times[2:]
    median = statistics.median(times)
    return [Row("rollback", "`bgctl rollback` while the old color runs, a whole process (median)", f"{median:.0f} ms",
                f"< {ROLLBACK_LIMIT_MS:.0f} ms", median < ROLLBACK_LIMIT_MS,
                [f"{len(times)} rollbacks: least {min(times):.0f} ms, p90 {sorted(times)[len(times) * 9 // 10]:.0f} ms, "
                 f"most {max(times):.0f} ms; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                 f"the last one's steps: {notes_of(verdict)}"],
                {"times_ms": times, "steps": verdict["steps"]})]


def measure_overhead(options: argparse.Namespace) -> list[Row]:
    from deploy_process_test import a_host
    ours, totals = [], []
    with a_host() as (host, _):
        for number in range(options.deploys + 1):
            begin = time.perf_counter_ns()
            host.done("deploy", f"v{number}")
            total = (time.perf_counter_ns() - begin) / 1e6
            verdict = last_verdict(host.traces)
            waited = sum(step["ms"] for step in verdict["steps"] if step["name"] in WAITS)
            totals.append(total)
            ours.append(total - waited)
    ours, totals = ours[1:], totals[1:]  # the first deploy makes folders and warms caches
    median = statistics.median(ours)
    return [Row("overhead", "the controller's own time in a deploy, a whole process (median)", f"{median:.0f} ms",
                f"< {OVERHEAD_LIMIT_MS:.0f} ms", median < OVERHEAD_LIMIT_MS,
                [f"{len(ours)} deploys of {statistics.median(totals):.0f} ms: least {min(ours):.0f} ms, most "
                 f"{max(ours):.0f} ms; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                 f"the last one's steps: {notes_of(verdict)}"],
                {"ours_ms": ours, "totals_ms": totals, "steps": verdict["steps"]})]
