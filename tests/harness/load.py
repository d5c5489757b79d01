"""loadgen in front of an NGINX while a block runs, and its judge's verdict afterwards.

    with Load(nginx.port, folder, "green") as load:      # green is what must answer
        ...
    load.judged["failed"], load.judged["stale"]           # stale: answered by another color
"""

import csv
import dataclasses
import json
import pathlib
import signal
import subprocess
import time

from .paths import program
from .wait import until


@dataclasses.dataclass
class Failure:
    end_ns: int  # CLOCK_MONOTONIC
    error: str


class Load:
    def __init__(self, port: int, folder: pathlib.Path, color: str, *, clients: int = 8, path: str = "/",
                 headers: tuple[str, ...] = (), body: int = 64, method: str = "POST") -> None:
        self.record, self.flips, self.color = folder / "record.csv", folder / "flips", color
        self.command = [program("loadgen"), "--port", str(port), "--clients", str(clients), "--method", method,
                        "--body", str(body), "--path", path, "--seconds", "0", "--record", self.record]
        for header in headers:
            self.command += ["--header", header]
        self.judged: dict[str, int] = {}

    def __enter__(self) -> "Load":
        begin = time.monotonic_ns()
        self.flips.write_text(f"{begin} {begin + 1} {self.color}\n")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        try:
            until(lambda: self.record.exists() and self.record.stat().st_size > 0, "the load has begun")
        except AssertionError:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.summary = json.loads(self.process.communicate(timeout=30)[0])
        if kind is None:
            self.judged = json.loads(subprocess.run(
                [program("loadgen"), "judge", "--record", self.record, "--flips", self.flips], capture_output=True,
                text=True, timeout=120, check=True).stdout)

    def failures(self) -> list[Failure]:
        with open(self.record, newline="") as file:
            return [Failure(int(row[1]), row[6] or f"status {row[2]}") for row in csv.reader(file)
                    if row[6] or not row[2].startswith("2")]
