"""What is known before and after a deploy: `bgctl plan`, the deadline of a whole deploy, and `bgctl status` that
has an interrupted one recovered."""

import json
import os
import subprocess
import time

from deploy_process_test import Host, a_host
from harness import until


def planned(host: Host, image: str, code: int) -> dict:
    ended = host.run("plan", image, "--json")
    assert ended.returncode == code, ended
    return json.loads(ended.stdout)


def test_plan_says_what_the_deploy_then_does_and_changes_nothing() -> None:
    with a_host(deploy_within="5m") as (host, _):
        host.done("deploy", "v1", "--id", "one")
        before = host.region.control.read_bytes()
        plan = planned(host, "v2", 0)
        told = host.done("plan", "v2").stdout
        assert told.startswith("deploy would begin: green serves v1, v2 would go to blue\n"), told
        assert host.region.control.read_bytes() == before
        assert [path.name for path in (host.traces / "app").iterdir()] == ["one"]
        assert (plan["active"], plan["idle"], plan["deploy_within_ms"]) == ("green", "blue", 300000)
        host.done("deploy", "v2", "--id", "two")
        verdict = json.loads((host.traces / "app/two/verdict.json").read_text())
        assert [step["step"] for step in plan["steps"]] == [
            step["name"] for step in verdict["steps"] if step["status"] != "skipped"]
        assert all(step["step"] in told and step["does"] in told for step in plan["steps"])


def test_plan_ends_with_the_code_that_the_deploy_would_end_with() -> None:
    with a_host(healthy_within="3s") as (host, _):
        host.done("deploy", "v1")
        foreground = host.start("deploy", "sick", "--id", "busy")
        until(lambda: (host.traces / "app/busy/journal").exists(), "the deploy has begun")
        locked = planned(host, "v2", 10)
        assert "busy" in next(check["found"] for check in locked["checks"] if check["check"] == "lock")
        foreground.communicate(timeout=60)
        assert foreground.returncode == 50
        long_name = "v" * 200
        assert planned(host, long_name, host.run("deploy", long_name).returncode)["exit"] in (20, 30)


def test_deploy_that_is_not_over_in_time_leaves_the_old_color_serving() -> None:
    with a_host(deploy_within="2s", healthy_within="60s") as (host, _):
        host.configure(deploy_within="60s")
        host.done("deploy", "v1")
        host.configure(deploy_within="2s")
        begin = time.monotonic()
        ended = host.run("deploy", "sick")
        assert ended.returncode == 50 and time.monotonic() - begin < 20, ended
        assert "the deploy was not over within 2s (deploy_within)" in ended.stdout
        assert host.serving() == ("green", "v1") and not host.listening("blue")


def test_status_has_an_interrupted_deploy_settled_and_says_so() -> None:
    with a_host() as (host, _):
        host.done("deploy", "v1")
        foreground = host.start("deploy", "sick", "--id", "dead")
        until(lambda: host.listening("blue"), "blue was started")
        host.kill_deploy()
        foreground.communicate(timeout=60)
        request = host.traces / "app/dead/request"
        os.utime(request, (time.time() - 5, time.time() - 5))  # one that was just asked for is left alone
        bare = ["--control", str(host.region.control), "--telemetry", str(host.region.telemetry)]
        host.config.rename(host.folder / "away")  # without a configuration it shows, and does nothing
        shown = subprocess.run([host.command("status")[0], "status", "--json", *bare], env=host.env, text=True,
                               capture_output=True, timeout=20, check=True)
        assert json.loads(shown.stdout)["apps"]["app"]["active"] == "green" and shown.stderr == ""
        assert host.listening("blue")
        (host.folder / "away").rename(host.config)
        ended = host.run("status")
        assert ended.returncode == 0 and "deploy dead of app was interrupted" in ended.stderr, ended
        until(lambda: not host.listening("blue"), "the interrupted deploy is undone", 20)
        until(lambda: (host.traces / "app/dead/verdict.json").exists(), "and has its verdict", 20)
        assert host.done("status").stderr == ""
