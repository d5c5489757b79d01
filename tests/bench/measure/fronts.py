"""The proxies whose cost is compared, as server blocks of one NGINX with the same backend behind each.

This is the one place that says what is compared with what:

    plain   `upstream` + `keepalive`, as NGINX has it
    bare    the same, with `bluegreen` and an address as its balancer
    full    everything that the module has, switched on: EVERYTHING, and a route word with a weight and
            the fallback flag
    lua     plain, the upstream's name out of a shared dictionary by set_by_lua (an NGINX of its own, with a
    counted  plain of its own); the same with two in-flight counters

The blocks differ in nothing but the name of their upstream, which is of one length (it is the Host header
that is sent), so what differs in cost is the balancer. Nothing is logged unless the caller says how, and no
connection ends by a count of requests.
"""

import contextlib
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


class Fronts:
    """A backend that runs, and the front's http block: `ports` by the names above."""

    main = ""  # what stands before the http block

    def __init__(self, folder: pathlib.Path, formats: str, log: str) -> None:
        self.folder, self.log = folder, log
        self.http = f"    {formats}\n    keepalive_requests 1000000000;\n"
        self.ports: dict[str, int] = {}

    def add(self, name: str, upstream_name: str, *, log: str = "", **more: str) -> None:
        self.ports[name] = free_port()
        self.http += server(self.ports[name], upstream_name, log=log or self.log, **more)


class BluegreenFronts(Fronts):
    """plain, bare, full; `formats` stands in the http block, `log` in each server, `our_log` in full's instead."""

    def __init__(self, folder: pathlib.Path, backend: int, *, formats: str = "", log: str = "access_log off;",
                 our_log: str = "") -> None:
        super().__init__(folder, formats, log)
        address = f"127.0.0.1:{backend}"
        self.bare, self.full = Region(folder, "app"), Region(folder, "all")
        for region in (self.bare, self.full):
            region.init()
            region.publish("blue", "v1", [address])
        self.full.publish("green", "v2", [address])
        self.full.weight(WEIGHT)
        self.full.flags("+fallback")
        secret = folder / "secret"
        secret.write_text("0123456789abcdef0123456789abcdef\n")
        secret.chmod(0o644)
        self.http += self.bare.top()
        self.http += upstream("raw", f"server {address};")
        self.http += upstream("app", f"bluegreen app;\n        bluegreen_server blue {address};")
        self.http += upstream("all", "bluegreen all;" + EVERYTHING.format(secret=secret))
        self.add("plain", "raw")
        self.add("bare", "app")
        self.add("full", "all", log=our_log)


class LuaFronts(Fronts):
    """plain, lua, counted: what twenty lines of Lua cost."""

    main = LUA_MODULES

    def __init__(self, folder: pathlib.Path, backend: int) -> None:
        super().__init__(folder, "", "access_log off;")
        address = f"127.0.0.1:{backend}"
        self.http += LUA_TOP + "".join(upstream(name, f"server {address};") for name in ("raw", "blu", "grn"))
        self.add("plain", "raw")
        self.add("lua", "$route", before=LUA_CHOOSE)
        self.add("counted", "$route", before=LUA_COUNT, behind=LUA_UNCOUNT)


@contextlib.contextmanager
def backend(workers: int = 1) -> Iterator[tuple[pathlib.Path, int]]:
    """A folder, and the port of a backend that answers while the block lasts."""
    port = free_port()
    with work_folder() as folder:
        with Nginx(folder, BACKEND.format(port=port), name="backend", module=None, level="error", workers=workers):
            yield folder, port
