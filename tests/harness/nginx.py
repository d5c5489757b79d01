"""A real NGINX with a prefix of its own: configuration, start, reload, stop by pid, and what it left.

`binary` and `module` default to NGINX_BINARY (BLUEGREEN_NGINX_BINARY, else the distribution's nginx)
and the module under test. With a module built with sanitizers their runtime is preloaded.
"""

import dataclasses
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from .client import Answer, request
from .paths import MODULE, NGINX_BINARY, free_port
from .wait import until

BAD_LINE = re.compile(r"\[(alert|emerg)\]|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:")

CONFIG = """\
{load}
worker_processes {workers};
daemon off;
error_log {prefix}/error.log {level};
pid {prefix}/nginx.pid;
{main}
events {{ worker_connections 4096; {events} }}
http {{
    access_log {prefix}/access.log;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
{http}
}}
"""


class LeftBehind(AssertionError):
    """NGINX said or left what no test may leave."""


def _sanitizer_runtime(module: pathlib.Path) -> list[str]:
    out = subprocess.run(["readelf", "-d", module], capture_output=True, text=True, check=False).stdout
    names = re.findall(r"NEEDED.*\[(lib(?:asan|ubsan|tsan)\.so[^\]]*)\]", out)
    return [subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True,
                           check=True).stdout.strip() for name in names]


@dataclasses.dataclass
class Worker:
    pid: int
    started: str  # start time since boot in clock ticks: a pid alone can come back
    leaving: bool = dataclasses.field(default=False, compare=False)  # it accepts no new connections

    @property
    def rss_kib(self) -> int:
        """Private memory and touched pages of files, as the kernel counts them now."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0


class Nginx:
    """`http` is the inside of the http block; `ports` are waited for (default: every `listen` in it)."""

    def __init__(self, folder: pathlib.Path, http: str, *, name: str = "nginx", main: str = "", events: str = "",
                 workers: int = 1, level: str = "info", module: pathlib.Path | None = MODULE,
                 binary: str = NGINX_BINARY, env: dict[str, str] | None = None,
                 allowed: str | None = None) -> None:
        self.prefix = folder / name
        self.prefix.mkdir(exist_ok=True)
        self.prefix.chmod(0o755)
        self.binary = binary
        self.module = module
        self.settings = {"main": main, "events": events, "workers": workers, "level": level}
        self.http = http
        self.allowed = re.compile(allowed) if allowed else None
        self.env = dict(os.environ, **(env or {}))
        self.env.pop("NGINX", None)  # NGINX would take it for inherited sockets
        runtime = _sanitizer_runtime(module) if module else []
        self.sanitized = bool(runtime)  # memory is not given back then: its growth says nothing
        if runtime:
            self.env["LD_PRELOAD"] = ":".join(runtime)
            self.env["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=0"
            self.env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        self.process: subprocess.Popen[bytes] | None = None
        self._masters: list[int] = []

    # --- files
    @property
    def config(self) -> pathlib.Path:
        return self.prefix / "nginx.conf"

    @property
    def error_log(self) -> str:
        path = self.prefix / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def access_log(self) -> list[str]:
        path = self.prefix / "access.log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def ports(self) -> list[int]:
        return [int(port) for port in re.findall(r"listen\s+127\.0\.0\.1:(\d+)", self.http)]

    @property
    def port(self) -> int:
        return self.ports[0]

    def write_config(self) -> None:
        load = f"load_module {self.module};" if self.module else ""
        self.config.write_text(CONFIG.format(load=load, prefix=self.prefix, http=self.http, **self.settings))

    # --- life
    def test(self) -> subprocess.CompletedProcess[str]:
        """`nginx -t`; returncode and stderr."""
        self.write_config()
        return subprocess.run([self.binary, "-t", "-c", self.config, "-p", self.prefix], env=self.env,
                              capture_output=True, text=True, timeout=60, check=False)

    def start(self) -> "Nginx":
        self.write_config()
        with open(self.prefix / "stderr", "ab") as stderr:
            self.process = subprocess.Popen([self.binary, "-c", str(self.config), "-p", str(self.prefix)],
                                            env=self.env, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr)
        try:
            until(self._ready, f"NGINX answers on {self.ports}", 20)
        except AssertionError as error:
            self._kill()
            raise AssertionError(f"{error}\n{self.error_log[-4000:]}\n{self._stderr()[-4000:]}") from error
        return self

    def reload(self) -> None:
        """SIGHUP; returns when the new workers are there and no old one accepts any more (they may linger)."""
        before = {worker.pid for worker in self.workers()}
        self.write_config()
        os.kill(self.pid, signal.SIGHUP)
        wanted = int(self.settings["workers"])
        until(lambda: len({w.pid for w in self.workers()} - before) >= wanted, "new workers after a reload", 20)
        until(lambda: not [w for w in self.workers() if w.pid in before and not w.leaving],
              "the old workers shut down after a reload", 20)
        until(self._ready, f"NGINX answers on {self.ports} after a reload", 20)

    def stop(self, graceful: bool = True) -> None:
        """QUIT (or TERM), waits for the master and its workers, then checks what was left."""
        if self.process is None:
            return
        workers = self.workers()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT if graceful else signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.terminate()  # somebody holds a connection: that is the test's to close
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self._kill()
                raise LeftBehind(f"the master did not end\n{self.error_log[-2000:]}") from None
        self.process = None
        until(lambda: not [w for w in workers if _alive(w)], "all workers have ended", 10)
        self.check()

    def kill(self) -> None:
        """SIGKILL for master and workers, as when the machine that it stands for is gone; may be started again."""
        self._kill()

    def check(self) -> None:
        """Raises LeftBehind for a line that no run may have, unless `allowed` matches it."""
        lines = (self.error_log + self._stderr()).splitlines()
        bad = [line for line in lines if BAD_LINE.search(line) and not (self.allowed and self.allowed.search(line))]
        if bad:
            raise LeftBehind("\n".join(bad[:20]))

    def __enter__(self) -> "Nginx":
        return self.start()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.stop()
        else:  # the test's own failure is the one to be seen
            self._kill()
            print(self.error_log[-4000:], self._stderr()[-4000:])

    # --- looks
    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def workers(self) -> list[Worker]:
        """Live worker processes of this master, shutting-down ones included."""
        return [worker for worker, title in self._children() if b"worker process" in title]

    def get(self, path: str = "/", **more: object) -> Answer:
        return request(self.port, path, **more)  # type: ignore[arg-type]

    def status(self, path: str = "/bluegreen/status", answered: int = 200) -> dict:
        """`answered`: 503 where the module cannot see its region."""
        answer = request(self.port, path)
        assert answer.status == answered, answer
        return json.loads(answer.body)

    def in_flight(self, app: str = "app", answered: int = 200) -> tuple[int, int]:
        colors = self.status(answered=answered)["apps"][app]["colors"]
        return colors["blue"]["in_flight"], colors["green"]["in_flight"]

    # --- inside
    def _children(self) -> list[tuple[Worker, bytes]]:
        """Every live child of this master with its title, by pid: cache processes too."""
        if self.process is None:
            return []
        found = []
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children")
        for pid in sorted(int(word) for word in children.read_text().split()) if children.exists() else []:
            try:
                title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                started = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
            except OSError:
                continue
            found.append((Worker(pid, started, b"shutting down" in title), title))
        return found

    def _stderr(self) -> str:
        path = self.prefix / "stderr"
        return path.read_text(errors="replace") if path.exists() else ""

    def _ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"NGINX ended with {self.process.returncode}")
        if len(self.workers()) < int(self.settings["workers"]):
            return False
        for port in self.ports:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
        return True

    def _kill(self) -> None:
        if self.process is None:
            return
        children = self._children()
        self.process.kill()
        self.process.wait()
        self.process = None
        for child, _ in children:
            if _alive(child):
                os.kill(child.pid, signal.SIGKILL)


def _alive(worker: Worker) -> bool:
    try:
        stat = pathlib.Path(f"/proc/{worker.pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False
    return stat[19] == worker.started and stat[0] != "Z"


__all__ = ["Nginx", "LeftBehind", "Worker", "free_port"]
