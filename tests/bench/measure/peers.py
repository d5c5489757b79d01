"""What a skilled user would take instead, beside ours, in one run: what a flip does to clients, and what it costs.

Each peer is flipped under 16 keep-alive POST clients (which look for a close before they send again) and 20
upgraded connections; the load generator's judge counts what began after the flip's command had returned, was
answered before the next one began, and had the old color. The columns are to be compared with each other, not
with another machine's. CPU a request comes from the same run's `cpu` where there is one, else from a few pairs.

That the judge can fail is shown by `nginx -s reload`, which has stale requests.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator

from harness import Nginx, NginxBackend, Region, bgctl, free_port, program, until, work_folder
from harness.paths import NGINX_BINARY

from .cpu_time import measure_ratios
from .fronts import LUA_CHOOSE, LUA_COUNT, LUA_FLIP, LUA_MODULES, LUA_TOP, LUA_UNCOUNT, lua_is_installed
from .fronts import server, upstream
from .haproxy import HAProxy, haproxy_is_installed
from .holder import Clients, Server
from .report import Row
from .statistics_of import middle

CLIENTS, HELD, WORKERS = 16, 20, 4
UPGRADED = """proxy_http_version 1.1; proxy_set_header Connection $http_connection; proxy_set_header Upgrade $http_upgrade;
            proxy_read_timeout 600s;"""


@dataclasses.dataclass
class Ground:
    """What all peers stand on: a folder, two colors' backends."""

    folder: pathlib.Path
    blue: NginxBackend
    green: NginxBackend

    def address(self, color: str) -> str:
        return (self.blue if color == "blue" else self.green).address


class Peer:
    """Something that can be flipped. `cpu` names its ratio in the cpu benchmark; `gap` is the time between flips."""

    cpu: str | None = None
    gap = 0.1

    def __init__(self, name: str, port: int) -> None:
        self.name, self.port = name, port

    def flip(self, color: str) -> None:
        raise NotImplementedError

    def pids(self) -> list[int]:
        raise NotImplementedError


class NginxPeer(Peer):
    def __init__(self, name: str, nginx: Nginx) -> None:
        super().__init__(name, nginx.port)
        self.nginx = nginx

    def pids(self) -> list[int]:
        return [worker.pid for worker in self.nginx.workers()]


class Reload(NginxPeer):
    gap = 0.5  # its stale requests come until a quarter of a second later

    def flip(self, color: str) -> None:
        link = self.nginx.prefix / "upstream.conf"
        fresh = self.nginx.prefix / "upstream.new"
        fresh.symlink_to(self.nginx.prefix / f"{color}.conf")
        os.replace(fresh, link)
        subprocess.run([NGINX_BINARY, "-c", self.nginx.config, "-p", self.nginx.prefix, "-s", "reload"], check=True,
                       capture_output=True, timeout=30, env=self.nginx.env)


class Lua(NginxPeer):
    def flip(self, color: str) -> None:
        to = "blu" if color == "blue" else "grn"
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/flip?to={to}", timeout=10).read()


class Ours(NginxPeer):
    cpu = "full"
    options: list[object] = []

    def flip(self, color: str) -> None:
        bgctl("switch", color, *self.options)


class OneLine(Peer):
    cpu = "haproxy"

    def __init__(self, name: str, haproxy: HAProxy) -> None:
        super().__init__(name, haproxy.port)
        self.haproxy = haproxy

    def flip(self, color: str) -> None:
        old = "green" if color == "blue" else "blue"
        self.haproxy.say(f"set server app/{color} state ready; set server app/{old} state maint")

    def pids(self) -> list[int]:
        return self.haproxy.pids()


class TwoCommands(OneLine):
    def flip(self, color: str) -> None:
        old = "green" if color == "blue" else "blue"
        self.haproxy.say(f"set server app/{color} state ready")
        self.haproxy.say(f"set server app/{old} state maint")


TOP = "    access_log off;\n    keepalive_requests 1000000000;\n"
PLAIN_MODULES = {"workers": WORKERS, "events": "accept_mutex off;", "level": "error"}


def upgraded(text: str) -> str:
    return text.replace("proxy_http_version 1.1;", "").replace('proxy_set_header Connection "";', UPGRADED)


@contextlib.contextmanager
def reload_peer(ground: Ground) -> Iterator[Peer]:
    http = TOP + "    include upstream.conf;\n" + upgraded(server(free_port(), "app"))
    nginx = Nginx(ground.folder, http, name="reload", module=None, **PLAIN_MODULES)
    for color in ("blue", "green"):
        (nginx.prefix / f"{color}.conf").write_text(upstream("app", f"server {ground.address(color)};"))
    (nginx.prefix / "upstream.conf").symlink_to(nginx.prefix / "blue.conf")
    with nginx:
        yield Reload("symlink + `nginx -s reload`", nginx)


@contextlib.contextmanager
def lua_peer(ground: Ground, counted: bool) -> Iterator[Peer]:
    more = {"before": LUA_COUNT, "behind": LUA_UNCOUNT} if counted else {"before": LUA_CHOOSE}
    http = TOP + LUA_TOP + upstream("blu", f"server {ground.address('blue')};") + upstream(
        "grn", f"server {ground.address('green')};") + upgraded(server(free_port(), "$route", more=LUA_FLIP, **more))
    with Nginx(ground.folder, http, name="counted" if counted else "lua", module=None, main=LUA_MODULES,
               **PLAIN_MODULES) as nginx:
        peer = Lua("NGINX + Lua shared dictionary" + (", in-flight counters" if counted else ""), nginx)
        peer.cpu = "counted" if counted else "lua"
        yield peer


@contextlib.contextmanager
def haproxy_peer(ground: Ground, kind: type[OneLine], name: str) -> Iterator[Peer]:
    with work_folder() as folder, HAProxy(folder, [ground.blue.port, ground.green.port], threads=WORKERS) as haproxy:
        yield kind(name, haproxy)


@contextlib.contextmanager
def our_peer(ground: Ground) -> Iterator[Peer]:
    region = Region(ground.folder)
    region.init()
    for color in ("blue", "green"):
        region.publish(color, "v1", [ground.address(color)])
    http = TOP + region.top() + upstream("app", "bluegreen app;") + upgraded(server(free_port(), "app"))
    with Nginx(ground.folder, http, name="ours", **PLAIN_MODULES) as nginx:
        peer = Ours("ours: `bgctl switch`", nginx)
        peer.options = ["--control", region.control, "--telemetry", region.telemetry, "--app", region.app]
        yield peer


def peers(ground: Ground) -> Iterator[contextlib.AbstractContextManager[Peer]]:
    yield reload_peer(ground)
    if haproxy_is_installed():
        yield haproxy_peer(ground, OneLine, "HAProxy, one line on its socket")
        yield haproxy_peer(ground, TwoCommands, "HAProxy, two commands")
    if lua_is_installed():
        yield lua_peer(ground, False)
        yield lua_peer(ground, True)
    yield our_peer(ground)


def memory_mib(pids: list[int]) -> float:
    """Proportional: pages that several processes share count once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def judge_peer(peer: Peer, ground: Ground, flips: int) -> dict[str, object]:
    record, stamps, times = ground.folder / "record.csv", [], []
    with Clients(peer.port, HELD) as held:
        processes, memory = len(peer.pids()), memory_mib(peer.pids())
        load = subprocess.Popen([program("loadgen"), "--port", str(peer.port), "--clients", str(CLIENTS), "--method",
                                 "POST", "--body", "512", "--record", record], stdout=subprocess.PIPE, text=True)
        try:
            until(lambda: record.exists() and record.stat().st_size > 10000, "the load has begun")
            for number in range(flips):
                color = "green" if number % 2 == 0 else "blue"
                begin = time.monotonic_ns()
                peer.flip(color)
                end = time.monotonic_ns()
                stamps.append(f"{begin} {end} {color}")
                times.append((end - begin) / 1e6)
                time.sleep(peer.gap)
        finally:
            load.send_signal(signal.SIGTERM)
            load.communicate(timeout=30)
        after, grown, alive = len(peer.pids()), memory_mib(peer.pids()), held.alive()
    (ground.folder / "flips").write_text("\n".join(stamps) + "\n")
    judged = json.loads(subprocess.run([program("loadgen"), "judge", "--record", record, "--flips",
                                        ground.folder / "flips"], capture_output=True, text=True, timeout=120,
                                       check=True).stdout)
    record.unlink()
    return {"name": peer.name, "cpu": peer.cpu, "stale_a_flip": judged["stale"] / flips,
            "last_stale_ms": judged["last_stale_ms"], "failed_a_flip": judged["failed"] / flips,
            "flip_ms": statistics.median(times), "flips": flips, "requests": judged["requests"],
            "judged": judged["judged"], "processes": [processes, after], "memory_mib": [memory, grown],
            "upgraded_alive": alive}


def line_of(found: dict, ratios: dict) -> str:
    cpu = "1.00 (is the measure)" if found["cpu"] is None else str(ratios.get(found["cpu"], "not measured"))
    processes, memory = found["processes"], found["memory_mib"]
    return (f"| {found['name']} | {found['stale_a_flip']:.1f} | {found['last_stale_ms']:.0f} ms | "
            f"{found['failed_a_flip']:.1f} | {found['flip_ms']:.1f} ms | {found['upgraded_alive']} of {HELD}; "
            f"{processes[0]} -> {processes[1]} processes, {memory[0]:.0f} -> {memory[1]:.0f} MiB | {cpu} |")


def measure_peers(options: argparse.Namespace) -> list[Row]:
    ratios = getattr(options, "cpu_ratios", None)
    if ratios is None:
        runs = measure_ratios(min(options.pairs, 6), options.seconds)
        ratios = {name: middle(values) for name, values in runs.ratios.items()}
    found = []
    with Server("held") as holder:
        more = (f"location /ws {{ proxy_pass http://{holder.address}; proxy_http_version 1.1; proxy_read_timeout 600s; "
                "proxy_set_header Connection upgrade; proxy_set_header Upgrade $http_upgrade; }")
        with NginxBackend("blue", "v1", more=more) as blue, NginxBackend("green", "v2", more=more) as green:
            with work_folder() as folder:
                ground = Ground(folder, blue, green)
                for context in peers(ground):
                    with context as peer:
                        found.append(judge_peer(peer, ground, options.peer_flips))
    notes = ["| | stale requests a flip | last one after the command returned | failed a flip | the flip | "
             "20 upgraded connections | CPU a request |", "| --- | ---: | ---: | ---: | ---: | --- | ---: |",
             *(line_of(of, ratios) for of in found)]
    ours = found[-1]
    passed = (ours["stale_a_flip"], ours["failed_a_flip"], ours["upgraded_alive"]) == (0, 0, HELD)
    return [Row("peers", f"{options.peer_flips} flips each under {CLIENTS} clients, ours beside "
                f"{len(found) - 1} others: stale; failed; upgraded connections closed (of ours)",
                f"{ours['stale_a_flip'] * ours['flips']:.0f}; {ours['failed_a_flip'] * ours['flips']:.0f}; "
                f"{HELD - ours['upgraded_alive']}", "0; 0; 0", passed, notes, {"peers": found})]
