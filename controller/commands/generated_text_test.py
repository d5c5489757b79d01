"""Completion and manual page: the shells and groff take them, and they know what --help knows."""

from __future__ import annotations

import re
import subprocess

import pytest

from cli_host import BGCTL


def bgctl(*words: str) -> str:
    return subprocess.run([BGCTL, *words], capture_output=True, text=True, check=True).stdout


def commands() -> list[str]:
    listed = bgctl("--help").split("\ncommands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


def completed(*words: str) -> set[str]:
    """What bash would offer for the last word."""
    line = " ".join(f"'{word}'" for word in ("bgctl", *words))
    script = (
        bgctl("completion", "bash")
        + f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _bgctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    )
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return set(result.stdout.split())


def test_bash_offers_every_command_and_only_those_beside_the_options() -> None:
    offered = completed("")
    assert set(commands()) <= offered
    assert all(word.startswith("--") for word in offered - set(commands()))
    assert "run-deploy" not in offered


def test_bash_offers_what_the_command_takes_wherever_the_global_options_stand() -> None:
    assert completed("switch", "gr") == {"green"}
    assert completed("--app", "status", "switch", "b") == {"blue"}
    assert {"--force", "--hold", "--timeout", "--json"} <= completed("switch", "green", "--")
    assert "--force" not in completed("status", "--")


def test_every_option_of_the_help_is_completed() -> None:
    for command in commands():
        options = set(re.findall(r"^  (--[a-z-]+)", bgctl("help", command), re.MULTILINE))
        assert options <= completed(command, "--"), command


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_get_every_command(shell: str) -> None:
    script = bgctl("completion", shell)
    for command in commands():
        assert re.search(rf"\b{command}\b", script), command


def test_an_unknown_shell_is_a_usage_error() -> None:
    result = subprocess.run([BGCTL, "completion", "ksh"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert 'SHELL: expected bash, zsh or fish, found "ksh"' in result.stderr


def test_the_manual_page_has_no_fault_and_names_every_command_and_exit_code() -> None:
    page = bgctl("man")
    shown = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-P-c"], input=page, capture_output=True, text=True, check=True
    )
    assert shown.stderr == ""
    text = re.sub(r".\x08", "", shown.stdout)
    for command in commands():
        assert re.search(rf"^ +bgctl {command}\b", text, re.MULTILINE), command
    codes = bgctl("--help").split("\nexit codes:\n")[1]
    for code in re.findall(r"^  (\d+)", codes, re.MULTILINE):
        assert re.search(rf"^ +{code}\b", text, re.MULTILINE), code
