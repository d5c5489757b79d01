"""What bluegreen_probe must not say: one bad parameter, the exact message with file and line; and what stands well."""

import pathlib
import re

import pytest

from harness import Nginx, free_port, work_folder

TEMPLATE = """\
    bluegreen_control {folder}/control;
    bluegreen_telemetry {folder}/run/telemetry;
    upstream app {{
        bluegreen app;
        bluegreen_server blue 127.0.0.1:8001;
        keepalive 16;
        bluegreen_probe {probe};
    }}
    upstream again {{
        bluegreen app;
        {second}
    }}
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://app; }} }}
"""
PROBE_LINE, SECOND_LINE = 7, 11

TIME = "from 10ms to 1h"
# each bad value of a parameter is refused as what it is, with what was expected
PARAMETERS = {
    "uri": ('"uri=PATH" that starts with / and has no space', ["uri=", "uri=health", '"uri=/a b"', "uri=http://x/", "uri=/" + "x" * 1024]),
    "host": ('"host=NAME" or "host=NAME:PORT"', ["host=", "host=a/b", '"host=a b"', "host=user@a", "host=" + "x" * 256]),
    "method": ('"method=GET", HEAD, OPTIONS or POST', ["method=", "method=get", "method=DELETE"]),
    "header": ('"header=Name: value", at most 8 and none that the prober sets itself (Host: use host=)',
               ["header=", "header=X", "header=:x", '"header=X Y: z"', "header=Host:x", "header=content-length:3",
                "header=Connection:close", "header=Transfer-Encoding:chunked"]),
    "interval": (f'"interval=TIME" with TIME {TIME}', ["interval=", "interval=0", "interval=9ms", "interval=1h1s",
                                                       "interval=-1s", "interval=fast"]),
    "fast_interval": (f'"fast_interval=TIME" with TIME {TIME}', ["fast_interval=9ms", "fast_interval=2h"]),
    "timeout": (f'"timeout=TIME" with TIME {TIME}', ["timeout=0", "timeout=2h", "timeout=9" + "9" * 30 + "s"]),
    "rise": ('"rise=N" with N from 1 to 1000', ["rise=", "rise=0", "rise=1001", "rise=-1", "rise=2x"]),
    "fall": ('"fall=N" with N from 1 to 1000', ["fall=0", "fall=1001", "fall=+1", "fall=99999999999999999999"]),
    "status": ('"status=" with up to 8 codes or ranges from 100 to 599, like 200-399,404',
               ["status=", "status=99", "status=600", "status=300-200", "status=2xx", "status=200,", "status=200--300",
                "status=1-2,3", "status=" + ",".join(map(str, range(200, 209)))]),
    "body": ('"body=TEXT" or "body=~PATTERN" of at most 1024 bytes', ["body=", "body=~", "body=" + "x" * 1025]),
    "type": ('"type=http", "type=tcp" or "type=grpc"', ["type=", "type=udp", "type=HTTP"]),
    "service": ('"service=NAME" of at most 255 bytes', ["service=", "service=" + "x" * 256]),
    "ssl": ('"ssl=on" or "ssl=off"', ["ssl=", "ssl=yes", "ssl=On"]),
    "ssl_name": ('"ssl_name=NAME" of at most 255 bytes', ["ssl_name=", "ssl_name=" + "x" * 256]),
    "ssl_verify": ('"ssl_verify=off" or "ssl_verify=FILE"', ["ssl_verify="]),
    "port": ('"port=N" with N from 1 to 65535', ["port=", "port=0", "port=65536", "port=http"]),
    "keepalive": ('"keepalive=on" or "keepalive=off"', ["keepalive=", "keepalive=16"]),
    "slow": ('"slow=TIME" with TIME from 1ms to 1h', ["slow=", "slow=0", "slow=1h1s"]),
    "when_all_down": ('"when_all_down=try" or "when_all_down=refuse"', ["when_all_down=", "when_all_down=serve"]),
}
NAMES = ('"uri=", "host=", "method=", "header=", "interval=", "fast_interval=", "timeout=", "rise=", "fall=", "status=", '
         '"body=", "type=", "service=", "ssl=", "ssl_name=", "ssl_verify=", "port=", "keepalive=", "slow=" or '
         '"when_all_down="')
# what is right alone and not together
TOGETHER = {
    "type=tcp uri=/x": '"uri", "method", "header", "status" and "body" only with "type=http"',
    "type=grpc status=200": '"uri", "method", "header", "status" and "body" only with "type=http"',
    "service=a": '"service" only with "type=grpc"',
    "type=grpc keepalive=on": '"keepalive" only with "type=http"',
    "type=tcp host=a": '"host" with "type=tcp" only beside "ssl=on"',
    "ssl_name=a": '"ssl_name" and "ssl_verify" only with "ssl=on"',
    "ssl=on ssl_verify=/x": '"ssl_name=NAME" or a name as "host" beside "ssl_verify": what else should the certificate be for',
    "ssl=on ssl_verify=/x host=127.0.0.1:1": '"ssl_name=NAME" or a name as "host" beside "ssl_verify"',
    "method=HEAD body=x": 'no "body" with "method=HEAD", whose answer has none',
    "timeout=1s slow=1s": '"slow" shorter than "timeout"',
    "interval=1s fast_interval=2s": '"fast_interval" not longer than "interval"',
}
RIGHT = [
    "", "uri=/health?a=b&c host=app.test:8080 method=OPTIONS", "interval=10ms fast_interval=10ms timeout=10ms",
    "interval=1h timeout=1h slow=1ms rise=1000 fall=1000", "status=100-599", "status=200,204,301-302,401,403,404,410,599",
    '"body=two words"', r'"body=~^\{.*\}$"', "type=tcp", "type=tcp ssl=on host=a", "type=grpc service=a.b.C host=x",
    "ssl=on ssl_verify=off", " ".join(f'"header=X-{i}: {i}"' for i in range(8)), "interval=100ms",
    "when_all_down=refuse keepalive=off port=65535",
]


def tried(folder: pathlib.Path, probe: str, second: str = "", drop: str = "") -> tuple[int, str]:
    """Exit code and error lines of nginx -t; lines are those of the template, which is a file of its own."""
    text = TEMPLATE.format(folder=folder, port=free_port(), probe=probe, second=second)
    (folder / "block.conf").write_text("\n".join("" if drop and drop in line else line for line in text.split("\n")))
    run = Nginx(folder, f"include {folder}/block.conf;").test()
    errors = [line for line in run.stderr.splitlines() if "[emerg]" in line]
    return run.returncode, re.sub(r"^.*\[emerg\] \d+#\d+: ", "", "\n".join(errors)).replace(f"{folder}/block.conf", "FILE")


@pytest.mark.parametrize("name", PARAMETERS)
def test_bad_value_is_refused_with_what_was_expected(name: str) -> None:
    expected, values = PARAMETERS[name]
    with work_folder() as folder:
        for value in values:
            code, said = tried(folder, value)
            plain = value.strip('"')
            plain = plain if len(plain) <= 200 else plain[:200] + "..."
            assert (code, said) == (
                1, f'invalid parameter "{plain}" in "bluegreen_probe": expected {expected} in FILE:{PROBE_LINE}'), value


def test_header_cannot_smuggle_another_line_into_the_request() -> None:
    with work_folder() as folder:
        code, said = tried(folder, '"header=X: a\r\nY: b"')
        assert code == 1 and said.startswith('invalid parameter "header=X: a'), said


def test_unknown_and_repeated_parameters_are_refused() -> None:
    with work_folder() as folder:
        for value in ("intervall=1s", "uri", "=1", "Interval=1s", "/health"):
            assert tried(folder, value) == (
                1, f'invalid parameter "{value}" in "bluegreen_probe": expected {NAMES} in FILE:{PROBE_LINE}')
        assert tried(folder, "rise=1 fall=2 rise=1") == (
            1, f'invalid parameter "rise=1" in "bluegreen_probe": expected each parameter but header once in FILE:{PROBE_LINE}')
        nine = " ".join(f"header=X-{i}:{i}" for i in range(9))
        assert 'invalid parameter "header=X-8:8" in "bluegreen_probe": expected "header=Name: value", at most 8' in tried(
            folder, nine)[1]


@pytest.mark.parametrize("said", TOGETHER)
def test_what_does_not_go_together_is_refused(said: str) -> None:
    with work_folder() as folder:
        code, error = tried(folder, said)
        assert code == 1 and error.endswith(f" in FILE:{PROBE_LINE}"), error
        assert error.startswith(f'parameters of "bluegreen_probe" do not go together: expected {TOGETHER[said]}'), error


def test_pattern_and_file_that_cannot_be_read_are_refused() -> None:
    with work_folder() as folder:
        code, said = tried(folder, '"body=~(unclosed"')
        assert code == 1 and said.startswith('invalid pattern in "bluegreen_probe": ') and f"FILE:{PROBE_LINE}" in said
        assert "missing closing parenthesis" in said, said
        code, said = tried(folder, f"ssl=on host=a ssl_verify={folder}/none.pem")
        assert code == 1 and f"{folder}/none.pem" in said and f"FILE:{PROBE_LINE}" in said, said
        (folder / "empty.pem").write_text("no certificate\n")
        code, said = tried(folder, f"ssl=on host=a ssl_verify={folder}/empty.pem")
        assert code == 1 and f"{folder}/empty.pem" in said, said


def test_probe_in_a_wrong_place_or_twice_is_refused() -> None:
    with work_folder() as folder:
        assert tried(folder, "; bluegreen_probe") == (1, f'"bluegreen_probe" directive is duplicate in FILE:{PROBE_LINE}')
        assert tried(folder, "", "bluegreen_probe uri=/x;") == (
            1, f'"bluegreen_probe" in FILE:{SECOND_LINE}: application "app" has one already, in FILE:{PROBE_LINE}')
        assert tried(folder, "", drop="bluegreen_telemetry") == (
            1, f'"bluegreen_probe" in FILE:{PROBE_LINE} needs "bluegreen_telemetry FILE" in the http block: the workers '
               "share there what one of them finds out")
        assert tried(folder, "; } server { bluegreen_probe; } upstream x { server 127.0.0.1:1")[1].startswith(
            '"bluegreen_probe" directive is not allowed here in FILE:')
        code, said = tried(folder, "; } upstream x { server 127.0.0.1:1; bluegreen_probe")
        assert code == 1 and '"bluegreen_probe" needs "bluegreen NAME" in upstream "x" in FILE:' in said, said


@pytest.mark.parametrize("said", RIGHT)
def test_what_is_right_is_taken_and_makes_no_file(said: str) -> None:
    with work_folder() as folder:
        assert tried(folder, said) == (0, "")
        assert not (folder / "control").exists() and not (folder / "run").exists()
