"""Orders to a deploy that runs: abort, promote, a rollback handed to it, signals; the old color serves through all."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from deploy_end_test import deploy_processes, events
from deploy_process_test import APP, Host, load_on
from harness import Connection, Nginx, free_port, program, until, work_folder

# /slow takes its time, so that a drain has something to wait for.
SLOW_APP = APP.replace("import http.server", "import time, http.server").replace(
    "    def answer(self):", "    def answer(self):\n        time.sleep(60 if self.path == '/slow' else 0)")


@contextlib.contextmanager
def a_slow_host(**app: object) -> Iterator[tuple[Host, Nginx]]:
    with work_folder() as folder:
        host = Host(folder, **{"healthy_within": "60s", "drain": {"timeout": "60s"}} | app)
        (folder / "app.py").write_text(SLOW_APP)
        try:
            http = host.region.http(free_port(), listen="reuseport", top="keepalive_requests 1000000000;")
            with Nginx(folder, http, level="notice") as nginx:
                yield host, nginx
        finally:
            host.end()


def begun(host: Host, deploy: str, step: str) -> bool:
    path = host.traces / "app" / deploy / "events.ndjson"
    return path.exists() and f'"step":"{step}"' in path.read_text()


def deploy_pid(host: Host, deploy: str) -> int:
    found = host.deploys(deploy)
    assert found, f"no process of {deploy}"
    return found[0]


def failed_requests(host: Host, record: pathlib.Path) -> tuple[int, int]:
    (host.folder / "flips").write_text("")
    judged = json.loads(subprocess.run(
        [program("loadgen"), "judge", "--record", record, "--flips", host.folder / "flips"],
        capture_output=True, text=True, timeout=60, check=True).stdout)
    return judged["requests"], judged["failed"]


# The step it is stopped in, what the deploy is, and what the host is like.
LONG_STEPS = {
    "healthy": (("sick",), {}),
    "gate": (("v2", "--pause-before", "flip"), {}),
    "soak": (("v2",), {"soak": "60s"}),
    "drain": (("v2",), {}),
}


def test_stop_in_each_long_step_is_safe_within_ten_seconds_and_fails_no_request(figures) -> None:
    took: dict[str, float] = {}
    with a_slow_host() as (host, nginx):
        host.done("deploy", "v1")
        with load_on(nginx, host.folder) as record:
            for step, (arguments, app) in LONG_STEPS.items():
                for how in ("abort", signal.SIGTERM, signal.SIGINT):
                    host.configure(**({"soak": "0s"} | app))
                    took[f"{step}_{how if how == 'abort' else how.name}_ms"] = stop_at(host, nginx, step, arguments, how)
                    assert host.serving() == ("green", "v1") and not host.listening("blue")
        requests, failed = failed_requests(host, record)
    figures(requests=requests, failed=failed, longest_ms=max(took.values()), **took)
    assert failed == 0 and requests > 500
    assert max(took.values()) < 10_000


def stop_at(host: Host, nginx: Nginx, step: str, arguments: tuple[str, ...], how: object) -> int:
    """Milliseconds until the deploy's own command has ended with 95."""
    deploy = f"{step}-{how if how == 'abort' else how.name}"
    with contextlib.ExitStack() as stack:
        if step == "drain":
            stack.enter_context(a_slow_request(nginx))
        command = host.start("deploy", *arguments, "--id", deploy)
        until(lambda: begun(host, deploy, step), f"{step} has begun")
        begin = time.monotonic()
        if how == "abort":
            aborted = host.done("abort")
            assert "green serves v1" in aborted.stdout.splitlines()[0], aborted.stdout
            assert (host.traces / "app" / deploy / "verdict.json").exists()
        else:
            os.kill(deploy_pid(host, deploy), how)
        out, err = command.communicate(timeout=30)
        took = int((time.monotonic() - begin) * 1000)
        assert command.returncode == 95, (deploy, command.returncode, out, err)
        assert "green serves v1" in out.splitlines()[0] and f"at {step}" in out.splitlines()[0]
        assert ("aborted by" in out) == (how == "abort"), out
        return took


@contextlib.contextmanager
def a_slow_request(nginx: Nginx) -> Iterator[None]:
    """Open on the color that serves now; given up at the end."""
    connection = Connection(nginx.port)
    connection.ask("/slow")
    until(lambda: json.loads(nginx.get("/bluegreen/status").body)["apps"]["app"]["colors"]["green"]["in_flight"] > 0,
          "it is in flight")
    try:
        yield
    finally:
        connection.close()


def test_gate_waits_for_promote_and_not_for_ever(figures) -> None:
    with a_slow_host() as (host, nginx):
        host.done("deploy", "v1")
        said = refused(host, "promote")  # perhaps with what is left of the deploy before it
        assert "no deploy of app is running" in said and ": green serves release v1" in said
        command = host.start("deploy", "v2", "--id", "gated", "--pause-before", "flip", "--pause-for", "10m")
        until(lambda: begun(host, "gated", "gate"), "it waits at the gate")
        assert nginx.get("/").headers["X-Release"] == "v1" and host.listening("blue")
        assert json.loads((host.traces / "app/gated/request").read_text())["pause_before"] == "flip"
        assert host.run("deploy", "v3", "--id", "another").returncode == 10
        begin = time.monotonic()
        promoted = host.done("promote")
        figures(promote_ms=int((time.monotonic() - begin) * 1000))
        assert promoted.stdout.startswith("deploy gated is promoted and goes on")
        out, err = command.communicate(timeout=30)
        assert command.returncode == 0 and out.startswith("blue serves v2")
        assert "gate: wait at most 10m00s for `bgctl promote`; `bgctl abort` takes" in err and len(out) + len(err) < 2000

        ended = host.run("deploy", "v3", "--pause-before", "flip", "--pause-for", "1s")
        assert ended.returncode == 60 and "nobody promoted it within 1.0s" in ended.stdout
        assert host.serving() == ("blue", "v2") and not host.listening("green")

        soaking = with_soak(host, "v3", "soaking")
        assert "does not wait to be promoted, it is at soak" in refused(host, "promote")
        host.done("abort")
        soaking.communicate(timeout=30)
        for wrong in (("--pause-before", "pull"), ("--pause-for", "1m"), ("--pause-before", "flip", "--pause-for", "25h")):
            assert host.run("deploy", "v4", *wrong).returncode == 2


def refused(host: Host, *arguments: str) -> str:
    ended = host.run(*arguments)
    assert ended.returncode == 20, ended
    return ended.stderr


def with_soak(host: Host, image: str, deploy: str) -> subprocess.Popen[str]:
    host.configure(soak="60s")
    command = host.start("deploy", image, "--id", deploy)
    until(lambda: begun(host, deploy, "soak"), "it soaks")
    return command


def test_rollback_during_a_deploy_is_handed_to_it_before_and_after_the_flip() -> None:
    with a_slow_host() as (host, nginx):
        host.done("deploy", "v1")
        with load_on(nginx, host.folder) as record:
            command = host.start("deploy", "sick", "--id", "before")
            until(lambda: begun(host, "before", "healthy"), "it waits for its health")
            back = host.done("rollback")
            assert "stopped on request at healthy: green serves v1" in back.stdout.splitlines()[0]
            out, _ = command.communicate(timeout=30)
            assert command.returncode == 95 and "rolled back by" in out

            command = with_soak(host, "v2", "after")
            assert host.serving() == ("blue", "v2")
            back = host.done("rollback", "--json")
            verdict = json.loads(back.stdout)
            assert (verdict["exit"], verdict["command"], verdict["active"], verdict["release"]) == (0, "rollback", "green", "v1")
            out, _ = command.communicate(timeout=30)
            assert command.returncode == 95 and "was rolled back: green serves v1" in out
        assert host.serving() == ("green", "v1") and not host.listening("blue")
        assert failed_requests(host, record)[1] == 0


def test_abort_without_a_deploy_or_after_its_verdict_says_so_and_leaves_keep_old_alone() -> None:
    with a_slow_host(keep_old="3s") as (host, _):
        assert "no deploy of app is running" in refused(host, "abort")
        host.done("deploy", "v1")
        host.done("deploy", "v2", "--id", "last")
        assert "no deploy of app is running" in refused(host, "abort") and host.listening("green")
        assert deploy_processes(host) == ["last"]
        until(lambda: not host.listening("green"), "keep_old is over", 20)
        until(lambda: ("stop", "done", "green is stopped, keep_old is over") in events(host, "last"), "the trace says so")
        assert not [p for p in (host.folder / "locks").iterdir() if p.suffix in (".abort", ".rollback", ".promote")]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_signal_to_the_foreground_ends_the_following_alone_and_says_how_to_abort(how: signal.Signals) -> None:
    with a_slow_host() as (host, _):
        command = host.start("deploy", "v1", "--id", "followed", "--pause-before", "flip")
        until(lambda: begun(host, "followed", "gate"), "it waits at the gate")
        command.send_signal(how)
        out, err = command.communicate(timeout=20)
        assert command.returncode == 90, (out, err)
        assert "the deploy goes on in its own process" in err
        assert "--id followed follows it again; `bgctl abort` stops it and takes it back" in err
        following = host.start("deploy", "v1", "--id", "followed", "--pause-before", "flip")
        host.done("promote")
        assert following.communicate(timeout=30)[0].startswith("green serves v1")
        assert following.returncode == 0
