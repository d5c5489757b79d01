"""One NGINX before two colors, with each kind of way to them, for the tests of holds."""

import pytest

from harness import AsyncBackend, Connection, Ensemble, Nginx, Region, free_port, until, work_folder

MORE = """
    location /unbuffered { proxy_pass http://app/; proxy_request_buffering off; proxy_http_version 1.1; }
    location /variable { set $name app; proxy_pass http://$name/; }
    location /variable_unbuffered { set $name app; proxy_pass http://$name/; proxy_request_buffering off;
                                    proxy_http_version 1.1; }
    location = /check { internal; proxy_pass http://app/; proxy_pass_request_body off;
                        proxy_set_header Content-Length ""; }
    location /authorized { auth_request /check; proxy_pass http://app/; }
    location /ws { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
                   proxy_set_header Connection upgrade; }
    location /static { return 200 "static"; }
    location /accel { proxy_pass http://app; }
    location /mirrored { mirror /check; proxy_pass http://app/gate; }
    location /background { mirror /check; proxy_pass http://plain/; }
    location /variable_cached { set $name app; proxy_pass http://$name/; proxy_cache zone; proxy_cache_key $uri;
                                proxy_cache_valid 200 1s; proxy_cache_lock on; proxy_ignore_headers Cache-Control;
                                proxy_cache_use_stale error timeout; add_header X-Cache $upstream_cache_status; }
    location /sorry { error_page 503 /app/sorry; proxy_pass http://app/; }
    location /to_app { proxy_pass http://app/cut; error_page 502 = /again; }
    location /to_variable { proxy_pass http://app/cut; error_page 502 = /variable; }
    location /if { root /nowhere; if ($arg_go) { proxy_pass http://app; } }
"""


class Stage(Ensemble):
    def __init__(self, folder, upstream: str = "", **more: object) -> None:
        self.blue, self.green = AsyncBackend("blue"), AsyncBackend("green")
        self.region = Region(folder)
        self.region.init()
        self.region.publish("blue", "v1", [self.blue.address])
        self.region.publish("green", "v2", [self.green.address])
        self.log = folder / "why.log"
        top = (f"log_format why '$bluegreen_reason $bluegreen_color $status $request_uri'; access_log {self.log} why;"
               f"proxy_cache_path {folder}/cache keys_zone=zone:1m;"
               f"upstream plain {{ server {self.blue.address}; }}")
        http = self.region.http(free_port(), upstream=f"{upstream} keepalive 16;", more=MORE, top=top)
        self.nginx = Nginx(folder, http, **more)

    def parts(self):
        return self.blue, self.green, self.nginx

    def reasons(self) -> list[str]:
        return self.log.read_text().splitlines()

    def figures(self, color: str = "blue") -> dict:
        return self.nginx.status()["apps"]["app"]["colors"][color]

    def waits(self, count: int) -> None:
        until(lambda: sum(self.figures(color)["waiting"] for color in ("blue", "green")) == count,
              f"{count} requests wait")

    def ask(self, path: str = "/", *arguments: object, **more: object) -> Connection:
        client = Connection(self.nginx.port)
        client.ask(path, *arguments, **more)
        return client


@pytest.fixture
def stage():
    with work_folder() as folder, Stage(folder) as stage:
        yield stage


def connections_to(port: int) -> int:
    """Established connections with that port at the other end, as the kernel has them now."""
    remote = f":{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        return sum(1 for line in list(table)[1:]
                   if line.split()[2].endswith(remote) and line.split()[3] == "01")
