"""bgctl as a program: what it prints, what it returns, what it leaves. No NGINX: regions are files."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

from cli_host import BGCTL, WORD_OFFSET, Host


def test_init_makes_the_region_once_and_never_touches_a_live_route(host: Host) -> None:
    first = host.run("init")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == (f"{host.control}: made\napplication app: added, blue is active\n")
    assert host.run("switch", "green").returncode == 0
    before = host.control.read_bytes()
    again = host.run("init")
    assert again.returncode == 0
    assert "its route is untouched" in again.stdout
    assert host.control.read_bytes() == before
    more = host.bare("init", "--control", str(host.control), "--app", "second", "--json")
    assert json.loads(more.stdout)["added"] == ["second"]
    assert host.status()["apps"]["app"]["active"] == "green"


def test_init_leaves_no_other_file_beside_the_region(ready: Host) -> None:
    assert {entry.name for entry in ready.folder.iterdir()} <= {"control", "run"}


def test_switch_says_in_its_first_line_what_serves_now(ready: Host) -> None:
    result = ready.run("switch", "green")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0].startswith("app: green serves now (")
    again = ready.run("switch", "green")
    assert again.returncode == 0
    assert again.stdout.startswith("app: green serves already (")
    assert ready.status()["apps"]["app"]["generation"] == 2


def test_switch_json_is_a_verdict(ready: Host) -> None:
    verdict = json.loads(ready.run("switch", "green", "--json").stdout)
    assert verdict["schema"] == 1
    assert (verdict["result"], verdict["exit"]) == ("done", 0)
    assert (verdict["active"], verdict["previous"], verdict["app"]) == ("green", "blue", "app")


def test_switch_finds_the_only_application_by_itself(ready: Host) -> None:
    assert ready.bare("switch", "green", "--control", str(ready.control)).returncode == 0
    ready.bare("init", "--control", str(ready.control), "--app", "second")
    result = ready.bare("switch", "blue", "--control", str(ready.control))
    assert result.returncode == 2
    assert "expected --app NAME: the region has several applications (app, second)" in result.stderr


@pytest.mark.parametrize("command", [["switch", "green"], ["drain", "green"], ["status"]])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "too short: expected 1576960 bytes, found 0"),
        (b"x" * 2_000_000, "not a bluegreen control region: expected magic "),
        (b"BGTELE\r\n" + bytes(2_000_000), "not a bluegreen control region: expected magic "),
    ],
    ids=["missing", "empty", "foreign", "telemetry"],
)
def test_region_that_is_missing_or_foreign_is_refused_by_name(
    host: Host, command: list[str], content: bytes | None, message: str
) -> None:
    if content is not None:
        host.control.write_bytes(content)
    result = host.run(*command)
    assert result.returncode == 2
    assert f"{host.control}: {message}" in result.stderr
    if content is not None:
        assert host.control.read_bytes() == content


@pytest.mark.parametrize("size", [0, 63, 64, 4096, 100_000, 1_576_959])
def test_region_that_was_cut_is_refused_with_both_sizes(ready: Host, size: int) -> None:
    os.truncate(ready.control, size)
    result = ready.run("switch", "green")
    assert result.returncode == 2
    assert f"{ready.control}: too short: expected 1576960 bytes, found {size}" in result.stderr


def test_damaged_word_is_named_and_left_as_it_is(ready: Host) -> None:
    ready.overwrite(WORD_OFFSET, bytes.fromhex("efbeadde00000000"))
    before = ready.control.read_bytes()
    result = ready.run("switch", "green")
    assert result.returncode == 2
    assert f"{ready.control}: application app: damaged route word 0x00000000deadbeef" in result.stderr
    assert "expected check 0x" in result.stderr
    status = ready.run("status", "--json")
    assert status.returncode == 2
    document = json.loads(status.stdout)
    assert document["control"]["state"] == "damaged"
    assert document["apps"]["app"]["state"] == "damaged"
    assert ready.control.read_bytes() == before


def test_word_of_another_region_is_foreign(ready: Host, tmp_path: Path) -> None:
    other = Host(tmp_path / "other")
    other.folder.mkdir()
    other.run("init")
    word = other.control.read_bytes()[WORD_OFFSET:WORD_OFFSET + 8]
    ready.overwrite(WORD_OFFSET, word)
    assert ready.run("switch", "green").returncode == 2


def test_status_json_has_the_contract_s_shape(ready: Host) -> None:
    document = ready.status()
    assert document["schema"] == 1
    assert document["control"] == {
        "state": "ok", "path": str(ready.control), "id": ready.control_id()
    }
    assert document["telemetry"]["state"] == "missing"
    app = document["apps"]["app"]
    assert {"active", "generation", "weight", "flags", "release", "colors"} <= app.keys()
    for color in ("blue", "green"):
        assert {"release", "in_flight", "requests", "endpoints"} <= app["colors"][color].keys()


def test_status_of_a_missing_control_file_still_answers(host: Host) -> None:
    result = host.run("status", "--json")
    assert result.returncode == 2
    document = json.loads(result.stdout)
    assert document["control"]["state"] == "missing"
    assert document["apps"] == {}


def test_switch_while_the_application_is_held_names_the_holder(ready: Host) -> None:
    ready.run("switch", "green")
    name = f"app-{ready.control_id()}-app"
    (ready.run_dir / f"{name}.holder").write_text(
        json.dumps({"pid": os.getpid(), "command": "deploy", "id": "d-7", "since": "today"})
    )
    with open(ready.run_dir / f"{name}.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = ready.run("switch", "blue", "--json")
        for words in (["weight", "5"], ["hold"], ["release"], ["maintenance", "on"],
                      ["switch", "blue", "--hold"]):
            assert ready.run(*words).returncode == 10
        doctor = ready.run("doctor")
    assert result.returncode == 10
    wanted = f"application app is locked by bgctl deploy d-7, process {os.getpid()}, since today"
    assert wanted in result.stderr
    assert json.loads(result.stdout)["exit"] == 10
    assert "application app is held by bgctl deploy" in doctor.stdout
    assert ready.status()["apps"]["app"]["active"] == "green"
    assert ready.run("switch", "blue").returncode == 0


def test_switches_at_once_each_end_with_0_or_10(ready: Host) -> None:
    command = [BGCTL, "switch", "--control", str(ready.control), "--app", "app"]
    running = [
        subprocess.Popen([*command, color], env=ready.env, text=True,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for color in ["green", "blue"] * 20
    ]
    codes = []
    for process in running:
        _, errors = process.communicate(timeout=60)
        codes.append(process.returncode)
        assert process.returncode == 0 or "application app is locked by " in errors
    assert set(codes) <= {0, 10}
    assert 0 in codes
    assert ready.run("status").returncode == 0


def test_drain_refuses_the_active_color(ready: Host) -> None:
    result = ready.run("drain", "blue")
    assert result.returncode == 2
    assert "blue is active and cannot be drained" in result.stderr
    assert ready.status()["apps"]["app"]["flags"] == []


def test_drain_without_telemetry_closes_the_color_and_says_that_nothing_is_proven(
    ready: Host,
) -> None:
    result = ready.run("drain", "green", "--timeout", "50ms")
    assert result.returncode == 80
    lines = result.stdout.splitlines()
    assert lines[0].startswith("app: green is closed, not proven empty")
    assert lines[1] == f"  reason: telemetry cannot be read: {ready.telemetry}: no such file"
    assert ready.status()["apps"]["app"]["flags"] == ["closed_green"]
    assert ready.run("switch", "green").returncode == 0
    assert ready.status()["apps"]["app"]["flags"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "bgctl: no command given"),
        (["contracts"], 'bgctl: unknown command "contracts"'),
        (["weight"], "bgctl weight: PERCENT is missing\nusage: bgctl weight PERCENT"),
        (["weight", "50.001"], 'bgctl weight: PERCENT: expected 0 to 100 with at most two decimals, '
                               'as in "5" or "0.25", found "50.001"'),
        (["weight", "101"], 'found "101"'),
        (["weight", "-1"], 'found "-1"'),
        (["maintenance", "yes"], 'bgctl maintenance: STATE: expected on or off, found "yes"'),
        (["hold", "--for", "25h"], 'bgctl hold: --for: expected "1ms" to "24h", found "25h"'),
        (["hold", "--for", "0s"], 'found "0s"; to end a hold: bgctl release'),
        (["hold", "--for", "ever"], '--for: expected a duration as in "30s"'),
        (["switch", "green", "--timeout", "5s"], "--timeout: expected together with --hold"),
        (["switch", "green", "--hold", "--timeout", "24h"],
         '--timeout: expected less than 24h, found "24h"'),
        (["switch", "green", "--hold", "--control", "c", "--app", "app"],
         "--hold: expected --telemetry FILE beside --control"),
        (["config", "chek"], 'bgctl config: VERB: expected check or example, found "chek"'),
        (["frobnicate"], 'bgctl: unknown command "frobnicate"'),
        (["switch"], "bgctl switch: COLOR is missing\nusage: bgctl switch COLOR"),
        (["switch", "red"], 'COLOR: expected blue or green, found "red"'),
        (["switch", "green", "blue"], 'bgctl switch: unexpected argument "blue"'),
        (["switch", "green", "--bogus"], "bgctl switch: unknown option --bogus"),
        (["drain", "green", "--timeout", "soon"], '--timeout: expected a duration as in "30s"'),
        (["--app"], "bgctl: no command"),
    ],
)
def test_bad_command_line_is_2_with_what_was_wrong(
    host: Host, words: list[str], message: str
) -> None:
    result = host.bare(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


def test_help_lists_every_command_and_every_exit_code(host: Host) -> None:
    result = host.bare("--help")
    assert (result.returncode, result.stderr) == (0, "")
    for word in ("init", "status", "switch COLOR", "weight PERCENT", "hold", "release",
                 "maintenance STATE", "drain COLOR", "doctor", "version"):
        assert f"\n  {word} " in result.stdout
    for code in (0, 2, 10, 20, 30, 40, 50, 60, 70, 71, 80, 90, 95):
        assert f"\n  {code} " in result.stdout
    assert host.bare("switch", "--help").stdout.startswith(
        "usage: bgctl switch COLOR [--force] [--hold] [--timeout DURATION]\n")


def test_configuration_names_files_and_application(host: Host) -> None:
    config = host.folder / "bgctl.json"
    config.write_text(json.dumps({
        "control": str(host.control), "telemetry": str(host.telemetry),
        "apps": {"tool": {"runtime": "process",
                          "process": {"command": ["/bin/true"], "ports": {"blue": 1, "green": 2}}}},
    }))
    assert host.bare("init", BGCTL_CONFIG=str(config)).returncode == 0
    assert host.bare("switch", "green", "--config", str(config)).stdout.startswith("tool: green")
    config.write_text('{"apps": {"tool": {"runtime": "process", "port": 1}}}')
    result = host.bare("switch", "blue", "--config", str(config))
    assert result.returncode == 2
    assert f"{config}: 2 problems" in result.stderr
    assert "apps.tool.port: unknown key" in result.stderr


def test_missing_configuration_is_named(host: Host) -> None:
    result = host.bare("switch", "green", "--config", "/nowhere/bgctl.json")
    assert result.returncode == 2
    assert "/nowhere/bgctl.json: the configuration cannot be read" in result.stderr


def test_run_directory_that_cannot_be_made_is_named(ready: Host) -> None:
    ready.env["BGCTL_RUN_DIR"] = "/proc/nothing/here"
    result = ready.run("switch", "green")
    assert result.returncode == 2
    assert "/proc/nothing/here: the folder for locks cannot be made" in result.stderr


def test_output_to_a_closed_pipe_does_not_end_a_switch_half_way(ready: Host) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(
        [BGCTL, "switch", "green", "--control", str(ready.control), "--app", "app"],
        env=ready.env, stdout=write_end, stderr=write_end, timeout=60, check=False,
    )
    os.close(write_end)
    assert result.returncode == 0
    assert ready.status()["apps"]["app"]["active"] == "green"


def test_libcurl_is_not_loaded_by_the_commands_that_need_no_http(ready: Host) -> None:
    for words in (["switch", "green"], ["status"], ["drain", "blue", "--timeout", "0s"],
                  ["weight", "0"], ["hold"], ["release"], ["maintenance", "on"],
                  ["switch", "blue", "--hold", "--timeout", "1ms"]):
        ready.env["LD_DEBUG"] = "files"
        result = ready.run(*words)
        assert result.returncode in (0, 60, 80)
        assert "libcurl" not in result.stderr


def test_config_example_is_a_configuration_that_check_accepts(host: Host) -> None:
    example = host.bare("config", "example")
    assert (example.returncode, example.stderr) == (0, "")
    config = host.folder / "bgctl.json"
    config.write_text(example.stdout)
    checked = host.bare("config", "check", "--config", str(config))
    assert (checked.returncode, checked.stdout) == (0, f"{config}: can be used; applications: app\n")
    config.write_text(example.stdout.replace("8000", "80000"))
    broken = host.bare("config", "check", "--config", str(config))
    assert broken.returncode == 2
    assert "apps.app.compose.port" in broken.stderr and "80000" in broken.stderr


def test_show_and_logs_read_a_deploy_s_trace_and_no_other_file(host: Host) -> None:
    config = host.folder / "bgctl.json"
    trace = host.folder / "trace"
    config.write_text(json.dumps({
        "control": str(host.control), "trace_dir": str(trace),
        "apps": {"tool": {"runtime": "process", "process": {"command": ["/bin/true"],
                                                            "ports": {"blue": 1, "green": 2}}}}}))
    (trace / "tool" / "d1").mkdir(parents=True)
    (trace / "tool" / "d1" / "request").write_text(json.dumps({"command": "deploy", "image": "v1", "by": "ssm 0f3b"}))
    (trace / "tool" / "d1" / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in (
        {"at_ms": 1000, "step": "start", "state": "started"}, {"at_ms": 1100, "step": "start", "state": "progress"},
        {"at_ms": 1250, "step": "start", "state": "done", "text": "green\x1b[2J", "ms": 250},
        {"at_ms": 3250, "step": "healthy", "state": "failed", "text": "no answer", "ms": 2000})) + '{"at_ms": 4')
    (trace / "tool" / "d1" / "log").write_text("one\ntwo\n")
    given = ("--config", str(config))
    assert "was interrupted" in host.bare("show", "d1", *given).stdout
    (trace / "tool" / "d1" / "verdict.json").write_text(json.dumps(
        {"schema": 1, "exit": 50, "headline": "deploy of v1 failed at healthy"}))
    shown = host.bare("show", "d1", *given)
    assert (shown.returncode, shown.stdout) == (0, (
        "deploy of v1 failed at healthy\n"
        "timeline: deploy v1, asked by ssm 0f3b\n"
        "  +250ms  start done in 250ms: green\\x1b[2J\n"
        "  +2.2s  healthy failed in 2.0s: no answer\n"))
    told = json.loads(host.bare("show", "d1", "--json", *given).stdout)
    assert (told["exit"], told["requested"]["by"]) == (50, "ssm 0f3b")
    assert [event["state"] for event in told["timeline"]] == ["started", "progress", "done", "failed"]
    assert host.bare("logs", "d1", *given).stdout == f"==> {trace}/tool/d1/log <==\none\ntwo\n"
    for word in ("d2", "../tool/d1", "/etc"):
        missing = host.bare("show", word, *given)
        assert missing.returncode == 2
        assert f'application tool has no deploy "{word}"' in missing.stderr


def test_relative_run_directory_is_refused(ready: Host) -> None:
    ready.env["BGCTL_RUN_DIR"] = "run"
    result = ready.run("switch", "green")
    assert result.returncode == 2
    assert 'BGCTL_RUN_DIR: expected an absolute path, found "run"' in result.stderr


def test_deploy_that_cannot_begin_says_so_in_less_than_ssm_keeps(host: Host) -> None:
    config = host.folder / "bgctl.json"
    config.write_text(json.dumps({"apps": {f"app{n}": {"runtime": "none"} for n in range(60)}}))
    result = host.bare("deploy", "v1", "--config", str(config))
    assert result.returncode == 2
    assert f"{config}: 60 problems" in result.stderr
    assert len(result.stdout) + len(result.stderr) < 2000
    assert len(host.bare("config", "check", "--config", str(config)).stderr) > 2000  # here all of them
