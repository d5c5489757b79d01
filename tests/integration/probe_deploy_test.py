"""bgctl beside an NGINX that probes: a deploy waits for what the probes find, and no switch goes to a dead color."""

import contextlib
import json
import time
from collections.abc import Iterator

from deploy_process_test import Host
from harness import Nginx, Region, free_port, until, work_folder
from harness.hostile_backend import HostileBackend
from harness.region import bgctl
from probe_stage import becomes, endpoint, events, probing

# The application's health asks for a status alone; only the probe looks at the release's name.
PROBE = 'bluegreen_probe uri=/ready interval=200ms fast_interval=100ms rise=3 "body=~ v[0-9]";'


@contextlib.contextmanager
def probed_host(**app: object) -> Iterator[tuple[Host, Nginx]]:
    with work_folder() as folder:
        host = Host(folder, **app)
        try:
            http = host.region.http(free_port(), upstream=f"keepalive 16; {PROBE}")
            with Nginx(folder, http, workers=2, level="notice") as nginx:
                yield host, nginx
        finally:
            host.end()


def steps(host: Host, deploy: str) -> list[tuple[str, str]]:
    lines = (host.traces / "app" / deploy / "events.ndjson").read_text().splitlines()
    return [(event["step"], event["state"]) for event in map(json.loads, lines)]


def test_deploy_flips_when_the_probes_have_found_the_new_color_healthy(figures) -> None:
    with probed_host() as (host, nginx):
        host.done("deploy", "v1", "--id", "d1")
        began = time.monotonic()
        host.done("deploy", "v2", "--id", "d2")
        figures(deploy_ms=round((time.monotonic() - began) * 1000))
        for deploy in ("d1", "d2"):
            order = [step for step, state in steps(host, deploy) if state == "done"]
            assert order.index("publish") < order.index("probed") < order.index("flip"), order
        told = [event for event in reversed(nginx.status()["events"])
                if event["kind"] == "flip" or event["after"] == "healthy"]
        # Of each deploy: first the health, then the flip.
        assert [(event["kind"], event["color"]) for event in told][-2:] == [("health", "blue"), ("flip", "blue")], told
        assert nginx.get("/").headers["X-Release"] == "v2"


def test_release_that_the_probes_do_not_find_healthy_is_taken_back() -> None:
    with probed_host(healthy_within="2s") as (host, nginx):
        host.done("deploy", "v1")
        ended = host.run("deploy", "broken", "--id", "bad")
        assert ended.returncode == 50, (ended.stdout, ended.stderr)
        said = " ".join((ended.stdout + ended.stderr).split())
        assert "NGINX's probes did not find blue healthy within 2.0s" in said, said
        assert "the body's first 4 KB are not what body=~ asks for" in said, said
        assert ("probed", "failed") in steps(host, "bad") and ("flip", "done") not in steps(host, "bad")
        assert nginx.get("/").headers["X-Release"] == "v1"
        until(lambda: not host.listening("blue"), "the broken one is stopped")
        host.done("deploy", "v2")
        assert nginx.get("/").headers["X-Release"] == "v2"


def switch(region: Region, *more: str):
    return bgctl("switch", "green", *more, "--app", region.app, "--control", region.control, "--telemetry",
                 region.telemetry, check=False)


def test_switch_to_a_color_whose_endpoints_are_all_dead_is_refused() -> None:
    with HostileBackend() as blue, HostileBackend() as first, HostileBackend() as second:
        with probing([blue.address], workers=2) as (nginx, region):
            region.publish("green", "v2", [first.address, second.address])
            for place, backend in enumerate((first, second)):
                becomes(nginx, "healthy", place, "green")
                backend.die()
                becomes(nginx, "unhealthy", place, "green")
            refused = switch(region)
            assert refused.returncode == 50, (refused.stdout, refused.stderr)
            said = " ".join((refused.stdout + refused.stderr).split())
            assert ("NGINX's probes find every endpoint of green unhealthy "
                    f"({first.address}: connect: Connection refused); blue goes on serving") in said, said
            assert nginx.status()["apps"]["app"]["active"] == "blue" and not events(nginx, "flip")

            second.live()  # one that is well is enough
            becomes(nginx, "healthy", 1, "green")
            assert endpoint(nginx, 0, "green")["health"] == "unhealthy"
            assert switch(region).returncode == 0
            assert nginx.status()["apps"]["app"]["active"] == "green"


def test_switch_to_a_dead_color_can_be_insisted_on() -> None:
    with HostileBackend() as blue, HostileBackend("reset") as green:
        with probing([blue.address]) as (nginx, region):
            region.publish("green", "v2", [green.address])
            becomes(nginx, "unhealthy", color="green")
            assert switch(region).returncode == 50 and switch(region, "--force").returncode == 0
            assert nginx.status()["apps"]["app"]["active"] == "green"
