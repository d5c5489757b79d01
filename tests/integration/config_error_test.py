"""What the configuration must not say: a template, one bad line, the exact message with file and line."""

import re
import subprocess

import pytest

from harness import Nginx, Region, free_port, nginx_version, work_folder

TEMPLATE = """\
    bluegreen_control {folder}/control;
    bluegreen_telemetry {folder}/run/telemetry;
    upstream app {{
        bluegreen app;
        bluegreen_server blue 127.0.0.1:8001;
        bluegreen_server green 127.0.0.1:8002 weight=2;
        keepalive 16;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://app; }}
        location /status {{ bluegreen_status; }}
    }}
"""

# Until 1.29.7 `keepalive` wraps what stands before it, and is refused there; then it wraps at the end.
KEEPALIVE_ORDER_COUNTS = nginx_version() < (1, 29, 7)
BESIDE_A_BALANCER = ('stand before "keepalive" and without another load balancing method' if KEEPALIVE_ORDER_COUNTS
                     else 'not stand beside another load balancing method or "sticky"')

# the template's line that is replaced (or "" with a replacement of the whole), by what, the message
CASES = {
    "unknown color": (
        "bluegreen_server blue 127.0.0.1:8001;", "bluegreen_server red 127.0.0.1:8001;",
        'invalid color "red" in "bluegreen_server": expected "blue" or "green" in FILE:LINE'),
    "host name": (
        "bluegreen_server blue 127.0.0.1:8001;", "bluegreen_server blue app_blue:8001;",
        'invalid address "app_blue:8001" in "bluegreen_server": expected "IPv4:PORT", "[IPv6]:PORT" or '
        '"unix:PATH"; host names are not resolved in FILE:LINE'),
    "address without a port": (
        "bluegreen_server blue 127.0.0.1:8001;", "bluegreen_server blue 127.0.0.1;",
        'invalid address "127.0.0.1" in "bluegreen_server": expected "IPv4:PORT", "[IPv6]:PORT" or '
        '"unix:PATH"; host names are not resolved in FILE:LINE'),
    "weight 0": (
        "bluegreen_server green 127.0.0.1:8002 weight=2;", "bluegreen_server green 127.0.0.1:8002 weight=0;",
        'invalid parameter "weight=0" in "bluegreen_server": expected "weight=N" with N from 1 to 65535 in FILE:LINE'),
    "weight beyond the limit": (
        "bluegreen_server green 127.0.0.1:8002 weight=2;", "bluegreen_server green 127.0.0.1:8002 weight=65536;",
        'invalid parameter "weight=65536" in "bluegreen_server": expected "weight=N" with N from 1 to 65535 '
        'in FILE:LINE'),
    "unknown parameter": (
        "bluegreen_server green 127.0.0.1:8002 weight=2;", "bluegreen_server green 127.0.0.1:8002 backup;",
        'invalid parameter "backup" in "bluegreen_server": expected "weight=N" with N from 1 to 65535 in FILE:LINE'),
    "application name": (
        "bluegreen app;", "bluegreen -app;",
        'invalid application name "-app" in "bluegreen": expected 1 to 63 letters, digits, "-", "_" or ".", not '
        'beginning with "-" or "." in FILE:LINE'),
    "two applications in one upstream": (
        "bluegreen app;", "bluegreen app; bluegreen other;", '"bluegreen" directive is duplicate in FILE:LINE'),
    "control twice": (
        "bluegreen_control {folder}/control;", "bluegreen_control a; bluegreen_control b;",
        '"bluegreen_control" directive is duplicate in FILE:LINE'),
    "telemetry twice": (
        "bluegreen_telemetry {folder}/run/telemetry;", "bluegreen_telemetry a; bluegreen_telemetry b;",
        '"bluegreen_telemetry" directive is duplicate in FILE:LINE'),
    "empty path": (
        "bluegreen_control {folder}/control;", 'bluegreen_control "";',
        '"bluegreen_control" needs the path of a file in FILE:LINE'),
    "another balancer before": (
        "bluegreen app;", "least_conn; bluegreen app;",
        f'"bluegreen" must {BESIDE_A_BALANCER} in FILE:LINE'),
    "another balancer after": (
        "keepalive 16;", "least_conn;",
        'another load balancing method replaces "bluegreen" in upstream "app" in FILE:4'),
    "zone before": (
        "bluegreen app;", "zone app 64k; bluegreen app;",
        '"zone" cannot be used with "bluegreen" in upstream "app" in FILE:LINE'),
    "zone after": (
        "keepalive 16;", "zone app 64k;",
        '"zone" cannot be used with "bluegreen" in upstream "app" in FILE:3'),
    "server line": (
        "keepalive 16;", "server 127.0.0.1:8003;",
        '"server 127.0.0.1:8003" cannot be used with "bluegreen" in upstream "app" in FILE:3, write '
        '"bluegreen_server blue|green ADDRESS"'),
    "bluegreen_server without bluegreen": (
        "bluegreen app;", "server 127.0.0.1:8003;",
        '"bluegreen_server" needs "bluegreen NAME" in upstream "app" in FILE:5'),
    "bluegreen without bluegreen_control": (
        "bluegreen_control {folder}/control;", "# none",
        '"bluegreen" needs "bluegreen_control FILE" in the http block, in upstream "app" in FILE:4'),
    "status in an unknown format": (
        "bluegreen_status;", "bluegreen_status yaml;",
        'invalid parameter "yaml" in "bluegreen_status": expected one of json, prometheus, openmetrics, html'),
    "status kept for too long": (
        "bluegreen_status;", "bluegreen_status json cache=1h;",
        'invalid parameter "cache=1h" in "bluegreen_status": expected "cache=TIME" once, at most 1m'),
    "directive outside of its place": (
        "keepalive 16;", "bluegreen_status;",
        '"bluegreen_status" directive is not allowed here in FILE:LINE'),
}
if KEEPALIVE_ORDER_COUNTS:
    CASES["keepalive before bluegreen"] = (
        "bluegreen app;", "keepalive 4; bluegreen app;",
        f'"bluegreen" must {BESIDE_A_BALANCER} in FILE:LINE')


def write(folder, port: int, old: str, new: str) -> tuple[str, int]:
    """nginx.conf includes the block as a file of its own, so that its lines are the template's."""
    lines = TEMPLATE.format(folder=folder, port=port).splitlines()
    old = old.format(folder=folder)
    at = next(i for i, line in enumerate(lines) if old in line) if old else 0
    lines[at] = lines[at].replace(old, new)
    (folder / "block.conf").write_text("\n".join(lines) + "\n")
    return f"include {folder}/block.conf;", at + 1


@pytest.mark.parametrize("case", CASES)
def test_bad_line_is_refused_with_its_message(case) -> None:
    old, new, message = CASES[case]
    with work_folder() as folder:
        block, line = write(folder, free_port(), old, new)
        run = Nginx(folder, block).test()
        expected = message.replace(" FILE:", f" {folder}/block.conf:").replace("LINE", str(line))
        assert run.returncode == 1
        assert f"[emerg] {expected}" in re.sub(r"\d+#\d+: ", "", run.stderr), run.stderr


def test_status_without_bluegreen_control_is_refused() -> None:
    with work_folder() as folder:
        (folder / "block.conf").write_text("server { listen 127.0.0.1:1;\n location / { bluegreen_status; } }\n")
        run = Nginx(folder, f"include {folder}/block.conf;").test()
        assert ('"bluegreen_status" needs "bluegreen_control FILE" in the http block, in '
                f"{folder}/block.conf:2") in run.stderr


def test_status_may_stand_before_bluegreen_control_and_without_any_application() -> None:
    with work_folder() as folder:
        region = Region(folder)
        region.init()
        http = f"server {{ listen 127.0.0.1:{free_port()}; location = /bluegreen/status {{ bluegreen_status; }} }}"
        with Nginx(folder, http + region.top()) as nginx:
            document = nginx.status()
            assert document["control"]["state"] == document["telemetry"]["state"] == "ok"
            assert document["apps"] == {}


def test_template_itself_is_accepted_and_a_test_run_makes_no_region() -> None:
    with work_folder() as folder:
        block, _ = write(folder, free_port(), "", "")
        run = Nginx(folder, block).test()
        assert run.returncode == 0, run.stderr
        assert not (folder / "control").exists() and not (folder / "run").exists()


def test_test_run_changes_neither_region() -> None:
    with work_folder() as folder:
        region = Region(folder)
        region.init()
        with Nginx(folder, region.http(free_port())) as nginx:
            nginx.get("/")
            before = [(path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
                      for path in (region.control, region.telemetry)]
            other = Nginx(folder, region.http(free_port()).replace("bluegreen app;", "bluegreen another;"),
                          name="tested")
            assert other.test().returncode == 0
            after = [(path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
                     for path in (region.control, region.telemetry)]
            assert before == after


def test_module_without_its_directives_changes_nothing() -> None:
    with work_folder() as folder:
        http = f"server {{ listen 127.0.0.1:{free_port()}; return 204; }}"
        with Nginx(folder, http) as nginx:
            assert nginx.get("/").status == 204
            assert subprocess.run(["ls", folder], capture_output=True, text=True, check=True).stdout == "nginx\n"
