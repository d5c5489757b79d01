"""What follows a flip and a verdict: a drain that does not end, who hears of it, and what is kept of it."""

import contextlib
import hashlib
import hmac
import http.server
import json
import pathlib
import threading
import time
from collections.abc import Iterator

from deploy_end_test import events
from deploy_process_test import Host, a_host
from harness import Connection, free_port, until

SECRET = "do-not-write-this-down-7f3a9c"

# Answers /slow when a file is there; everything else at once.
SLOW_APP = '''\
import http.server, os, signal, sys, threading, time

folder, color, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        while self.path == "/slow" and not os.path.exists(folder + "/let_go"):
            time.sleep(0.005)
        self.send_response(200)
        self.send_header("X-Color", color)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *about):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
server.daemon_threads = True
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
'''


class Hooks:
    """A web server that keeps what is posted to it, and answers each path by its list of statuses."""

    def __init__(self, answers: dict[str, list[int]]) -> None:
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.gate = threading.Event()
        hooks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hooks.gate.wait(30)
                hooks.posts.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                left = answers.get(self.path, [200])
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for where, headers, body in self.posts if where == path]


@contextlib.contextmanager
def hooks_at(answers: dict[str, list[int]]) -> Iterator[Hooks]:
    hooks = Hooks(answers)
    try:
        yield hooks
    finally:
        hooks.gate.set()
        hooks.server.shutdown()
        hooks.server.server_close()


def with_notify(host: Host, targets: list[dict[str, object]]) -> None:
    document = json.loads(host.config.read_text())
    host.config.write_text(json.dumps(document | {"notify": targets}))


def told(host: Host, deploy: str) -> list[tuple[str, str]]:
    return [(state, text) for step, state, text in events(host, deploy) if step == "notify"]


def words_of_all_processes() -> bytes:
    words = b""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words += (entry / "cmdline").read_bytes()
    return words


def test_a_deploy_is_told_signed_and_repeated_while_nobody_waits_and_no_secret_gets_out() -> None:
    answers = {"/json": [500, 500, 200], "/refuses": [403]}
    with a_host() as (host, _), hooks_at(answers) as hooks:
        (host.folder / "secret").write_text(SECRET + "\n")
        (host.folder / "address").write_text(hooks.url + "/slack?token=" + SECRET + "\n")
        signed = {"secret_file": str(host.folder / "secret")}
        with_notify(host, [
            {"url": hooks.url + "/json", **signed},
            {"url_file": str(host.folder / "address"), "format": "slack", "on": ["deployed"]},
            {"url": hooks.url + "/refuses"},
            {"url": hooks.url + "/failures", "on": ["failed"]},
            {"url": f"http://127.0.0.1:{free_port()}/nobody"},
            {"url": hooks.url + "/unsigned", "secret_file": "/no/such/file"},
        ])
        done = host.done("deploy", "v1", "--id", "d1", "--by", "octocat", "--from", "https://ci.example/runs/7")
        assert not hooks.posts  # the verdict is here, and nobody has been told yet
        assert SECRET.encode() not in words_of_all_processes()
        hooks.gate.set()
        until(lambda: len(told(host, "d1")) == 5, "all have been told or given up", 30)
        assert [state for state, _ in told(host, "d1")] == ["done", "done", "failed", "failed", "failed"]
        texts = [text for _, text in told(host, "d1")]
        assert texts[0].endswith("answered 200 at try 3") and "answered 403 (tries: 1)" in texts[2]
        assert "(tries: 3)" in texts[3] and "/no/such/file" in texts[4]

        tries = hooks.of("/json")
        assert len(tries) == 3 and len({body for _, body in tries}) == 1
        for headers, body in tries:
            stamp = headers["x-bluegreen-timestamp"]
            assert abs(time.time() - int(stamp)) < 60
            expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
            assert headers["x-bluegreen-signature"] == "sha256=" + expected
        document = json.loads(tries[0][1])
        wanted = {"event": "deployed", "app": "app", "id": "d1", "exit": 0, "result": "done", "active": "green",
                  "release": "v1", "by": "octocat", "from": "https://ci.example/runs/7"}
        assert {key: document[key] for key in wanted} == wanted
        (_, slack), = hooks.of("/slack?token=" + SECRET)
        assert "green serves v1" in json.loads(slack)["text"]
        assert not hooks.of("/failures") and not hooks.of("/unsigned")

        # Neither what was printed nor anything on disk but the two files has the secret.
        assert SECRET not in done.stdout + done.stderr
        for path in host.folder.rglob("*"):
            if path.is_file() and path.name not in ("secret", "address"):
                assert SECRET.encode() not in path.read_bytes(), path
        assert SECRET not in host.run("logs", "d1").stdout


def test_who_asked_is_in_history_show_and_json() -> None:
    with a_host() as (host, _):
        host.env |= {"GITHUB_ACTOR": "octocat", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "42",
                     "GITHUB_SERVER_URL": "https://github.example", "SSM_COMMAND_ID": "ssm-1"}
        host.done("deploy", "v1")
        run = "https://github.example/o/r/actions/runs/42"
        assert f"asked by octocat, ssm ssm-1, from {run}" in host.done("show", "ssm-1").stdout
        shown = json.loads(host.run("show", "ssm-1", "--json").stdout)
        assert (shown["requested"]["by"], shown["requested"]["from"]) == ("octocat, ssm ssm-1", run)
        assert "octocat, ssm ssm-1" in host.done("history").stdout
        host.done("deploy", "v2", "--id", "d2", "--by", "someone else", "--from", "https://ci.example/1")
        newest, before = json.loads(host.run("history", "--json").stdout)["deploys"]
        assert (newest["by"], newest["from"]) == ("someone else, ssm ssm-1", "https://ci.example/1")
        assert (before["from"], before["result"], before["exit"], before["digest"]) == (run, "done", 0, "")


def test_traces_beyond_the_newest_go_but_what_a_rollback_reads_stays() -> None:
    with a_host(keep_traces=2, keep_releases=1, healthy_within="1s") as (host, _):
        for number in (1, 2):
            host.done("deploy", f"v{number}", "--id", f"good{number}")
        for number in range(1, 4):
            assert host.run("deploy", "exits", "--id", f"bad{number}").returncode == 50
        kept = {"good1", "good2", "bad2", "bad3"}  # what serves and what is before it, and the newest two
        until(lambda: {path.name for path in (host.traces / "app").iterdir()} == kept, "the oldest failure has gone")
        assert host.done("rollback", "--id", "back").stdout.startswith("rolled back: green serves v1")


def slow_host(host: Host) -> None:
    (host.folder / "app.py").write_text(SLOW_APP)
    command = ["/usr/bin/python3", str(host.folder / "app.py"), str(host.folder), "{color}", "{port}"]
    host.configure(process=host.settings["process"] | {"command": command})


def test_a_drain_that_does_not_end_puts_the_old_color_back_or_waits_as_configured() -> None:
    with a_host(drain={"timeout": "300ms", "then": "rollback"}) as (host, nginx):
        slow_host(host)
        host.done("deploy", "v1")
        with Connection(nginx.port) as slow:
            slow.ask("/slow")
            in_flight = lambda: json.loads(host.done("status", "--json").stdout)["apps"]["app"]["colors"]["green"]["in_flight"]
            until(lambda: in_flight() == 1, "the slow request is on green")
            back = host.run("deploy", "v2", "--id", "back")
            assert back.returncode == 70, back
            assert "green serves v1" in back.stdout.splitlines()[0]
            assert "1 requests are still on green after 300ms" in back.stdout
            assert host.serving() == ("green", "v1") and not host.listening("blue")
            drain = [json.loads(line).get("details") for line in
                     (host.traces / "app/back/events.ndjson").read_text().splitlines() if '"kind":"drain"' in line]
            assert drain and drain[0]["color"] == "green" and drain[0]["in_flight"] == 1

            host.configure(drain={"timeout": "300ms", "then": "wait"})
            waits = host.start("deploy", "v2", "--id", "waits")
            until(lambda: (host.traces / "app/waits/events.ndjson").exists()
                  and any("is still waited for" in text for _, _, text in events(host, "waits")), "the time is up, and it waits")
            (host.folder / "let_go").touch()
            assert slow.answer().status == 200
            out, _ = waits.communicate(timeout=30)
            assert waits.returncode == 0 and out.startswith("blue serves v2"), out
        assert not host.listening("green")
