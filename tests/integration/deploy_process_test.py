"""Whole deploys by bgctl over the process runtime, with a real NGINX in front and load where it counts."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Iterator

from harness import Nginx, Region, free_port, program, until, work_folder

# IMAGE decides how the application behaves; SIGTERM lets it finish what it has begun.
APP = '''\
import http.server, os, signal, sys, threading

image, color, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if image == "exits":
    print("boom: no such setting", flush=True)
    sys.exit(1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sick = image == "sick" and self.path == "/health"
        body = f"{color} {image}\\n".encode()
        self.send_response(503 if sick else 200)
        self.send_header("X-Color", color)
        self.send_header("X-Release", image)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *about):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


server = Server(("127.0.0.1", port), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("serving", flush=True)
server.serve_forever()
'''


class Host:
    """A host of its own: configuration, region, traces, locks; and bgctl on it."""

    def __init__(self, folder: pathlib.Path, **app: object) -> None:
        self.folder = folder
        self.region = Region(folder)
        self.traces = folder / "trace"
        self.config = folder / "bgctl.json"
        (folder / "app.py").write_text(APP)
        self.ports = {"blue": free_port(), "green": free_port()}
        self.settings = {
            "runtime": "process", "healthy_within": "20s", "keep_old": "0s",
            "process": {"command": ["/usr/bin/python3", str(folder / "app.py"), "{image}", "{color}", "{port}"],
                        "ports": self.ports, "health": "/health", "stop_timeout": "5s"}} | app
        self.configure()
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("BGCTL", "SSM"))}
        self.env["BGCTL_RUN_DIR"] = str(folder / "locks")
        assert self.run("init", "--app", "app").returncode == 0

    def configure(self, **app: object) -> None:
        self.settings |= app
        self.config.write_text(json.dumps({
            "control": str(self.region.control), "telemetry": str(self.region.telemetry),
            "trace_dir": str(self.traces), "apps": {"app": self.settings}}))

    def command(self, *arguments: str) -> list[str]:
        return [str(program("bgctl")), *arguments, "--config", str(self.config)]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command(*arguments), env=self.env, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), env=self.env, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=120, check=False)

    def done(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        ended = self.run(*arguments)
        assert ended.returncode == 0, (ended.args, ended.returncode, ended.stdout, ended.stderr)
        if "--json" not in arguments:
            assert len(ended.stdout) + len(ended.stderr) < 2000
        return ended

    def deploys(self, deploy: str = "") -> list[int]:
        """The detached processes of deploys, or of that one, and not what they have started."""
        found = []
        for pid in self.processes():
            with contextlib.suppress(OSError):
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if b"run-deploy" in words and (not deploy or deploy.encode() in words):
                    found.append(pid)
        return found

    def kill_deploy(self) -> None:
        for pid in self.deploys():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def serving(self) -> tuple[str, str]:
        app = json.loads(self.done("status", "--json").stdout)["apps"]["app"]
        return app["active"], app["release"]

    def listening(self, color: str) -> bool:
        return f":{self.ports[color]:04X} 00000000:0000 0A" in pathlib.Path("/proc/net/tcp").read_text()

    def processes(self) -> list[int]:
        """Everything that was started on this host and still runs: its words name our folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    wanted = str(self.folder).encode()
                    if any(w in (wanted + b"/app.py", wanted + b"/bgctl.json") for w in words):
                        found.append(int(entry.name))
        return found

    def end(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.processes(), "the host's processes have ended")


@contextlib.contextmanager
def a_host(workers: int = 2, **app: object) -> Iterator[tuple[Host, Nginx]]:
    with work_folder() as folder:
        host = Host(folder, **app)
        try:
            http = host.region.http(free_port(), listen="reuseport", top="keepalive_requests 1000000000;")
            with Nginx(folder, http, workers=workers, level="notice") as nginx:
                yield host, nginx
        finally:
            host.end()


@contextlib.contextmanager
def load_on(nginx: Nginx, folder: pathlib.Path, seconds: int = 90) -> Iterator[pathlib.Path]:
    record = folder / "record.csv"
    load = subprocess.Popen([program("loadgen"), "--host", "127.0.0.1", "--port", str(nginx.port), "--clients", "8",
                             "--method", "POST", "--body", "512", "--seconds", str(seconds), "--record", record],
                            stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.3)  # some load before the first change; nothing depends on how much
        yield record
    finally:
        load.send_signal(signal.SIGTERM)
        load.wait(30)


def test_deploys_in_a_row_under_load_fail_nothing_and_leave_nothing_stale(figures) -> None:
    with a_host() as (host, nginx):
        host.done("deploy", "v1")
        workers, flips = nginx.workers(), []
        with load_on(nginx, host.folder) as record:
            for number, (image, color) in enumerate([("v2", "blue"), ("v3", "green"), ("v4", "blue")]):
                begin = time.monotonic_ns()
                ended = host.done("deploy", image, "--id", f"d{number}")
                flips.append(f"{begin} {time.monotonic_ns()} {color}")
                assert ended.stdout.startswith(f"{color} serves {image}"), ended.stdout
                assert host.serving() == (color, image)
                time.sleep(0.2)  # requests of this color, for the judge
        (host.folder / "flips").write_text("\n".join(flips) + "\n")
        judged = json.loads(subprocess.run(
            [program("loadgen"), "judge", "--record", record, "--flips", host.folder / "flips"],
            capture_output=True, text=True, timeout=60, check=True).stdout)
        figures(deploys=len(flips), requests=judged["requests"], failed=judged["failed"], stale=judged["stale"])
        assert judged["requests"] > 500
        assert (judged["failed"], judged["stale"]) == (0, 0), judged
        assert nginx.workers() == workers
        assert not host.listening("green")
        assert (host.traces / "last_image").read_text() == "v4\n"
        listed = json.loads(host.done("history", "--json").stdout)["deploys"]
        assert [entry["image"] for entry in listed] == ["v4", "v3", "v2", "v1"]
        assert {entry["result"] for entry in listed} == {"done"}


def test_images_that_do_not_work_leave_the_old_color_serving(figures) -> None:
    with a_host(healthy_within="2s") as (host, nginx):
        host.done("deploy", "v1")
        with load_on(nginx, host.folder) as record:
            exits = host.run("deploy", "exits")
            sick = host.run("deploy", "sick")
        assert exits.returncode == 50 and sick.returncode == 50, (exits, sick)
        assert "boom: no such setting" in exits.stdout
        for ended in (exits, sick):
            assert "green serves v1" in ended.stdout.splitlines()[0]
            assert len(ended.stdout) + len(ended.stderr) < 2000
        assert host.serving() == ("green", "v1")
        assert not host.listening("blue")
        (host.folder / "flips").write_text("")
        judged = json.loads(subprocess.run(
            [program("loadgen"), "judge", "--record", record, "--flips", host.folder / "flips"],
            capture_output=True, text=True, timeout=60, check=True).stdout)
        figures(requests=judged["requests"], failed=judged["failed"])
        assert judged["failed"] == 0, judged
        host.done("deploy", "v2")
        assert host.serving() == ("blue", "v2")


def test_second_deploy_meets_the_lock_and_the_same_id_attaches() -> None:
    with a_host(healthy_within="3s") as (host, _):
        host.done("deploy", "v1")
        first = host.start("deploy", "sick", "--id", "one")
        until(lambda: (host.traces / "app/one/journal").exists(), "the first deploy has begun")
        second = host.run("deploy", "v2", "--id", "two")
        assert second.returncode == 10, second
        assert "one" in second.stderr and not (host.traces / "app/two").exists()
        again = host.run("deploy", "sick", "--id", "one")
        out, _ = first.communicate(timeout=60)
        assert (first.returncode, again.returncode) == (50, 50)
        assert out.splitlines()[0] == again.stdout.splitlines()[0]
        assert host.run("deploy", "other", "--id", "one").returncode == 2
        host.done("deploy", "v2", "--id", "two")


def test_killed_foreground_changes_nothing_and_the_same_id_repeats_the_verdict() -> None:
    with a_host() as (host, _):
        host.done("deploy", "v1")
        foreground = host.start("deploy", "v2", "--id", "killed")
        until(lambda: (host.traces / "app/killed/journal").exists(), "the deploy has begun", every=0.002)
        foreground.kill()
        foreground.communicate()
        until(lambda: (host.traces / "app/killed/verdict.json").exists(), "the deploy has ended", 30)
        assert host.serving() == ("blue", "v2")
        repeated = host.done("deploy", "v2", "--id", "killed")
        assert repeated.stdout.startswith("blue serves v2")
        assert len(json.loads(host.done("history", "--json").stdout)["deploys"]) == 2


def test_recover_undoes_what_a_killed_deploy_has_left() -> None:
    with a_host() as (host, _):
        host.done("deploy", "v1")
        foreground = host.start("deploy", "sick", "--id", "dead")
        until(lambda: host.listening("blue"), "blue was started")
        host.kill_deploy()
        _, err = foreground.communicate(timeout=60)
        assert foreground.returncode == 90 and "bgctl recover" in err
        assert host.listening("blue")
        recovered = host.done("recover")
        assert "green serves v1" in recovered.stdout.splitlines()[0]
        assert not host.listening("blue")
        assert "nothing to recover" in host.done("recover").stdout


def test_rollback_is_at_once_while_the_old_color_runs_and_a_deploy_afterwards() -> None:
    with a_host(keep_old="600s") as (host, nginx):
        host.done("deploy", "v1")
        host.done("deploy", "v2")
        assert host.listening("green") and host.serving() == ("blue", "v2")
        begin = time.monotonic()
        back = host.done("rollback")
        took = time.monotonic() - begin
        assert back.stdout.startswith("rolled back: green serves v1") and took < 5, (took, back.stdout)
        assert "start skipped" in back.stdout
        assert nginx.get("/").headers["X-Release"] == "v1"
        host.configure(keep_old="0s")
        host.done("deploy", "v3")
        assert not host.listening("green") and host.serving() == ("blue", "v3")
        back = host.done("rollback")
        assert host.serving() == ("green", "v1") and "start skipped" not in back.stdout


def test_keep_old_stops_the_old_color_after_the_command_has_returned() -> None:
    with a_host(keep_old="2s") as (host, _):
        host.done("deploy", "v1")
        host.done("deploy", "v2")
        assert host.listening("green")
        until(lambda: not host.listening("green"), "keep_old is over", 20)
        assert host.serving() == ("blue", "v2")
        until(lambda: not host.deploys(), "the deploy's process has ended")


def test_end_of_keep_old_ends_the_hold_of_a_killed_switch_and_does_not_wait_for_ever_for_a_proof() -> None:
    with a_host(keep_old="2s", drain={"timeout": "1s"}) as (host, nginx):
        host.done("deploy", "v1")
        host.done("deploy", "v2")
        host.done("hold", "--for", "10m")
        name = f"app-{host.region.control.read_bytes()[24:32][::-1].hex()}-app.holder"
        (host.folder / "locks" / name).write_text(json.dumps({"pid": 999999999, "command": "switch --hold"}))
        nginx.stop()  # nothing can be proven of the color that was left up
        assert host.listening("green")
        until(lambda: not host.listening("green"), "keep_old is over", 20)
        until(lambda: any("keep_old is over; nothing proved that it had no request" in path.read_text()
                          for path in host.traces.glob("app/*/log")), "the trace says what became of it")
        assert json.loads(host.done("status", "--json").stdout)["apps"]["app"]["flags"] == ["closed_green"]
        log = "\n".join(path.read_text() for path in host.traces.glob("app/*/log"))
        assert log.count("green may be in use and stays up for now") == 1, log


def test_trace_folder_that_cannot_be_written_stops_a_deploy_before_anything_moves() -> None:
    with a_host() as (host, _):
        host.traces.write_text("a file where a folder is expected\n")
        ended = host.run("deploy", "v1")
        assert ended.returncode == 20, ended
        assert str(host.traces) in ended.stderr and "trace_dir" in ended.stderr
        assert not host.listening("green")
        host.traces.unlink()
        host.done("deploy", "v1")


def test_broken_configuration_and_wrong_region_end_with_2_and_missing_application_with_20() -> None:
    with a_host() as (host, _):
        good = host.config.read_text()
        host.config.write_text(good.replace('"runtime"', '"runtim"'))
        assert host.run("deploy", "v1").returncode == 2
        host.config.write_text(good.replace('"app": {', '"tool": {'))
        missing = host.run("deploy", "v1")
        assert missing.returncode == 20 and "bgctl init" in missing.stderr
        host.config.write_text(good)
        before = host.region.damage("header")
        wrong = host.run("deploy", "v1")
        assert wrong.returncode == 2 and str(host.region.control) in wrong.stderr
        host.region.restore(before)
        assert not host.traces.exists()
        nothing = host.run("rollback")
        assert nothing.returncode == 20 and "nothing to roll back to" in nothing.stdout, nothing


def test_deploy_works_as_ssm_runs_it_and_outlives_its_kill() -> None:
    with a_host() as (host, _):
        host.env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8",
                    "SSM_COMMAND_ID": "0f3b6c1e-0000-4000-8000-000000000001",
                    "BGCTL_RUN_DIR": host.env["BGCTL_RUN_DIR"]}
        ended = host.done("deploy", "v1")
        assert ended.stdout.startswith("green serves v1")
        host.env["SSM_COMMAND_ID"] = "0f3b6c1e-0000-4000-8000-000000000002"
        script = " ".join(host.command("deploy", "v2"))
        shell = subprocess.Popen(["sh", "-c", f"{script}; true"], env=host.env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        folder = host.traces / "app" / host.env["SSM_COMMAND_ID"]
        until(lambda: (folder / "journal").exists(), "the deploy has begun", every=0.002)
        os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()
        until(lambda: (folder / "verdict.json").exists(), "the deploy has ended", 30)
        again = host.done("deploy", "v2")
        assert again.stdout.startswith("blue serves v2")
        back = host.done("rollback")  # the same script, another command
        assert back.stdout.startswith("rolled back: green serves v1")
