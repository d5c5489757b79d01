"""What NGINX expects of a balancer, as its round robin keeps it: other directives in the same upstream
block, https sessions, tries that end, names by variable; and the faults that show after many requests only.

upstream_rules_test.py has the single rules that a request shows, config_error_test.py the messages of our
own directives.
"""

import contextlib
import pathlib
import random
import re
import subprocess
from collections.abc import Iterator

import pytest

from harness import (AsyncBackend, Connection, Nginx, NginxBackend, Region, UpstreamProcess, WebSocket, free_port,
                     nginx_version, no_keepalive, often, request, until, work_folder)
from harness.protocol_clients import CurlH2, GrpcCall

from upstream_rules_test import certificate

LATE_KEEPALIVE = nginx_version() >= (1, 29, 7)  # it wraps peer.init when the whole configuration is read


def knows(directive: str) -> bool:
    """Whether this NGINX has the directive at all."""
    with work_folder() as folder:
        http = f"upstream x {{ server 127.0.0.1:1; {directive} }} server {{ listen 127.0.0.1:{free_port()}; }}"
        return "unknown directive" not in Nginx(folder, http, module=None).test().stderr


# --- other directives in the block

BALANCERS = ["least_conn;", "ip_hash;", "hash $uri consistent;", "random;", "random two least_conn;",
             "least_time header;"]
STICKY = ["sticky cookie id;", "sticky route $arg_id;",
          "sticky learn create=$upstream_cookie_id lookup=$cookie_id zone=sessions:1m;"]


@pytest.mark.parametrize("directive", BALANCERS)
def test_another_balancer_in_the_block_is_refused_by_name_and_line(directive) -> None:
    if not knows(directive):
        pytest.skip(f"this NGINX has no {directive}")
    with work_folder() as folder:
        region = Region(folder)
        http = region.http(free_port(), "127.0.0.1:1", upstream=directive)
        config = folder / "nginx" / "nginx.conf"
        after = Nginx(folder, http).test()
        line = config.read_text().splitlines().index("        bluegreen app;") + 1
        assert after.returncode == 1
        assert (f'another load balancing method replaces "bluegreen" in upstream "app" in {config}:{line}\n'
                in after.stderr)
        before = Nginx(folder, http.replace("bluegreen app;", f"{directive} bluegreen app;")).test()
        assert before.returncode == 1
        assert re.search(rf'"bluegreen" must .*another load balancing method.* in {config}:{line}\n', before.stderr)


@pytest.mark.parametrize("directive", STICKY)
def test_sticky_of_nginx_is_refused_in_the_block_and_works_in_the_next_one(directive) -> None:
    if not knows(directive):
        pytest.skip("this NGINX has no sticky")
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        config = folder / "nginx" / "nginx.conf"
        http = region.http(free_port(), blue.address, upstream=directive)
        after = Nginx(folder, http).test()
        line = config.read_text().splitlines().index("    upstream app {") + 1
        assert after.returncode == 1
        assert (f'"sticky" cannot be used with "bluegreen" in upstream "app" in {config}:{line}, write '
                '"bluegreen_sticky KEY"\n') in after.stderr
        before = Nginx(folder, http.replace("bluegreen app;", f"{directive} bluegreen app;")).test()
        assert before.returncode == 1
        assert f'or "sticky" in {config}:{line + 1}\n' in before.stderr
        other = f"upstream other {{ server {blue.address}; {directive} }}"
        http = region.http(free_port(), blue.address, top=other, more="location /other { proxy_pass http://other/; }")
        with Nginx(folder, http) as nginx:
            assert nginx.get("/").status == nginx.get("/other?id=1").status == 200
            assert "does not support sticky" not in nginx.error_log


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("directive", ["keepalive 4;", "keepalive 4 local;", "keepalive 0;"])
def test_keepalive_works_wherever_this_nginx_allows_it_and_is_refused_elsewhere(directive, place) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        http = region.http(free_port(), upstream=directive if place == "after" else "")
        if place == "before":
            http = http.replace("bluegreen app;", f"{directive} bluegreen app;")
        if not LATE_KEEPALIVE and (place == "before" or directive != "keepalive 4;"):
            message = ('"bluegreen" must stand before "keepalive"' if directive == "keepalive 4;" else
                       'invalid value "0" in "keepalive" directive' if directive == "keepalive 0;" else
                       'invalid number of arguments in "keepalive" directive')
            run = Nginx(folder, http).test()
            assert run.returncode == 1 and message in run.stderr
            return
        with Nginx(folder, http) as nginx:
            assert [nginx.get("/").status for _ in range(10)] == [200] * 10
        assert len({line.split()[3] for line in blue.requests()}) == (10 if directive == "keepalive 0;" else 1)


def test_keepalive_is_on_by_itself_where_nginx_has_it_so_and_off_elsewhere() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port(), upstream="")) as nginx:
            assert [nginx.get("/").status for _ in range(10)] == [200] * 10
        assert len({line.split()[3] for line in blue.requests()}) == (1 if LATE_KEEPALIVE else 10)


# --- https

@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("reuse", ["on", "off"])
def test_https_upstream_resumes_its_sessions_exactly_when_that_is_on(protocol, reuse) -> None:
    with work_folder() as folder:
        certificate(folder)
        port = free_port()
        backend = f"""
            log_format seen '$ssl_protocol $ssl_session_reused';
            access_log {folder}/tls.log seen;
            ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; ssl_session_cache shared:a:1m;
            server {{ listen 127.0.0.1:{port} ssl; ssl_protocols {protocol}; return 200 "ok\\n"; }}"""
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [f"127.0.0.1:{port}"])
        location = f"proxy_ssl_session_reuse {reuse}; proxy_ssl_protocols {protocol};"
        http = region.http(free_port(), upstream=no_keepalive(), location=location)
        http = http.replace("http://app", "https://app")
        with Nginx(folder, backend, name="backend", module=None), Nginx(folder, http) as nginx:
            workers = nginx.workers()
            assert [nginx.get("/").status for _ in range(8)] == [200] * 8
            assert nginx.workers() == workers
        seen = (folder / "tls.log").read_text().splitlines()
        assert seen == [f"{protocol} ."] + [f"{protocol} {'r' if reuse == 'on' else '.'}"] * 7


# --- names

def test_upstream_is_found_by_a_name_in_a_variable_under_every_pass_directive() -> None:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(work_folder())
        gate = stack.enter_context(AsyncBackend("blue"))
        region = Region(folder)
        upstreams, servers = "", {"http": gate}
        for app in ("http", "grpc", "uwsgi"):
            region.app = app
            region.init(app)
            if app != "http":
                servers[app] = stack.enter_context(UpstreamProcess(app, gate))
            region.publish("blue", "v1", [servers[app].address])
            upstreams += region.upstream().replace("upstream app", f"upstream {app}_upstream")
        plain, h2 = free_port(), free_port()
        nginx = stack.enter_context(Nginx(folder, region.top() + upstreams + f"""
            server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{h2} http2; set $which $arg_which;
                location / {{ proxy_pass http://${{which}}_upstream$uri; }}
                location /uwsgi {{ set $uwsgi uwsgi_upstream; uwsgi_pass $uwsgi; uwsgi_param PATH_INFO /;
                    uwsgi_param REQUEST_METHOD GET; }}
                location /test. {{ set $grpc grpc_upstream; grpc_pass $grpc; }}
                location /bluegreen/status {{ bluegreen_status cache=0; }} }}"""))
        assert request(plain, "/?which=http").body == b"blue v1\n"
        assert request(plain, "/uwsgi").body == b"blue v1\n"
        with GrpcCall(h2, "/") as call:
            assert call.answer().color == "blue"
        assert request(plain, "/?which=nobodys").status == 502  # a name that no upstream has goes to the resolver
        figures = nginx.status()["apps"]
        assert [figures[app]["colors"]["blue"]["requests"] for app in servers] == [1, 1, 1]


# --- tries

FAIL_FOR_EVER = f"bluegreen_balance round_robin max_fails=0; {no_keepalive()}"

@pytest.mark.parametrize("endpoints", [1, 2, 7, 32])
def test_request_to_dead_endpoints_alone_asks_each_of_them_once_and_ends(endpoints) -> None:
    dead = [f"127.0.0.1:{free_port()}" for _ in range(endpoints)]
    with work_folder() as folder:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", dead)
        with Nginx(folder, region.http(free_port(), upstream=FAIL_FOR_EVER)) as nginx:
            for method in ("GET", "POST"):
                assert request(nginx.port, "/", method, b"x" if method == "POST" else b"").status == 502
            until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight")
        for line in region.routed()[:2]:
            asked = re.findall(r"127\.0\.0\.1:\d+", line)
            assert sorted(asked) == sorted(dead)


def test_post_that_reached_an_upstream_is_not_sent_to_another_one() -> None:
    with work_folder() as folder, AsyncBackend("blue") as one, AsyncBackend("blue") as other:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [one.address, other.address])
        with Nginx(folder, region.http(free_port(), location="proxy_next_upstream error timeout http_500;",
                                       upstream="bluegreen_balance round_robin max_fails=0; keepalive 16;")) as nginx:
            for path in ("/close", "/status/500"):
                before = len(one.seen) + len(other.seen)
                request(nginx.port, path, "POST", b"x")
                assert len(one.seen) + len(other.seen) - before == 1
                request(nginx.port, path)  # a GET is sent to both
                assert len(one.seen) + len(other.seen) - before == 3


# --- after many requests

class Mix:
    """Requests of every kind in an order of its own, the same one each time."""

    def __init__(self, nginx: Nginx, region: Region, h2: int, backends: dict[str, list[AsyncBackend]]) -> None:
        self.nginx, self.region, self.h2, self.backends = nginx, region, h2, backends
        self.kept: Connection | None = None
        self.dice = random.Random(9)
        self.dead = f"127.0.0.1:{free_port()}"

    def plain(self) -> None:
        if self.kept is None:
            self.kept = Connection(self.nginx.port)
        try:
            large = self.dice.random() < 0.03  # over the buffer and through a file
            self.kept.ask("/", "POST", b"x" * (40000 if large else self.dice.randrange(300)))
            assert self.kept.answer().status == 200
        except (ConnectionError, BrokenPipeError):  # keepalive_requests
            self.kept = None

    def fails(self) -> None:
        assert self.nginx.get(self.dice.choice(["/close", "/status/500", "/status/404"])).status in (404, 500, 502)

    def leaves(self) -> None:
        with Connection(self.nginx.port) as client:
            client.ask("/gate")

    def talks(self) -> None:
        with WebSocket(self.nginx.port) as socket:
            assert socket.echo("x") == "x"

    def h2_request(self) -> None:
        with CurlH2(self.h2, "/") as asked:
            assert asked.answer().ok

    def walks(self) -> None:
        assert self.nginx.get(self.dice.choice(["/authorized", "/mirrored", "/accel?to=/", "/erring"])).status == 200

    def flips(self) -> None:
        self.region.switch(self.dice.choice(["blue", "green"]))

    def publishes(self) -> None:
        color = self.dice.choice(["blue", "green"])
        addresses = [f"{backend.address}#{self.dice.randrange(1, 1000)}" for backend in self.backends[color]]
        if self.dice.random() < 0.3:
            addresses.insert(0, self.dead)
        self.region.publish(color, f"v{self.dice.randrange(1000)}", addresses)

    def run(self, count: int) -> None:
        kinds = [self.plain] * 60 + [self.fails] * 12 + [self.leaves] * 8 + [self.talks] * 4 + [self.walks] * 12 + \
            [self.flips, self.publishes] * 2 + [self.h2_request]
        for number in range(count):
            self.dice.choice(kinds)()
            if number % 50 == 0:
                self.open_gates()
        self.open_gates()
        if self.kept is not None:
            self.kept.close()
            self.kept = None

    def open_gates(self) -> None:
        for backend in self.backends["blue"] + self.backends["green"]:
            backend.open_gate()


@pytest.fixture
def mix() -> Iterator[Mix]:
    more = """
        location /ws { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
                       proxy_set_header Connection upgrade; }
        location /authorized { auth_request /part; proxy_pass http://app/; }
        location /mirrored { mirror /part; proxy_pass http://app/; }
        location = /part { internal; proxy_pass http://app/; proxy_pass_request_body off;
                           proxy_set_header Content-Length ""; }
        location /erring { proxy_pass http://app/status/500; proxy_intercept_errors on; error_page 500 = /; }"""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(work_folder())
        backends = {color: [stack.enter_context(AsyncBackend(color)) for _ in range(2)] for color in ("blue", "green")}
        region = Region(folder)
        region.init()
        for color, list_ in backends.items():
            region.publish(color, "v1", [backend.address for backend in list_])
        h2 = free_port()
        http = region.http(free_port(), more=more, location="proxy_next_upstream error timeout http_500;")
        http = http.replace("location / {", f"listen 127.0.0.1:{h2} http2;\n        location / {{", 1)
        nginx = stack.enter_context(Nginx(folder, http, level="error"))
        yield Mix(nginx, region, h2, backends)


def descriptors(nginx: Nginx) -> int:
    return len(list(pathlib.Path(f"/proc/{nginx.workers()[0].pid}/fd").iterdir()))


def test_long_mixed_run_crashes_no_worker_and_leaves_no_descriptor_and_no_gauge(mix, figures) -> None:
    count = often(3000)
    mix.run(300)  # as many cached connections as there will ever be
    until(lambda: mix.nginx.in_flight() == (0, 0), "nothing is in flight")
    workers, before = mix.nginx.workers(), descriptors(mix.nginx)
    mix.run(count)
    until(lambda: mix.nginx.in_flight() == (0, 0), "nothing is in flight")
    assert mix.nginx.workers() == workers
    # The cache of idle connections is what may differ: `keepalive 16`.
    until(lambda: descriptors(mix.nginx) <= before + 16, f"{before} descriptors again")
    figures(requests=count, descriptors_before=before, descriptors_after=descriptors(mix.nginx))


def test_thousands_of_requests_on_fresh_connections_leave_as_many_descriptors_as_there_were(figures) -> None:
    count = often(5000)
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port(), upstream=no_keepalive()), level="error") as nginx:
            nginx.get("/")
            before = descriptors(nginx)
            run = subprocess.run(["h2load", "--h1", "-n", str(count), "-c", "8", f"http://127.0.0.1:{nginx.port}/"],
                                 capture_output=True, text=True, timeout=300, check=True)
            assert f"{count} succeeded" in run.stdout, run.stdout
            until(lambda: descriptors(nginx) <= before, f"{before} descriptors again")
            figures(requests=count, descriptors=before)
