"""The proxies whose cost is compared, each an NGINX of its own, with the same backend behind all.

This is the one place that says what is compared with what:

    plain    `upstream` + `keepalive`, as NGINX has it; our module is not loaded
    bare     the same, with `bluegreen` and an address as its balancer
    full     everything that the module has, switched on: EVERYTHING, and a route word with a weight and
             the fallback flag
    lua      plain, with the upstream's name out of a shared dictionary by set_by_lua
    counted  the same with in-flight counters

An NGINX each, because a module may cost something in every server block of an NGINX that has it; bare and
full have a plain upstream beside them too, so that both differences can be told. The server
blocks differ in nothing but the name of their upstream, which is of one length (it is the Host header that
is sent). Nothing is logged unless the caller says how, and no connection ends by a count of requests.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator

from harness import Nginx, Region, free_port, work_folder

# Everything on, nothing of it in the way of an ordinary request.
EVERYTHING = """
        bluegreen_balance round_robin max_fails=3 fail_timeout=10s slow_start=30s;
        bluegreen_sticky $cookie_uid $remote_addr;
        bluegreen_preview $http_x_bluegreen_preview {secret};
        bluegreen_hold timeout=30s max=10000 retry_after=1s;
        bluegreen_maintenance retry_after=30s;
"""
WEIGHT = 1000  # basis points of the other color
OUR_VARIABLES = "$bluegreen_color $bluegreen_generation $bluegreen_release $bluegreen_reason"

BACKEND = """
    access_log off;
    keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:{port} reuseport;
        add_header X-Color blue always;
        location / {{ return 200 "blue v1\\n"; }}
    }}
"""

UPSTREAM = """
    upstream {name} {{
        {inside}
        keepalive 64;
        keepalive_requests 1000000000;
    }}
"""

SERVER = """
    server {{
        listen 127.0.0.1:{port} reuseport;
        {log}
        location / {{
            {before}
            proxy_pass http://{upstream};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            {behind}
        }}
        {more}
    }}
"""

LUA_MODULES = ("load_module /usr/lib/nginx/modules/ndk_http_module.so;\n"
               "load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;")
LUA_TOP = """
    lua_package_path "/usr/share/lua/5.1/?.lua;;";
    lua_shared_dict routes 1m;
    init_by_lua_block { ngx.shared.routes:safe_add("app", "blu") }
"""
LUA_CHOOSE = 'set_by_lua_block $route { return ngx.shared.routes:get("app") }'
LUA_COUNT = """set_by_lua_block $route {
                local routes = ngx.shared.routes
                local color = routes:get("app")
                routes:incr("in_flight_" .. color, 1, 0)
                return color
            }"""
LUA_UNCOUNT = 'log_by_lua_block { ngx.shared.routes:incr("in_flight_" .. ngx.var.route, -1, 0) }'
LUA_FLIP = ('location = /flip { content_by_lua_block { ngx.shared.routes:set("app", ngx.var.arg_to) '
            'ngx.say("ok") } }')


def lua_is_installed() -> bool:
    return pathlib.Path("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists()


def server(port: int, upstream: str, *, log: str = "", before: str = "", behind: str = "", more: str = "") -> str:
    return SERVER.format(port=port, upstream=upstream, log=log, before=before, behind=behind, more=more)


def upstream(name: str, inside: str) -> str:
    return UPSTREAM.format(name=name, inside=inside)


@dataclasses.dataclass
class Front:
    """An NGINX to be started: `http` is the inside of its http block, `main` stands before that."""

    name: str
    folder: pathlib.Path
    http: str
    port: int
    main: str = ""
    ours: bool = False  # has our module
    region: Region | None = None
    beside: int = 0  # port of a plain upstream in the same NGINX

    def nginx(self, **more: object) -> Nginx:
        module = {} if self.ours else {"module": None}
        main = f"{self.main}\n{more.pop('main', '')}"
        return Nginx(self.folder, self.http, **{"name": self.name, "main": main, "level": "error", **module, **more})


@dataclasses.dataclass
class Maker:
    """Makes fronts: `formats` stands in their http blocks, `log` in their servers."""

    folder: pathlib.Path
    backend: int
    formats: str = ""
    log: str = "access_log off;"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.backend}"

    def _front(self, name: str, upstream_name: str, inside: str, **more: str) -> Front:
        port = free_port()
        http = (f"    {self.formats}\n    keepalive_requests 1000000000;\n{inside}"
                + server(port, upstream_name, log=self.log, **more))
        return Front(name, self.folder, http, port)

    def plain(self) -> Front:
        return self._front("plain", "raw", upstream("raw", f"server {self.address};"))

    def _ours(self, name: str, app: str, inside: str) -> Front:
        folder = self.folder / f"region-{name}"
        folder.mkdir()
        folder.chmod(0o755)
        region = Region(folder, app)
        region.init()
        region.publish("blue", "v1", [self.address])
        front = self._front(name, app, region.top() + upstream(app, f"bluegreen {app};{inside}"))
        front.ours, front.region, front.beside = True, region, free_port()
        front.http += upstream("raw", f"server {self.address};") + server(front.beside, "raw", log=self.log)
        return front

    def bare(self) -> Front:
        return self._ours("bare", "app", f"\n        bluegreen_server blue {self.address};")

    def full(self) -> Front:
        secret = self.folder / "secret"
        secret.write_text("0123456789abcdef0123456789abcdef\n")
        secret.chmod(0o644)
        front = self._ours("full", "all", EVERYTHING.format(secret=secret))
        front.region.publish("green", "v2", [self.address])
        front.region.weight(WEIGHT)
        front.region.flags("+fallback")
        return front

    def _lua(self, name: str, **more: str) -> Front:
        inside = LUA_TOP + "".join(upstream(color, f"server {self.address};") for color in ("blu", "grn"))
        front = self._front(name, "$route", inside, **more)
        front.main = LUA_MODULES
        return front

    def lua(self) -> Front:
        return self._lua("lua", before=LUA_CHOOSE)

    def counted(self) -> Front:
        return self._lua("counted", before=LUA_COUNT, behind=LUA_UNCOUNT)


@contextlib.contextmanager
def backend(workers: int = 1) -> Iterator[tuple[pathlib.Path, int]]:
    """A folder, and the port of a backend that answers while the block lasts."""
    port = free_port()
    with work_folder() as folder:
        with Nginx(folder, BACKEND.format(port=port), name="backend", module=None, level="error", workers=workers):
            yield folder, port
