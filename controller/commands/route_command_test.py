"""weight, hold, release, maintenance and switch --hold as programs: words, files, exit codes. With NGINX:
tests/integration/hold_switch_test.py."""

from __future__ import annotations

import json
import subprocess

from cli_host import BGCTL, WORD_OFFSET, Host


def route_of(host: Host) -> tuple[str, int, list[str]]:
    app = host.status()["apps"]["app"]
    return app["active"], app["weight"], app["flags"]


def hold_bit(host: Host) -> int:
    word = host.control.read_bytes()[WORD_OFFSET:WORD_OFFSET + 8]
    return int.from_bytes(word, "little") >> 16 & 1


def test_weight_is_percent_on_the_command_line_and_basis_points_in_json(ready: Host) -> None:
    result = ready.run("weight", "0.25")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(
        "app: 0.25% to green (nothing published, bluegreen_server lines count), 99.75% to blue "
        "(before: 0%, generation 2)")
    assert route_of(ready) == ("blue", 25, [])
    verdict = json.loads(ready.run("weight", "12.5", "--json").stdout)
    assert (verdict["weight"], verdict["weight_before"], verdict["active"]) == (1250, 25, "blue")
    assert "12.5% on green" in ready.run("status").stdout
    full = ready.run("weight", "100")
    assert "blue is still the active color: finish with `bgctl switch green`" in full.stdout
    assert route_of(ready) == ("blue", 10_000, [])
    assert ready.run("weight", "0").stdout.startswith("app: blue serves alone (green had 100%")
    assert ready.run("weight", "7").returncode == 0
    assert ready.run("switch", "green").returncode == 0
    assert route_of(ready) == ("green", 0, [])


def test_weight_on_a_closed_color_needs_force_which_opens_it(ready: Host) -> None:
    ready.run("drain", "green", "--timeout", "0s")
    refused = ready.run("weight", "5")
    assert refused.returncode == 2
    assert "application app: green is closed" in refused.stderr
    assert route_of(ready) == ("blue", 0, ["closed_green"])
    assert ready.run("weight", "0").returncode == 0
    assert route_of(ready) == ("blue", 0, ["closed_green"])
    assert ready.run("weight", "5", "--force").returncode == 0
    assert route_of(ready) == ("blue", 500, [])


def test_hold_is_seen_with_its_time_prolonged_and_released(ready: Host) -> None:
    result = ready.run("hold", "--for", "60s")
    assert result.returncode == 0
    assert result.stdout.startswith("app: new requests wait until 20")
    assert "they go to blue, generation 2" in result.stdout
    app = ready.status()["apps"]["app"]
    assert app["flags"] == ["hold"] and 50_000 < app["hold"]["left_ms"] <= 60_000
    assert ", held for " in ready.run("status").stdout
    shorter = json.loads(ready.run("hold", "--for", "5s", "--json").stdout)
    assert 50_000 < shorter["hold_left_ms"] <= 60_000
    longer = json.loads(ready.run("hold", "--for", "24h", "--json").stdout)
    assert longer["hold_left_ms"] > 86_000_000
    # A plain switch, a weight and maintenance leave it as it is.
    for words in (["switch", "green"], ["weight", "5"], ["maintenance", "on"], ["switch", "blue"]):
        assert ready.run(*words).returncode == 0
        assert ready.status()["apps"]["app"]["hold"]["left_ms"] > 86_000_000
    assert "; requests are held for 86" in ready.run("switch", "green").stdout
    assert ", maintenance is on (`bgctl maintenance off` ends it)" in ready.run("switch", "green").stdout
    released = ready.run("release")
    assert released.stdout.startswith("app: released, 0 waiting requests go to green")
    assert route_of(ready) == ("green", 0, ["maintenance"])
    assert ready.run("release").stdout == "app: nothing is held; green serves\n"
    assert ready.run("maintenance", "off").stdout.startswith("app: maintenance is off, green serves")
    assert ready.run("maintenance", "off").stdout.startswith("app: maintenance is off already")
    assert route_of(ready) == ("green", 0, [])


def test_hold_whose_time_is_over_is_no_hold_and_its_flag_goes_with_the_next_change(
    ready: Host,
) -> None:
    assert ready.run("hold", "--for", "1ms").returncode == 0
    app = ready.status()["apps"]["app"]
    assert app["flags"] == [] and "hold" not in app
    assert hold_bit(ready) == 1
    ready.run("weight", "1")
    assert hold_bit(ready) == 0


def test_switch_with_hold_that_nothing_can_prove_holds_nobody_and_is_60(ready: Host) -> None:
    before = ready.control.read_bytes()
    result = ready.run("switch", "green", "--hold", "--timeout", "100ms", "--json")
    assert result.returncode == 60
    verdict = json.loads(result.stdout)
    assert verdict["active"] == "blue"
    assert verdict["reason"] == (f"telemetry cannot be read: {ready.telemetry}: no such file; "
                                 "nothing was held")
    assert verdict["headline"].startswith("app: not switched to green after ")
    assert verdict["hint"].startswith("`bgctl doctor` says")
    assert ready.control.read_bytes() == before


def test_hold_of_a_killed_switch_is_ended_by_the_next_command(ready: Host) -> None:
    ready.run("hold", "--for", "10m")
    name = f"app-{ready.control_id()}-app"
    (ready.run_dir / f"{name}.holder").write_text(
        json.dumps({"pid": 999999999, "command": "switch --hold", "id": "", "since": "today"}))
    result = ready.run("weight", "5")
    assert result.returncode == 0
    assert "a `switch --hold` that was killed had left requests waiting; they go to blue" in result.stderr
    assert route_of(ready) == ("blue", 500, [])
    # One that somebody asked for stays, whoever was killed meanwhile.
    ready.run("hold", "--for", "10m")
    (ready.run_dir / f"{name}.holder").write_text(
        json.dumps({"pid": 999999999, "command": "switch", "id": "", "since": "today"}))
    ready.run("weight", "6")
    assert route_of(ready) == ("blue", 600, ["hold"])


def killed_at_the_control_lock(host: Host, *words: str) -> bool:
    """Dies of SIGKILL as it takes its second lock: it has the application and has changed nothing."""
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:signal=KILL:when=2"]
    options = ["--control", str(host.control), "--telemetry", str(host.telemetry), "--app", "app"]
    return subprocess.run([*strace, BGCTL, *words, *options], env=host.env, timeout=60, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0


def test_killed_switch_with_hold_that_has_held_nobody_ends_nobody_elses_hold(ready: Host) -> None:
    ready.run("hold", "--for", "10m")
    assert killed_at_the_control_lock(ready, "switch", "blue", "--hold")  # which is active already
    assert list(ready.run_dir.glob("*.holder")), "it was killed while it had the application"
    assert "had left requests waiting" not in ready.run("weight", "8").stderr
    assert route_of(ready) == ("blue", 800, ["hold"])


def test_hold_of_a_killed_switch_is_ended_though_the_next_command_is_killed_too(ready: Host) -> None:
    ready.run("hold", "--for", "10m")
    holder = ready.run_dir / f"app-{ready.control_id()}-app.holder"
    holder.write_text(json.dumps({"pid": 999999999, "command": "switch --hold", "id": "", "since": "today"}))
    for _ in range(2):
        assert killed_at_the_control_lock(ready, "weight", "7")
        assert route_of(ready) == ("blue", 0, ["hold"])
    assert "had left requests waiting" in ready.run("weight", "7").stderr
    assert route_of(ready) == ("blue", 700, [])
    assert not holder.exists()
