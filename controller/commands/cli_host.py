"""A folder in which bgctl runs as a program, for the tests of its commands. No NGINX: regions are files."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

BGCTL = str(Path(os.environ.get("BLUEGREEN_BIN", "build/release/bin")) / "bgctl")
WRITER = str(Path(BGCTL).parent.parent / "tests" / "region_writer")
WORD_OFFSET = 4096 + 128  # of the first application's route word, see shm/control_region.hpp
ID_OFFSET = 24


class Host:
    """A folder with a control file, a telemetry path and a run directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.control = folder / "control"
        self.telemetry = folder / "telemetry"
        self.run_dir = folder / "run"
        self.env = {"PATH": os.environ["PATH"], "BGCTL_RUN_DIR": str(self.run_dir)}

    def bare(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BGCTL, *words], env={**self.env, **more}, text=True, timeout=60,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.bare(*words, "--control", str(self.control), "--telemetry",
                         str(self.telemetry), "--app", "app")

    def status(self) -> dict:
        return json.loads(self.run("status", "--json").stdout)

    def overwrite(self, offset: int, data: bytes) -> None:
        with open(self.control, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def control_id(self) -> str:
        with open(self.control, "rb") as file:
            file.seek(ID_OFFSET)
            return f"{int.from_bytes(file.read(8), 'little'):016x}"


class Workers:
    """One worker of NGINX, as far as the regions show it."""

    def __init__(self, host: Host) -> None:
        self.process = subprocess.Popen([WRITER, str(host.control), str(host.telemetry), "app"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def do(self, *lines: str) -> None:
        assert self.process.stdin and self.process.stdout
        for line in lines:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "ok\n", line

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(10) == 0
