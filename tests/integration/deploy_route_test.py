"""What a real deploy does with the rest of the route word: fallback in its soak, a canary that somebody has
left, and the hold and maintenance that an operator has ordered."""

import json
import os
import signal

from deploy_process_test import Host, a_host
from harness import Connection, until


def app_of(host: Host) -> dict:
    return json.loads(host.done("status", "--json").stdout)["apps"]["app"]


def run_deploy_pid(host: Host) -> int:
    for pid in host.processes():
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            if "run-deploy" in file.read().split("\0"):
                return pid
    raise AssertionError("no deploy runs")


def test_soak_allows_fallback_and_other_commands_get_10_until_it_is_over() -> None:
    with a_host(soak="8s") as (host, nginx):
        host.done("deploy", "v1")
        deploy = host.start("deploy", "v2")
        until(lambda: app_of(host)["active"] == "blue", "it has flipped")
        assert app_of(host)["flags"] == ["fallback"]
        for words in (["weight", "5"], ["hold"], ["release"], ["maintenance", "on"], ["switch", "green", "--hold"]):
            refused = host.run(*words)
            assert refused.returncode == 10 and "locked by bgctl deploy" in refused.stderr
        out, err = deploy.communicate(timeout=60)
        assert deploy.returncode == 0, (out, err)
        app = app_of(host)
        assert (app["active"], app["weight"], app["flags"]) == ("blue", 0, ["closed_green"])
        assert nginx.get("/").headers["X-Release"] == "v2"


def test_fallback_of_a_soak_that_was_killed_is_ended_by_recover() -> None:
    with a_host() as (host, nginx):
        host.done("deploy", "v1")
        host.configure(soak="30s")
        deploy = host.start("deploy", "v2")
        until(lambda: app_of(host)["flags"] == ["fallback"], "it soaks")
        os.kill(run_deploy_pid(host), signal.SIGKILL)
        deploy.communicate(timeout=60)
        host.configure(soak="0s")
        host.done("recover")
        assert "fallback" not in app_of(host)["flags"]
        assert nginx.get("/").headers["X-Release"] == app_of(host)["release"]


def test_deploy_under_maintenance_and_hold_keeps_both_and_says_so() -> None:
    with a_host() as (host, nginx):
        host.done("deploy", "v1")
        host.done("maintenance", "on")
        ended = host.done("deploy", "v2")
        assert "; maintenance is on (`bgctl maintenance off` ends it)" in ended.stdout.splitlines()[0]
        assert nginx.get("/").status == 503
        host.done("maintenance", "off")
        assert nginx.get("/").headers["X-Release"] == "v2"
        host.done("hold", "--for", "2m")
        with Connection(nginx.port) as client:
            client.ask("/")
            until(lambda: app_of(host)["colors"]["blue"]["waiting"] == 1, "a request waits")
            ended = host.done("deploy", "v3")
            assert "; requests are held for 1" in ended.stdout.splitlines()[0]
            assert app_of(host)["hold"]["left_ms"] > 60_000
            host.done("release")
            assert client.answer().headers["X-Release"] == "v3"  # it waited through the whole deploy


def test_weight_that_was_left_on_the_idle_color_is_gone_with_the_next_deploy() -> None:
    with a_host(keep_old="10m") as (host, nginx):
        host.done("deploy", "v1")
        host.done("deploy", "v2")
        assert host.run("weight", "20").returncode == 2  # green was drained and is closed
        host.done("weight", "20", "--force")
        until(lambda: {nginx.get("/").headers["X-Release"] for _ in range(10)} == {"v1", "v2"}, "both serve")
        host.done("deploy", "v3")
        app = app_of(host)
        assert (app["active"], app["release"], app["weight"]) == ("green", "v3", 0)
        assert {nginx.get("/").headers["X-Release"] for _ in range(10)} == {"v3"}
        host.done("rollback")
        assert (app_of(host)["release"], app_of(host)["weight"]) == ("v2", 0)
