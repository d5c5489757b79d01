"""Deploys killed at named places, under steady load: at each kill point of the source, by SIGKILL; by SIGTERM
at each step; and as by a reboot, after which the run directory and the telemetry are empty."""

import os
import shutil
import signal
import time

from deploy_process_test import a_host
from kill_stage import NEEDS_ENGINE, Stage, a_stage, one_of_each, points_of_source, spread


def test_deploy_killed_at_each_kill_point_of_the_source_is_settled_and_fails_no_request(figures) -> None:
    with a_stage() as stage:
        places = stage.rehearse("points")
        undone = stage.rehearse("points", "exits", 50)
        never = points_of_source() - NEEDS_ENGINE - set(places) - set(undone)
        assert not never, f"kill points that no deploy meets: {sorted(never)}"
        for number in one_of_each(places, 21):
            stage.kill("points", number)
        # What only an undo meets, and with it some of the rest of the way back.
        only = [number for number, name in enumerate(undone, 1) if name not in places]
        back = list(range(len(undone) * 2 // 3, len(undone) + 1))
        for number in sorted({*only, *spread(back, 2)}):
            stage.kill("points", number, image="exits")
        # Numbers are those of the rehearsal; a wait that was shorter this time moves them.
        missed = points_of_source() - NEEDS_ENGINE - set(stage.killed)
        for number in [places.index(name) + 1 for name in sorted(missed) if name in places]:
            for near in (number, number - 1, number + 1):
                if places[number - 1] not in stage.killed:
                    stage.kill("points", near)
        missed -= set(stage.killed)
        assert not missed, f"kill points at which no deploy was killed: {sorted(missed)}"
    figures(points=len(points_of_source() - NEEDS_ENGINE), met=len(places) + len(undone), killed=len(stage.killed),
            requests=stage.requests, failed=stage.failed)
    assert stage.requests > 500 and stage.failed == 0


def test_sigterm_at_each_step_leads_to_a_safe_state_within_ten_seconds(figures) -> None:
    longest = 0.0
    with a_stage() as stage:
        places = stage.rehearse("points")
        # The intent of each step is the first thing that it writes.
        steps = [number for number, name in enumerate(places, 1) if name == "journal record durable"]
        for number in spread(steps, 6):
            before = stage.host.serving()
            begin = time.monotonic()
            ended, name, image = stage.deploy("points", f"run-deploy {number} TERM")
            took = time.monotonic() - begin
            longest = max(longest, took)
            assert ended.returncode in (0, 95), (number, ended)
            assert took < 10, (number, took)
            assert len(stage.met()) > number
            stage.check(f"SIGTERM {number}", image if ended.returncode == 0 else before[1])
            stage.check_journal(f"SIGTERM {number}", name)
            stage.killed.append(name)
    figures(killed=len(stage.killed), longest_s=round(longest, 1), requests=stage.requests, failed=stage.failed)
    assert stage.failed == 0


def reboot(stage: Stage) -> None:
    """All processes are gone, /run is empty, the disk has what it had; then NGINX starts."""
    host, nginx = stage.host, stage.nginx
    for pid in host.processes():
        os.kill(pid, signal.SIGKILL)
    nginx.stop()
    shutil.rmtree(host.folder / "locks")
    host.region.telemetry.unlink()
    nginx.start()


def test_host_that_reboots_in_a_deploy_is_settled_by_recover_and_deploys_again(figures) -> None:
    with a_host() as (host, nginx):
        stage = Stage(host, nginx)
        places = stage.rehearse("points")
        for number in spread(list(range(1, len(places) + 1)), 3):
            stage.deploy("points", f"run-deploy {number}")
            stage.gone()
            assert len(stage.met()) == number
            stage.killed.append(places[number - 1])
            reboot(stage)
            seen = nginx.status()  # and not by `bgctl status`, which would have it recovered
            assert seen["control"]["state"] == "ok" and seen["telemetry"]["state"] == "ok", (number, seen)
            host.done("recover")
            # What ran is gone with this runtime's session; the next deploy brings it back.
            stage.number += 1
            host.done("deploy", f"v{stage.number}", "--id", f"k{stage.number}")
            stage.check(f"reboot {number} ({places[number - 1]})", f"v{stage.number}")
    figures(killed=len(stage.killed))
