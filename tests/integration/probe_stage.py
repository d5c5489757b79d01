"""What the tests of bluegreen_probe share: an NGINX that probes, and looks at what it found."""

import contextlib
import dataclasses
import os
import struct
import time
from collections.abc import Iterator

from harness import Nginx, Region, free_port, until, work_folder
from harness.hostile_backend import HostileBackend

QUICK = "interval=200ms fast_interval=50ms timeout=150ms fall=2 rise=2"
STEADY_INTERVAL = 0.5
STEADY = "interval=500ms fast_interval=100ms timeout=300ms fall=2 rise=2"
DETAIL_AT = 3444736  # shm/telemetry_detail.hpp


@contextlib.contextmanager
def probing(addresses: list[str], probe: str = QUICK, *, workers: int = 1, **more: object) -> Iterator[tuple[Nginx, Region]]:
    """An application whose blue color, the active one, is these addresses."""
    with work_folder() as folder:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", addresses)
        http = region.http(free_port(), upstream=f"keepalive 16; bluegreen_probe {probe};", **more)
        with Nginx(folder, http, workers=workers) as nginx:
            yield nginx, region


def endpoints(nginx: Nginx, color: str = "blue") -> list[dict]:
    return nginx.status()["apps"]["app"]["colors"][color]["endpoints"]


def endpoint(nginx: Nginx, place: int = 0, color: str = "blue") -> dict:
    return endpoints(nginx, color)[place]


def becomes(nginx: Nginx, health: str, place: int = 0, color: str = "blue", seconds: float = 10) -> dict:
    """Waits until the endpoint has this health; the endpoint as it is then."""
    def look() -> dict | None:
        found = endpoint(nginx, place, color)
        return found if found["health"] == health else None

    try:
        return until(look, f"endpoint {place} of {color} is {health}", seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}: {endpoint(nginx, place, color)}") from None


def all_healthy(nginx: Nginx, color: str = "blue") -> None:
    until(lambda: {e["health"] for e in endpoints(nginx, color)} == {"healthy"}, "every endpoint is healthy")


def prober(nginx: Nginx) -> dict:
    return nginx.status()["prober"]


def lease_epoch(region: Region) -> int:
    """From the file (shm/prober_lease.hpp): where workers are stopped, the document may not be answered."""
    with open(region.telemetry, "rb", buffering=0) as file:
        return struct.unpack("<Q", os.pread(file.fileno(), 8, DETAIL_AT + 64))[0] >> 32


def events(nginx: Nginx, kind: str) -> list[dict]:
    """Oldest first; the document has the last 32 of all kinds."""
    return [event for event in reversed(nginx.status()["events"]) if event["kind"] == kind]


def health_lines(nginx: Nginx) -> list[str]:
    """What the error log says of changes of health, without time and process."""
    return [line.split(": ", 1)[1] for line in nginx.error_log.splitlines()
            if "bluegreen: application" in line and " endpoint " in line]


@dataclasses.dataclass
class Steady:
    """Blue has a good endpoint and a sick one; both have the health that they are to keep."""

    nginx: Nginx
    region: Region
    good: HostileBackend
    sick: HostileBackend

    def settle(self) -> None:
        becomes(self.nginx, "healthy")
        becomes(self.nginx, "unhealthy", 1)
        self.begun = time.monotonic()
        self.before = [(e["health"], e["since"]) for e in endpoints(self.nginx)]
        self.told = len(events(self.nginx, "health"))

    def longest_gap(self) -> float:
        """Between two probes of one endpoint, since it has settled."""
        longest = 0.0
        for backend in (self.good, self.sick):
            times = [*backend.times(), time.monotonic()]
            times = times[next(i for i, t in enumerate(times) if t >= self.begun) - 1:]
            longest = max([longest, *(later - earlier for earlier, later in zip(times, times[1:]))])
        return longest

    def probed_anew(self) -> None:
        """Waits until each has been probed twice from now on: the first one may have been on its way."""
        seen = [len(backend.requests) for backend in (self.good, self.sick)]
        until(lambda: all(len(b.requests) >= n + 2 for b, n in zip((self.good, self.sick), seen)), "two more probes")

    def check(self) -> None:
        """Nothing has changed, and nobody else probes as well."""
        start, seen = time.monotonic(), len(self.good.requests)
        until(lambda: len(self.good.requests) >= seen + 3, "three more probes")
        # The first of three may come at once.
        assert time.monotonic() - start >= 2 * STEADY_INTERVAL * 15 / 16 - 0.05, "probed by more than one worker"
        assert [(e["health"], e["since"]) for e in endpoints(self.nginx)] == self.before
        assert len(events(self.nginx, "health")) == self.told, events(self.nginx, "health")


@contextlib.contextmanager
def steady(workers: int, probe: str = STEADY, kind: type[Nginx] = Nginx, **more: object) -> Iterator[Steady]:
    """With what Nginx takes."""
    with work_folder() as folder, HostileBackend() as good, HostileBackend() as sick:
        sick.status = 503
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [good.address, sick.address])
        http = region.http(free_port(), upstream=f"keepalive 16; bluegreen_probe {probe};")
        with kind(folder, http, workers=workers, **more) as nginx:
            until(lambda: nginx.status()["workers"]["attached"] == workers, "every worker is attached")
            at = Steady(nginx, region, good, sick)
            at.settle()
            yield at
