"""Migrations, hooks and the contract in real deploys: when they run, what they are told, how they are ended,
and what a failure of theirs ends with."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess

from deploy_process_test import Host, a_host, load_on
from harness import program, until

HOOK = """\
echo "$1" >>"$0.calls"
env >"$0.env.$1"
echo "output of $1"
"""
# Deaf to SIGTERM, with a child that is too and keeps the output open.
HANG = """\
trap '' TERM
sleep 1000 &
echo $! >"$0.child"
echo $$ >"$0.pid"
echo "about to hang"
wait
"""
DAEMON = """\
sleep 1000 &
echo $! >"$0.child"
"""
LISTS = ("pre_flip", "post_flip", "post_stop", "on_failure")


def script(host: Host, name: str, text: str) -> str:
    path = host.folder / name
    path.write_text(text)
    return str(path)


def hook(host: Host, name: str, text: str = HOOK, timeout: str = "20s") -> dict:
    return {"command": ["/bin/sh", script(host, "hook.sh" if text is HOOK else f"{name}.sh", text), name],
            "timeout": timeout}


def calls(host: Host) -> list[str]:
    path = host.folder / "hook.sh.calls"
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def told(host: Host, name: str) -> dict[str, str]:
    lines = (host.folder / f"hook.sh.env.{name}").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def is_gone(path: pathlib.Path) -> bool:
    """The process whose id is in the file has ended; a zombie has."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{path.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def trace(host: Host, deploy: str, name: str) -> str:
    return (host.traces / "app" / deploy / name).read_text()


def run_deploy_pid(host: Host) -> int:
    found = host.deploys()
    assert found, "no deploy runs"
    return found[0]


def generation(host: Host) -> int:
    return json.loads(host.done("status", "--json").stdout)["apps"]["app"]["generation"]


def test_hooks_run_in_order_and_are_told_what_is_documented() -> None:
    with a_host() as (host, _):
        host.env |= {"SECRET_OF_THE_CALLER": "x", "HOME": "/root", "LANG": "C.UTF-8"}
        host.configure(migrate=hook(host, "migrate"), hooks={name: [hook(host, name)] for name in LISTS})
        host.done("deploy", "v1")
        calls(host)
        host.done("deploy", "v2", "--id", "d2")
        assert calls(host) == ["migrate", "pre_flip", "post_flip", "post_stop"]
        for name in ("migrate", *LISTS[:3]):
            expected = {
                "BLUEGREEN_APP": "app", "BLUEGREEN_DEPLOY_ID": "d2", "BLUEGREEN_COLOR": "blue",
                "BLUEGREEN_OLD_COLOR": "green", "BLUEGREEN_IMAGE": "v2", "BLUEGREEN_RELEASE": "v2",
                "BLUEGREEN_OLD_RELEASE": "v1", "BLUEGREEN_OLD_IMAGE": "v1", "BLUEGREEN_STEP": name,
                "BLUEGREEN_TRACE": str(host.traces / "app/d2")}
            environment = told(host, name)
            assert {key: value for key, value in environment.items() if key.startswith("BLUEGREEN")} == expected
            assert set(environment) - set(expected) <= {"PATH", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}
            assert environment["HOME"] == "/root" and environment["PATH"]
            assert f"{name} progress output of {name}" in trace(host, "d2", "log")
        assert '"step":"migrate"' in trace(host, "d2", "events.ndjson")

        # Kept for a while, the old color stops later, and so run its hooks.
        host.configure(keep_old="1s")
        host.done("deploy", "v3", "--id", "d3")
        assert "post_stop" not in calls(host)
        until(lambda: "post_stop done" in trace(host, "d3", "log"), "the old color has stopped and its hooks ran", 20)
        assert calls(host) == ["post_stop"]
        assert told(host, "post_stop")["BLUEGREEN_DEPLOY_ID"] == "d3" and not host.listening("blue")

        host.done("rollback")
        assert "migrate" not in calls(host)


def test_failed_migration_moves_nothing_and_its_output_is_in_the_trace() -> None:
    with a_host() as (host, _):
        host.done("deploy", "v1")
        before = generation(host)
        host.configure(migrate=hook(host, "bad", 'echo "no such table: visits"; exit 3\n'),
                       hooks={"on_failure": [hook(host, "on_failure")]})
        ended = host.run("deploy", "v2", "--id", "d2")
        assert ended.returncode == 40, ended
        assert ended.stdout.startswith("deploy of v2 failed at migrate: green serves v1 (trace "), ended
        assert "no such table: visits" in ended.stdout and "exited with 3" in ended.stdout
        assert len(ended.stdout) + len(ended.stderr) < 2000
        assert "migrate progress no such table: visits" in trace(host, "d2", "log")
        assert generation(host) == before and not host.listening("blue")
        assert '"step":"start"' not in trace(host, "d2", "journal")
        until(lambda: (host.folder / "hook.sh.env.on_failure").exists(), "on_failure has run")
        until(lambda: "on_failure done" in trace(host, "d2", "log"), "on_failure has ended")
        assert told(host, "on_failure")["BLUEGREEN_EXIT_CODE"] == "40"
        assert told(host, "on_failure")["BLUEGREEN_REASON"].endswith("/sh exited with 3")


def test_hook_that_hangs_is_killed_whole_and_the_old_color_serves(figures) -> None:
    with a_host() as (host, _):
        host.done("deploy", "v1")
        hang = hook(host, "hang", HANG, "300ms")
        for settings, code in (({"migrate": hang}, 40), ({"migrate": None, "hooks": {"pre_flip": [hang]}}, 60)):
            settings = {key: value for key, value in settings.items() if value}
            host.settings.pop("migrate", None)
            host.configure(**settings)
            ended = host.run("deploy", "v2")
            assert ended.returncode == code, ended
            assert "did not end within" in ended.stdout and "about to hang" in ended.stdout
            assert host.serving() == ("green", "v1") and not host.listening("blue")
            for name in ("pid", "child"):
                until(lambda name=name: is_gone(host.folder / f"hang.sh.{name}"), "the hook and its child are gone")
        # One whose child keeps the output open ends all the same; the child does not survive it.
        host.configure(hooks={"pre_flip": [hook(host, "daemon", DAEMON)]})
        host.done("deploy", "v2")
        until(lambda: is_gone(host.folder / "daemon.sh.child"), "what the hook has left is gone")
        # A request to stop does not wait for its limit.
        host.configure(hooks={"pre_flip": [hook(host, "hang", HANG, "1h")]})
        (host.folder / "hang.sh.pid").unlink()
        deploy = host.start("deploy", "v3", "--id", "aborted")
        until(lambda: (host.folder / "hang.sh.pid").exists(), "the hook runs")
        os.kill(run_deploy_pid(host), signal.SIGTERM)
        out, _ = deploy.communicate(timeout=10)
        assert deploy.returncode == 95 and "blue serves v2" in out, out
        until(lambda: is_gone(host.folder / "hang.sh.child"), "the hook's child is gone")


def test_hook_of_a_deploy_that_was_killed_is_ended_by_the_recovery() -> None:
    with a_host() as (host, _):
        host.done("deploy", "v1")
        host.configure(migrate=hook(host, "hang", HANG, "1h"))
        deploy = host.start("deploy", "v2", "--id", "killed")
        until(lambda: (host.folder / "hang.sh.pid").exists(), "the migration runs")
        os.kill(run_deploy_pid(host), signal.SIGKILL)
        deploy.communicate(timeout=30)
        assert deploy.returncode == 90 and not is_gone(host.folder / "hang.sh.pid")
        (host.folder / "hang.sh.pid").rename(host.folder / "first.pid")
        assert host.run("recover").returncode == 0
        for name in ("first.pid", "hang.sh.child"):
            until(lambda name=name: is_gone(host.folder / name), "the orphan is gone")
        # Undone, not run again.
        assert not (host.folder / "hang.sh.pid").exists()
        assert host.serving() == ("green", "v1")


def test_failed_post_flip_hook_rolls_back_and_fails_no_request(figures) -> None:
    with a_host() as (host, nginx):
        host.done("deploy", "v1")
        host.configure(hooks={"post_flip": [hook(host, "bad", "exit 1\n")], "on_failure": [hook(host, "on_failure")]})
        with load_on(nginx, host.folder) as record:
            ended = host.run("deploy", "v2", "--id", "d2")
        assert ended.returncode == 70, ended
        assert ended.stdout.startswith("deploy of v2 failed at post_flip and was rolled back: green serves v1")
        assert host.serving() == ("green", "v1")
        (host.folder / "flips").write_text("")
        judged = json.loads(subprocess.run(
            [program("loadgen"), "judge", "--record", record, "--flips", host.folder / "flips"],
            capture_output=True, text=True, timeout=60, check=True).stdout)
        figures(requests=judged["requests"], failed=judged["failed"])
        assert judged["requests"] > 100 and judged["failed"] == 0, judged
        until(lambda: "on_failure done" in trace(host, "d2", "log"), "on_failure has ended")
        assert told(host, "on_failure")["BLUEGREEN_EXIT_CODE"] == "70"


def test_contract_waits_for_the_old_release_and_bars_the_way_back() -> None:
    with a_host(keep_old="600s") as (host, _):
        missing = host.run("contract")
        assert missing.returncode == 2 and "apps.app.contract" in missing.stderr
        host.configure(contract=hook(host, "contract"))
        host.done("deploy", "v1", "--id", "d1")
        host.done("deploy", "v2", "--id", "d2")
        refused = host.run("contract", "--id", "early")
        assert refused.returncode == 20, refused
        assert "green still runs v1" in refused.stdout and "keep_old" in refused.stdout
        assert calls(host) == [] and not (host.traces / "app/.contract").exists()

        host.configure(keep_old="0s")
        host.done("deploy", "v3", "--id", "d3")
        # One that fails may have removed something: it bars the way back too, until it is made good.
        host.configure(contract=hook(host, "bad", "echo cannot drop; exit 1\n"))
        failed = host.run("contract", "--id", "c1")
        assert failed.returncode == 40 and "cannot drop" in failed.stdout, failed
        refused = host.run("rollback", "--id", "r0")
        assert refused.returncode == 20 and "did not end well" in refused.stdout, refused
        host.configure(contract=hook(host, "contract"))
        done = host.done("contract", "--id", "c2")
        assert done.stdout.startswith("contract of app is done: green serves v3"), done
        assert calls(host) == ["contract"]
        environment = told(host, "contract")
        assert environment["BLUEGREEN_COLOR"] == "green" and environment["BLUEGREEN_IMAGE"] == "v3"
        assert environment["BLUEGREEN_OLD_RELEASE"] == "v2"

        refused = host.run("rollback", "--id", "r1")
        assert refused.returncode == 20, refused
        assert "a rollback to v2 is refused" in refused.stdout and "c2" in refused.stdout
        assert host.serving() == ("green", "v3")
        listed = json.loads(host.done("history", "--json").stdout)["deploys"]
        assert [(each["command"], each["exit"]) for each in listed[:2]] == [("rollback", 20), ("contract", 0)]
        assert "contract done" in host.done("show", "c2").stdout

        # A deploy that fails leaves the bar; one that works is a new place to go back from.
        assert host.run("deploy", "exits").returncode == 50
        assert host.run("rollback", "--id", "r2").returncode == 20
        host.done("deploy", "v4")
        assert host.done("rollback").stdout.startswith("rolled back: green serves v3")
