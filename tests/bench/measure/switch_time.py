"""`bgctl switch` as a whole process, durable when it returns, against /bin/true under the same load.

Both are spawned alternately by the same few calls, while 16 keep-alive clients keep NGINX busy; the
control file lies on a disk (a tmpfs is refused: its flush costs nothing), the locks on a tmpfs, as /run
is on a host. Every switch is a real one.
"""

import argparse
import mmap
import os
import pathlib
import signal
import statistics
import subprocess
import tempfile
import time

from harness import Nginx, NginxBackend, Region, bgctl, free_port, program, until, work_folder

from .report import Row

LIMIT_MS = 5.0
WARM_UP = 4


def spawn_ms(path: str, arguments: list[str], environment: dict[str, str]) -> float:
    """From before the spawn to after the wait; the process must succeed."""
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, flags, 0) for fd, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY))]
    begin = time.perf_counter_ns()
    pid = os.posix_spawn(path, [path, *arguments], environment, file_actions=null)
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter_ns() - begin) / 1e6
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"{path} {' '.join(arguments)}: exit {os.waitstatus_to_exitcode(status)}")
    return took


def filesystem_of(folder: pathlib.Path) -> str:
    return subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True,
                          check=True).stdout.strip()


def memory() -> str | None:
    """A folder on a tmpfs where there is one, else the default for temporary files."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def flush_ms(page: mmap.mmap, number: int) -> float:
    """A bare msync of one changed page: the disk's share of a durable switch."""
    page[0] = number & 0xFF
    begin = time.perf_counter_ns()
    page.flush()
    return (time.perf_counter_ns() - begin) / 1e6


def alternate(options: list[str], rounds: int, environment: dict[str, str],
              disk: pathlib.Path) -> dict[str, list[float]]:
    """Milliseconds of each, in turn; the first rounds only warm the caches."""
    bgctl_path = str(program("bgctl"))
    times: dict[str, list[float]] = {name: [] for name in ("bgctl switch", "/bin/true", "bgctl version", "bare msync")}
    probe = disk / "probe"
    probe.write_bytes(bytes(4096))
    with open(probe, "r+b") as file, mmap.mmap(file.fileno(), 4096) as page:
        for number in range(rounds + WARM_UP):
            color = "green" if number % 2 == 0 else "blue"
            times["/bin/true"].append(spawn_ms("/bin/true", [], environment))
            times["bgctl switch"].append(spawn_ms(bgctl_path, ["switch", color, *options], environment))
            times["bgctl version"].append(spawn_ms(bgctl_path, ["version"], environment))
            times["bare msync"].append(flush_ms(page, number))
    return {name: of[WARM_UP:] for name, of in times.items()}


def measure_switch(options: argparse.Namespace) -> list[Row]:
    disk = options.disk or program("bgctl").parent.parent
    filesystem = filesystem_of(disk)
    if filesystem in ("tmpfs", "ramfs"):
        raise SystemExit(f"{disk} is a {filesystem}: --disk must name a folder on a real disk")
    with work_folder() as folder, tempfile.TemporaryDirectory(dir=disk, prefix="bench-control-") as control, \
            tempfile.TemporaryDirectory(dir=memory(), prefix="bench-locks-") as locks, \
            NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        os.chmod(control, 0o755)
        region = Region(folder)
        region.control = pathlib.Path(control) / "control"
        names = ["--control", str(region.control), "--telemetry", str(region.telemetry), "--app", region.app]
        bgctl("init", *names)
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        http = region.http(free_port(), listen="reuseport", top="keepalive_requests 1000000000;")
        with Nginx(folder, http.replace(f"access_log {control}/routed.log routed;", "access_log off;"), workers=2,
                   level="notice") as nginx:
            load = subprocess.Popen([program("loadgen"), "--port", str(nginx.port), "--clients", "16", "--method",
                                     "POST", "--body", "512"], stdout=subprocess.DEVNULL)
            try:
                until(lambda: len(blue.requests()) > 100, "the load has begun")
                environment = dict(os.environ, BGCTL_RUN_DIR=locks)
                times = alternate(names, options.rounds, environment, pathlib.Path(control))
            finally:
                load.send_signal(signal.SIGTERM)
                load.wait(30)
    difference = statistics.median(times["bgctl switch"]) - statistics.median(times["/bin/true"])
    notes = [f"{name}: median {statistics.median(of):.2f} ms, p90 {sorted(of)[len(of) * 9 // 10]:.2f} ms, "
             f"most {max(of):.2f} ms" for name, of in times.items()]
    notes.append(f"{options.rounds} runs each, alternately; control on {filesystem}; load of the machine "
                 f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return [Row("switch", "`bgctl switch`, a whole process, durable, under load: more than `/bin/true` (medians)",
               f"{difference:+.2f} ms", f"<= +{LIMIT_MS:.0f} ms", difference <= LIMIT_MS, notes,
               {"times_ms": times, "difference_ms": difference, "filesystem": filesystem})]
