"""Load by tools/loadgen, and what its record says."""

import csv
import json
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from shell import await_condition, run


class Load:
    def __init__(self, binary: Path, record: Path):
        self.binary = binary
        self.record = record
        self.result = {}
        self.flips = []

    def flip(self, begin_ns, return_ns, color):
        self.flips.append(f"{begin_ns} {return_ns} {color}")

    def judge(self):
        flips = self.record.with_suffix(".flips")
        flips.write_text("\n".join(self.flips) + "\n")
        judged = run(self.binary, "judge", "--record", self.record, "--flips", flips, check=False)
        return json.loads(judged.stdout)

    def rows(self):
        with open(self.record, encoding="ascii") as file:
            # A header line, if any, has no number first.
            return [row for row in csv.reader(file) if row and row[0].isdigit()]

    def served(self):
        """{(color, release): requests} of all answers."""
        seen = {}
        for row in self.rows():
            seen[row[3], row[4]] = seen.get((row[3], row[4]), 0) + 1
        return seen


@contextmanager
def load(binary, host, port, record, clients=16):
    """Keep-alive POSTs for as long as the block runs; `result` is loadgen's document afterwards."""
    loading = Load(binary, record)
    process = subprocess.Popen(
        [binary, "--host", host, "--port", str(port), "--clients", str(clients), "--method", "POST",
         "--body", "512", "--seconds", "600", "--record", str(record)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        await_condition("loadgen has begun", lambda: record.exists() or process.poll() is not None, 10)
        time.sleep(0.3)  # not a wait for an event: some load before, so that the block meets it running
        yield loading
        time.sleep(0.3)  # and some after
    finally:
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert process.returncode in (0, 1), f"loadgen ended with {process.returncode}: {err}"
    loading.result = json.loads(out)
