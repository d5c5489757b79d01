"""What deploys and rollbacks do to clients and to everything that stands beside them."""

import os
import time

FIVES = 5 if os.environ.get("BLUEGREEN_FULL") else 1  # `scripts/test --full`


def test_five_deploys_under_load_fail_no_request_and_leave_none_stale(host, loading):
    workers, mysql = host.nginx_workers(), host.started("mysql")
    with loading() as seen:
        for version in ("v2", "v3", "v1", "v2", "v3") * FIVES:
            host.deploy(version, flips=seen)
    judged = seen.judge()
    print(f"requests {seen.result['requests']}, failed {seen.result['failed']}, stale {judged['stale']}, "
          f"slowest {seen.result['slowest_ms']} ms, by release {seen.served()}")
    assert (seen.result["failed"], judged["failed"], judged["stale"]) == (0, 0, 0)
    assert judged["flips"] == 5 * FIVES
    assert len({color for color, _ in seen.served()}) == 2
    assert host.nginx_workers() == workers
    assert host.started("mysql") == mysql


def test_a_deploy_waits_for_nginx_to_have_probed_the_new_color(host):
    done = host.deploy("v1" if host.status()["release"].endswith("v2") else "v2")
    trace = done.stdout + done.stderr
    assert "not waited for" not in trace, trace
    status = host.status()
    (endpoint,) = status["colors"][status["active"]]["endpoints"]
    assert endpoint["health"] == "healthy", status
    assert endpoint["probes"] >= 2, status


def test_no_request_reaches_the_old_color_after_drain_said_0(host, loading):
    keeping = host.write_config("keep.json", keep_old="10m")
    with loading():
        host.deploy("v1" if host.status()["release"].endswith("v2") else "v2", config=keeping)
        old = host.idle()
        drained = host.bgctl("drain", old, "--timeout", "10s", config=keeping)
        drained_at = time.time_ns()
        assert drained.returncode == 0, drained.stdout + drained.stderr
        time.sleep(2)  # load that could go astray
    assert host.running(f"app_{old}")
    late = [line for line in host.app_requests(old) if line["time_ns"] > drained_at]
    print(f"requests that {old} logged after its drain: {len(late)}")
    assert late == []
    assert host.app_requests(old), "the old color's log has no request at all: nothing was measured"


def test_rollback_returns_at_once_to_a_color_that_still_runs(host, loading):
    keeping = host.write_config("keep.json", keep_old="10m")
    host.deploy("v2", config=keeping)
    before = host.status()
    host.deploy("v3", config=keeping)
    old = host.started(f"app_{before['active']}")
    with loading() as seen:
        began = time.monotonic()
        done = host.bgctl("rollback", config=keeping)
        took = time.monotonic() - began
    print(f"rollback took {took * 1000:.0f} ms; failed {seen.result['failed']}\n{done.stdout}{done.stderr}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (host.status()["active"], host.status()["release"]) == (before["active"], before["release"])
    assert seen.result["failed"] == 0
    assert host.started(f"app_{before['active']}") == old


def test_rollback_starts_the_previous_image_when_it_was_stopped(host, loading):
    host.deploy("v1")
    before = host.status()
    host.deploy("v2")
    assert not host.running(f"app_{before['active']}")
    with loading() as seen:
        done = host.bgctl("rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.status()["release"] == before["release"]
    assert seen.result["failed"] == 0


def test_the_image_is_pulled_by_its_versioned_tag(host):
    image = host.image("v3")
    host.engine.docker("image", "rm", "--force", image, check=False)
    host.engine.docker("pull", image)
    digests = host.engine.inspect(image, "{{json .RepoDigests}}")
    print(f"docker pull {image}: {digests}")
    assert "@sha256:" in digests
