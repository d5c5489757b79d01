"""Configurations drawn at random, right and wrong ones: `nginx -t` says yes, or no with one line that names file
and line; it never dies, and it makes no file."""

import random
import re
import subprocess

from harness import Nginx, Region, free_port, times, work_folder

SEED = 20261125

# What may stand where a directive wants something: right, and wrong.
WORDS = {
    "app": (["app", "tool", "a.b-c_d", "x" * 63], ["-app", ".app", '""', "x" * 64, "$app", '"a b"']),
    "color": (["blue", "green"], ["red", "Blue", '""']),
    "address": (["127.0.0.1:8001", "[::1]:8002", "unix:/run/a.sock", '"unix:/a b"'],
                ["unix:", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "app_blue:8000", "[::1]", "256.0.0.1:80",
                 "unix:/" + "x" * 200, "[" + "f" * 60 + "]:1", ":80", '""']),
    "weight": (["", "weight=1", "weight=65535"],
               ["weight=0", "weight=65536", "weight=", "weight=-1", "backup", "weight=99999999999999999999"]),
    "time": (["30s", "1m", "1h", '"1m 30s"'], ["0", "500ms", "-1s", "1x", "99999999y", '""', "9" * 40, "1s1m"]),
    "number": (["1", "100", "10000"], ["0", "1000001", "4294967296", "-1", "a", '""', "9" * 30]),
    "variable": (["$cookie_preview", "$http_x_bluegreen_preview"],
                 ["$remote_addr", "$http_", "$nothing_like_it", "text", "$", '""', "$http_" + "x" * 100, "a$arg_b-c"]),
    "method": (["round_robin", "least_conn"], ["random", '""']),
    "file": (["SECRET"], ["/nowhere/at/all", "FOLDER", '""', "relative"]),
    "probe": (["uri=/health", "interval=1s", "fast_interval=100ms", "timeout=2s", "rise=1", "fall=1000", "host=a.b:80",
               "status=200-299,401", "header=X:y", '"body=two words"', '"body=~^(a|b)+$"', "port=8080", "slow=10ms",
               "keepalive=off", "when_all_down=refuse", "method=POST", "ssl=on", "ssl_name=a", "ssl_verify=off"],
              ["uri=x", "interval=0", "fast_interval=2h", "timeout=", "rise=0", "fall=1001", '"host=a b"', "status=99",
               "status=300-200", "header=Host:x", "header=", "body=", '"body=~("', "port=0", "slow=1h", "keepalive=16",
               "when_all_down=x", "method=get", "method=HEAD", "type=udp", "type=tcp", "type=grpc", "service=a",
               "ssl=yes", "ssl_verify=/nowhere/at/all", "ssl_verify=FOLDER", "ssl_verify=SECRET", "nonsense",
               "uri=/" + "x" * 2000, "slow=" + "9" * 300, '""']),
    "type": (["text/html", "application/json"], ["text", "/", '""']),
}


class Draw(random.Random):
    """How wild a configuration is, is drawn first: else none of many words would ever be right."""

    wild = 0.0

    def word(self, kind: str) -> str:
        right, wrong = WORDS[kind]
        return self.choice(wrong if self.random() < self.wild else right)

    def some(self, *counts: int) -> range:
        return range(self.choice(counts))


# NGINX checks variables when all is read, and then names no line.
NGINX_OWN = re.compile(r'unknown "[^"]*" variable$')


def parameters(draw: Draw, *names: str) -> str:
    kinds = {"max": "number", "max_fails": "number", "page": "file", "type": "type"}
    chosen = [f"{name}={draw.word(kinds.get(name, 'time'))}" for name in names if draw.random() < 0.5]
    draw.shuffle(chosen)
    return " ".join(chosen + (["nonsense=1"] if draw.random() < draw.wild / 4 else []))


DIRECTIVES = {
    "bluegreen_server": lambda draw: f"{draw.word('color')} {draw.word('address')} {draw.word('weight')}",
    "bluegreen_balance": lambda draw: draw.word("method") + " " + parameters(
        draw, "max_fails", "fail_timeout", "slow_start"),
    "bluegreen_sticky": lambda draw: " ".join(draw.word("variable") for _ in draw.some(1, 2, 3)),
    "bluegreen_hold": lambda draw: parameters(draw, "timeout", "max", "retry_after"),
    "bluegreen_maintenance": lambda draw: parameters(draw, "page", "type", "retry_after"),
    "bluegreen_preview": lambda draw: f"{draw.word('variable')} {draw.word('file')}",
    "bluegreen_probe": lambda draw: " ".join(dict.fromkeys(draw.word("probe") for _ in draw.some(0, 1, 2, 3))),
    "bluegreen": lambda draw: draw.word("app"),
    "bluegreen_status": lambda draw: "",
    "bluegreen_control": lambda draw: draw.word("file"),
}
ONCE = [name for name in DIRECTIVES if name not in ("bluegreen", "bluegreen_server", "bluegreen_status",
                                                    "bluegreen_control")]


def directive(draw: Draw, name: str = "") -> str:
    name = name or draw.choice(list(DIRECTIVES))
    return f"{name} {DIRECTIVES[name](draw)};"


FOREIGN = ["keepalive 16;", "keepalive 16;", "keepalive 0;", "zone z 64k;", "server 127.0.0.1:9;", "least_conn;",
           "ip_hash;", "hash $uri;", "keepalive_timeout 5s;", "random;"]


def upstream(draw: Draw, name: str) -> str:
    lines = [f"bluegreen {draw.word('app')};"] if draw.random() >= draw.wild / 4 else []
    lines += [directive(draw, "bluegreen_server") for _ in draw.some(0, 1, 2, 5)]
    lines += [directive(draw, name) for name in draw.sample(ONCE, draw.randrange(4))]
    lines += ["keepalive 16;"] if draw.random() < 0.5 else []
    if draw.random() < draw.wild:
        lines += [directive(draw) for _ in draw.some(0, 1)] + draw.sample(FOREIGN, draw.randrange(3))
        draw.shuffle(lines)
    return f"upstream {name} {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def http(draw: Draw, folder: str, port: int) -> str:
    draw.wild = draw.choice([0, 0, 0.05, 0.2, 1])
    odd = draw.wild / 4
    head = [f"bluegreen_control {folder}/control;"] if draw.random() >= odd else []
    head += [f"bluegreen_telemetry {folder}/run/telemetry;"] if draw.random() >= odd else []
    head += [directive(draw)] if draw.random() < odd else []
    parts = [upstream(draw, name) for name in ["app", "tool", "more"][:draw.choice([1, 1, 2, 3])]]
    target = draw.choice(["http://app", "http://app", "https://app", "http://$host"])
    server = (f"server {{\n    listen 127.0.0.1:{port};\n    {directive(draw) if draw.random() < odd else ''}\n"
              f"    location / {{ proxy_pass {target}; {directive(draw) if draw.random() < odd else ''} }}\n"
              "    location = /status { bluegreen_status; }\n"
              "    location /show { return 200 $bluegreen_color$bluegreen_reason$bluegreen_release; }\n}\n")
    text = "\n".join(head + (parts + [server] if draw.random() < 0.8 else [server] + parts))
    return text.replace("SECRET", f"{folder}/secret").replace("FOLDER", folder)


def test_any_configuration_is_taken_or_refused_by_one_line_that_names_it(figures) -> None:
    draw, said_yes, said_no = Draw(SEED), 0, {}
    with work_folder() as folder:
        region = Region(folder)
        (folder / "secret").write_text("0123456789abcdef0123456789abcdef\n")
        nginx = Nginx(folder, "")
        before = set(folder.rglob("*"))
        port = free_port()
        for number in range(times(60 if nginx.sanitized else 300, 3000)):
            nginx.http = http(draw, str(folder), port)
            run: subprocess.CompletedProcess[str] = nginx.test()
            context = (number, nginx.http, run.returncode, run.stderr)
            assert run.returncode in (0, 1), context
            assert "Sanitizer" not in run.stderr and "runtime error" not in run.stderr, context
            lines = [line for line in run.stderr.splitlines() if "[emerg]" in line]
            if run.returncode == 0:
                said_yes += 1
                assert lines == [], context
            else:
                assert len(lines) == 1, context
                assert re.search(rf"in {nginx.config}:\d+\b", lines[0]) or NGINX_OWN.search(lines[0]), context
                first = re.sub(r'"[^"]*"|\d+', "#", lines[0].split("[emerg]", 1)[1])
                said_no[first] = said_no.get(first, 0) + 1
        assert not region.control.exists() and not region.telemetry.exists()
        assert {path for path in folder.rglob("*") if nginx.prefix not in path.parents} == before
    figures(configurations=said_yes + sum(said_no.values()), taken=said_yes, refused=sum(said_no.values()),
            different_messages=len(said_no))
    assert said_yes >= 10 and len(said_no) >= 10
