"""What a deploy shows: a live view under a pty, plain lines in a pipe, and a sane terminal after a kill."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest

from deploy_process_test import Host, a_host
from harness import until

# All that the view may send: up, erase below, colors and their reset.
ESCAPES = re.compile(r"\x1b\[(?:(\d+)A|(J)|(\d*)m)")


class Terminal:
    """A pty with a program on it, and what a terminal of that size would show."""

    def __init__(self, host: Host, words: list[str], width: int, **env: str) -> None:
        self.master, slave = pty.openpty()
        self.width = width
        self.resize(width)
        self.modes = termios.tcgetattr(slave)
        self.slave = slave
        self.program = subprocess.Popen(
            host.command(*words), env={**host.env, "TERM": "xterm", **env}, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True)
        self.bytes = b""

    def resize(self, width: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))

    def read(self, seconds: float = 0.05) -> str:
        while select.select([self.master], [], [], seconds)[0]:
            self.bytes += os.read(self.master, 65536)
        return self.bytes.decode(errors="replace")

    def to_the_end(self) -> int:
        end = time.monotonic() + 60
        while self.program.poll() is None:
            self.read()
            assert time.monotonic() < end, self.bytes
        self.read()
        return self.program.returncode

    def shown(self) -> list[str]:
        rows, at = [""], 0
        text, place = self.read(0), 0
        while place < len(text):
            if escape := ESCAPES.match(text, place):
                place = escape.end()
                if escape[1]:
                    at = max(0, at - int(escape[1]))
                elif escape[2]:
                    del rows[at + 1:]
                    rows[at] = ""
                continue
            char, place = text[place], place + 1
            assert char != "\x1b", f"an escape that leaves more than text: {text[place - 1:place + 8]!r}"
            if char == "\n":
                at += 1
                rows += [""] * (at + 1 - len(rows))
            elif char != "\r":
                rows[at] += char
        return rows

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def terminal(host: Host, *words: str, width: int = 80, **env: str) -> Iterator[Terminal]:
    shown = Terminal(host, list(words), width, **env)
    try:
        yield shown
    finally:
        shown.close()


@pytest.mark.parametrize("width", [20, 80, 200])
def test_a_terminal_gets_each_step_once_in_place_and_then_the_verdict(width: int) -> None:
    with a_host() as (host, _), terminal(host, "deploy", "v1", width=width, LC_ALL="C.UTF-8") as seen:
        assert seen.to_the_end() == 0
        rows = seen.shown()
        verdict = next(i for i, row in enumerate(rows) if row.startswith("green serves v1"))
        view = rows[:verdict]
        for step in ("start", "healthy", "flip"):
            assert len([row for row in view if re.match(rf"✓ {step}\b", row)]) == 1, rows
        assert all(len(row) <= width for row in view)
        assert "\x1b[32m✓\x1b[0m" in seen.read(0)


def test_no_color_and_no_utf8_are_respected() -> None:
    with a_host() as (host, _), terminal(host, "deploy", "v1", LC_ALL="C", NO_COLOR="1") as seen:
        assert seen.to_the_end() == 0
        assert not re.search(r"\x1b\[\d*m", seen.read(0))
        assert seen.bytes.isascii()
        assert any(re.match(r"\+ flip\b", row) for row in seen.shown())


def test_a_timer_moves_a_resize_is_obeyed_and_a_kill_leaves_the_terminal_as_it_was() -> None:
    with a_host(healthy_within="30s") as (host, _), terminal(host, "deploy", "sick", LC_ALL="C.UTF-8") as seen:
        until(lambda: seen.read() and any(re.match(r"• healthy +2s", row) for row in seen.shown()), "the timer counts")
        assert any(row.startswith("  green: runtime says starting") for row in seen.shown()), seen.shown()
        seen.resize(20)
        until(lambda: seen.read() and any(re.match(r"• healthy +4s", row) for row in seen.shown()), "the timer still counts")
        last = seen.read(0)[-400:].split("\x1b[J")[-1]
        assert all(len(ESCAPES.sub("", line).rstrip("\r")) <= 20 for line in last.split("\n")), last
        os.kill(seen.program.pid, signal.SIGKILL)
        seen.program.wait()
        text = seen.read()
        assert termios.tcgetattr(seen.slave) == seen.modes
        assert "?1049" not in text and "?25l" not in text
        assert text.endswith("\n")  # the cursor stands below the view, in no color
        assert (host.traces / "app").exists()


def test_a_pipe_gets_plain_lines_and_json_gets_events_and_one_final_object() -> None:
    with a_host() as (host, _):
        plain = host.done("deploy", "v1")
        assert "\x1b" not in plain.stdout + plain.stderr and "\r" not in plain.stderr
        assert plain.stdout.splitlines()[0].startswith("green serves v1")
        assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in plain.stderr.splitlines())
        asked = host.run("deploy", "v2", "--json")
        steps = [json.loads(line) for line in asked.stderr.splitlines()]
        assert {"flip", "healthy"} <= {event["step"] for event in steps if event["state"] == "done"}
        told = [event["details"] for event in steps if "details" in event]
        assert {"kind": "health", "color": "blue", "container": "healthy"}.items() <= told[-1].items(), told
        assert json.loads(asked.stdout)["result"] == "done"


def test_the_longest_words_leave_the_verdict_first_and_all_of_it_within_what_ssm_keeps() -> None:
    with a_host() as (host, _):
        host.done("deploy", "v1")
        worst = host.run("deploy", "\x02" * 200)  # four characters each, in every line that names it
        assert len(worst.stdout) + len(worst.stderr) < 2000, worst
        first = worst.stdout.splitlines()[0]
        assert "serves" in first and re.search(rf" \(trace {host.traces}/app/\S+\)$", first), first


def test_a_dumb_terminal_gets_plain_lines() -> None:
    with a_host() as (host, _), terminal(host, "deploy", "v1", TERM="dumb") as seen:
        assert seen.to_the_end() == 0
        assert "\x1b" not in seen.read(0)
