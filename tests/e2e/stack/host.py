"""A staging host in a temporary folder: compose/ on the tests' engine, with bgctl beside it.

Folders, network, published ports and the run folder are its own. Bring-up builds the NGINX image
and the sample application's versions, pushes these to the loopback registry, and deploys v1, so
that a test starts with a color that serves.
"""

import json
import os
import shutil
import signal
import time
from pathlib import Path

from engine import TOP, Engine, alive, free_port, processes_in
from shell import await_condition, run

BIN = Path(os.environ.get("BLUEGREEN_BIN", TOP / "build/release/bin"))
COLORS = ("blue", "green")
VERSIONS = ("v1", "v2", "v3", "broken-1", "crash-1", "inside-1")
BIG = "big-1"  # more than a full disk takes
# Made by scripts/base-image; the same Dockerfiles take the official ones where these can be had.
NGINX_BASE, PYTHON_BASE = "bluegreen/base-nginx", "bluegreen/base-python"
MYSQL_IMAGE = "bluegreen/mysql:local"


class Host:
    def __init__(self, folder: Path, engine: Engine):
        self.folder = folder
        self.engine = engine
        self.project = f"bge2e{os.getpid()}"
        self.nginx_address = "172.28.0.10"  # as in compose/images.env.example
        self.app_folder, self.python_base = TOP / "compose/app", PYTHON_BASE
        self.http_port, self.status_port = free_port(), free_port()
        self.compose_folder = folder / "staging"
        self.images_env = self.compose_folder / "images.env"
        self.trace = folder / "trace"
        self.control = folder / "control/control"
        self.telemetry = folder / "telemetry/telemetry"
        self.environment = {**engine.environment, "BGCTL_RUN_DIR": str(folder / "run")}
        self.environment.pop("BGCTL_CONFIG", None)

    # -- bring-up and teardown ---------------------------------------------------------------

    def build_images(self):
        run(TOP / "scripts/base-image", env=self.engine.environment, timeout=300)
        self.engine.build(f"{self.project}/nginx", TOP, "-f", TOP / "nginx/Dockerfile",
                          "--build-arg", f"BASE_IMAGE={NGINX_BASE}")
        for version in VERSIONS:
            self.engine.build(self.image(version), TOP / "compose/app", "--build-arg",
                              f"BASE_IMAGE={PYTHON_BASE}", "--build-arg", f"VERSION={version}")
        self._build_big()
        for version in VERSIONS:
            self.engine.docker("push", self.image(version), timeout=300)
        for version in VERSIONS:  # a deploy has to pull them
            self.engine.docker("image", "rm", self.image(version))

    def _build_big(self):
        context = self.folder / "big"
        context.mkdir()
        with open(context / "ballast", "wb") as ballast:
            for _ in range(48):
                ballast.write(os.urandom(1 << 20))
        (context / "Dockerfile").write_text(f"FROM {self.image('v3')}\nCOPY ballast /ballast\n")
        self.engine.build(self.image(BIG), context)
        self.engine.docker("push", self.image(BIG), timeout=300)
        self.engine.docker("image", "rm", self.image(BIG))
        shutil.rmtree(context)

    def image(self, version):
        return f"{self.engine.registry}/app:{version}"

    def up(self):
        for part in ("control", "telemetry", "run", "staging"):
            (self.folder / part).mkdir()
        shutil.copy(TOP / "compose/compose.yaml", self.compose_folder)
        for name, user in (("mysql.env", None), ("app.env", None)):
            shutil.copy(TOP / "compose" / f"{name}.example", self.compose_folder / name)
        first = self.image("v1")
        self.images_env.write_text("".join(f"{key}={value}\n" for key, value in {
            "APP_BLUE_IMAGE": first, "APP_GREEN_IMAGE": first,
            "NGINX_IMAGE": f"{self.project}/nginx", "MYSQL_IMAGE": MYSQL_IMAGE,
            "HTTP_BIND": "127.0.0.1", "HTTP_PORT": self.http_port, "STATUS_PORT": self.status_port,
            "BLUEGREEN_CONTROL_DIR": self.control.parent,
            "BLUEGREEN_TELEMETRY_DIR": self.telemetry.parent}.items()))
        self.config = self.write_config("bgctl.json")
        self.bgctl("init", check=True)
        self.compose("up", "-d", "nginx", "mysql")
        for service in ("nginx", "mysql"):
            self.await_healthy(service)

    def down(self):
        # A deploy with `keep_old` has a process that waits to stop the old color: not for us.
        waiting = [pid for pid, words in processes_in(self.folder).items()
                   if words.startswith(str(BIN / "bgctl"))]
        for pid in waiting:
            os.kill(pid, signal.SIGTERM)
        await_condition(f"bgctl {waiting} has ended", lambda: not any(map(alive, waiting)), 20)
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)

    def leftovers(self):
        """What `down` should have removed, by name."""
        label = f"label=com.docker.compose.project={self.project}"
        found = []
        for kind in (["ps", "-aq"], ["network", "ls", "-q"], ["volume", "ls", "-q"]):
            found += [f"{kind[0]} {each}" for each in self.engine.lines(*kind, "--filter", label)]
        return found

    # -- what an operator does ---------------------------------------------------------------

    def compose(self, *words, **options):
        return run("docker", "compose", "-p", self.project, "-f", self.compose_folder / "compose.yaml",
                   "--env-file", self.images_env, "--ansi", "never", *words,
                   env=self.environment, **options)

    def write_config(self, name, compose=None, top=None, **app):
        settings = {
            "runtime": "compose",
            "compose": {"project": self.project, "file": str(self.compose_folder / "compose.yaml"),
                        "env_file": str(self.images_env), "port": 8000, **(compose or {})},
            "healthy_within": "30s", "keep_old": "0s", **app}
        path = self.folder / name
        path.write_text(json.dumps({"control": str(self.control), "telemetry": str(self.telemetry),
                                    "trace_dir": str(self.trace), "apps": {"app": settings}, **(top or {})}))
        return path

    def bgctl_words(self, *words, config=None):
        return [str(BIN / "bgctl"), *words, "--config", str(config or self.config)]

    def bgctl(self, *words, config=None, check=False, environment=None, timeout=120):
        return run(*self.bgctl_words(*words, config=config), check=check, timeout=timeout,
                   env={**self.environment, **(environment or {})})

    def deploy(self, version, config=None, flips=None):
        """A deploy that must succeed; its begin and return go to the load's flips."""
        begin = time.monotonic_ns()
        done = self.bgctl("deploy", self.image(version), config=config, check=True)
        if flips is not None:
            flips.flip(begin, time.monotonic_ns(), self.active())
        return done

    # -- what can be seen from outside -------------------------------------------------------

    def status(self):
        return json.loads(self.bgctl("status", "--json", check=True).stdout)["apps"]["app"]

    def active(self):
        return self.status()["active"]

    def idle(self):
        return COLORS[1 - COLORS.index(self.active())]

    def container(self, service):
        """The id of the service's one container, running or not; empty when there is none."""
        found = self.engine.lines("ps", "-aq", "--no-trunc",
                                  "--filter", f"label=com.docker.compose.project={self.project}",
                                  "--filter", f"label=com.docker.compose.service={service}")
        assert len(found) <= 1, f"{service} has {len(found)} containers"
        return found[0] if found else ""

    def running(self, service):
        container = self.container(service)
        return bool(container) and self.engine.inspect(container, "{{.State.Running}}") == "true"

    def await_healthy(self, service, seconds=60):
        container = self.container(service)
        try:
            await_condition(
                f"{service} is healthy",
                lambda: self.engine.inspect(container, "{{.State.Health.Status}}") == "healthy", seconds)
        except AssertionError as error:
            logs = self.engine.docker("logs", "--tail", "20", container)
            raise AssertionError(f"{error}\n{self.engine.inspect(container, '{{json .State}}')}\n"
                                 f"{logs.stdout}{logs.stderr}") from None

    def started(self, service):
        container = self.container(service)
        return container, self.engine.inspect(container, "{{.State.StartedAt}}")

    def nginx_workers(self):
        """{process id: start time} of the workers, as the kernel has them."""
        master = self.engine.inspect(self.container("nginx"), "{{.State.Pid}}")
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return {pid: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
                for pid in children}

    def app_requests(self, color):
        """What the color's own log says about requests of clients, oldest first."""
        log = self.engine.docker("logs", self.container(f"app_{color}")).stdout
        lines = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
        return [line for line in lines if line["path"] != "/health"]
