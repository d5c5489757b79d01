"""100 switches under 16 keep-alive POST clients: failed requests, and stale ones.

The measurement is the integration test of that name; this runs it and reads the figures that it left.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

from harness.paths import BIN

from .report import Row

TEST = "test_switches_under_16_keepalive_post_clients_fail_nothing_and_leave_nothing_stale"
FILE = pathlib.Path(__file__).resolve().parent.parent.parent / "integration" / "flips_test.py"


def measure_flips(_: argparse.Namespace) -> list[Row]:
    figures = BIN.parent / "figures" / f"{TEST}.json"
    figures.unlink(missing_ok=True)
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{FILE}::{TEST}"],
                         capture_output=True, text=True, timeout=300, check=False,
                         env=dict(os.environ, PYTHONPATH=str(FILE.parent.parent)))
    what = "100 `bgctl switch` under 16 keep-alive POST clients, 4 workers: failed; stale"
    if not figures.exists():
        tail = run.stdout.splitlines()[-20:]
        return [Row("flips", what, "no figure", "0; 0", False, tail, {})]
    data = json.loads(figures.read_text())
    passed = run.returncode == 0 and (data["failed"], data["stale"]) == (0, 0)
    notes = [", ".join(f"{name} {value}" for name, value in data.items())]
    return [Row("flips", what, f"{data['failed']}; {data['stale']}", "0; 0", passed,
               notes if passed else notes + run.stdout.splitlines()[-20:], data)]

