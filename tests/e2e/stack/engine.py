"""A Docker engine and a registry of the tests' own, through scripts/engine.

Never the machine's engine: tests stop, kill and fill this one. Its data lies on a tmpfs, whose
size can be lowered to what is used: that is how a full disk is made. It runs in the session's own
network (network.py), so what has to be downloaded is downloaded before.
"""

import os
import socket
from contextlib import contextmanager
from pathlib import Path

from shell import run

TOP = Path(__file__).resolve().parents[3]
SPARE = 12 << 20  # what a full disk still has: less than the big image, enough for logs


class Engine:
    def __init__(self, root: Path):
        self.root = root
        self.data = root / "data"
        self.port = free_port()
        self.registry = f"localhost:{self.port}"
        self.environment = {**os.environ, "DOCKER_HOST": f"unix://{root}/docker.sock"}
        self._mounted = False

    def mount(self):
        self.data.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", "size=6g,mode=0711", "bluegreen-e2e", self.data)
        self._mounted = True

    def install(self):
        run(TOP / "scripts/engine", "install", timeout=600)
        run(TOP / "scripts/base-image", "tar", timeout=900)

    def start(self):
        self._script("start")

    def stop(self):
        self._script("stop")

    def start_registry(self):
        self._script("registry", "start", "--port", str(self.port))

    def stop_registry(self):
        self._script("registry", "stop")

    def _script(self, *words):
        return run(TOP / "scripts/engine", *words, "--root", self.root, env=self.environment)

    @contextmanager
    def unreachable(self):
        """Nothing answers where the engine was, while the containers go on."""
        path, away = self.root / "docker.sock", self.root / "docker.away"
        path.rename(away)
        try:
            yield
        finally:
            away.rename(path)

    @contextmanager
    def full_disk(self):
        used = os.statvfs(self.data)
        used = (used.f_blocks - used.f_bfree) * used.f_frsize
        run("mount", "-o", f"remount,size={used + SPARE}", self.data)
        try:
            yield
        finally:
            run("mount", "-o", "remount,size=6g", self.data)

    def docker(self, *words, **options):
        # The legacy builder: Debian 12 has no BuildKit plugin.
        environment = {**self.environment, "DOCKER_BUILDKIT": "0"}
        return run("docker", *words, env=environment, **options)

    def lines(self, *words):
        return self.docker(*words).stdout.split()

    def inspect(self, container, template):
        return self.docker("inspect", "--format", template, container).stdout.strip()

    def build(self, tag, context, *options):
        # Whatever an image needs here is in its base: there is no network beyond this machine.
        self.docker("build", "-t", tag, *options, context, timeout=600)

    def close(self):
        """Ends all, and says what had been left on this machine."""
        self.stop_registry()
        self.stop()
        leftovers = [line for line in Path("/proc/self/mounts").read_text().splitlines()
                     if str(self.root) in line and not line.startswith("bluegreen-e2e")]
        if self._mounted:
            unmounted = run("umount", self.data, check=False)
            if unmounted.returncode != 0:
                leftovers.append(unmounted.stderr.strip())
        return leftovers


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes_in(folder):
    """{process id: command line} of what names the folder: shims, daemons, commands of the tests."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(path.parent.name)
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in words and pid != os.getpid() and alive(pid):
            found[pid] = words
    return found
