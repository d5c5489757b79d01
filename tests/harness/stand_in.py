"""Says what the probes found, in the prober's place: prober_tool (prober_tool.cpp) holds the lease and writes the words."""

import subprocess

from .paths import program
from .region import Region


class ProberStandIn:
    """While it runs, no worker probes; at first every endpoint is unknown. Needs an NGINX that runs on `region`."""

    def __init__(self, region: Region) -> None:
        self._process = subprocess.Popen([program("prober_tool"), region.telemetry, region.control, region.app],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "ProberStandIn":
        self._answered()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert code == 0, code

    def finds(self, color: str, place: int, health: str) -> None:
        """The next request of every worker knows it."""
        assert self._process.stdin is not None
        print(color, place, health, file=self._process.stdin, flush=True)
        self._answered()

    def _answered(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line == "ok\n", line
