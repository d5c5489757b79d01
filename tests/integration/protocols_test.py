"""Every protocol that NGINX speaks, with a real server for each: what is counted, and where a flip sends it.

A gauge is 1 while the request is on its way and 0 at its end, whatever that end is; the color's
counter has grown by one; and a flip in the middle moves nothing but what comes after it. See
in_flight_test.py for the endings that only HTTP/1 upstreams have.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

import pytest

from harness import (AsyncBackend, Connection, Nginx, Region, UpstreamProcess, WebSocket, free_port, often, until,
                     work_folder)
from harness.protocol_clients import CurlH2, GrpcCall, GrpcTalk, H2Streams, Http1
from harness.upstream_process import PROGRAMS

LOCATIONS = f"""
    location /http10/ {{ proxy_pass http://http/; proxy_http_version 1.0; }}
    location /http11/ {{ proxy_pass http://http/; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    location /streamed/ {{ proxy_pass http://http/; proxy_http_version 1.1; proxy_request_buffering off; }}
    location /fastcgi/ {{ rewrite ^/fastcgi(/.*) $1 break; fastcgi_pass fastcgi; fastcgi_param PATH_INFO $uri;
        fastcgi_param REQUEST_METHOD $request_method; fastcgi_param SCRIPT_FILENAME {PROGRAMS}/gate.cgi; }}
    location /uwsgi/ {{ rewrite ^/uwsgi(/.*) $1 break; uwsgi_pass uwsgi; uwsgi_param PATH_INFO $uri;
        uwsgi_param REQUEST_METHOD $request_method; uwsgi_param CONTENT_LENGTH $content_length;
        uwsgi_param QUERY_STRING $query_string; uwsgi_param SERVER_PROTOCOL $server_protocol; }}
    location /test. {{ grpc_pass grpc://grpc; }}
    location /ws {{ proxy_pass http://http; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade; }}
    location / {{ proxy_pass http://http; }}
    location /accelerated/ {{ proxy_pass http://http/accel?to=/http11/; }}
    location /erring/ {{ proxy_pass http://http/status/500; proxy_intercept_errors on; error_page 500 = /http11/gate; }}
    location /rewritten/ {{ rewrite ^/rewritten(/.*) /http11$1 last; }}
    location /authorized/ {{ auth_request /held; proxy_pass http://http/; }}
    location /mirrored/ {{ mirror /held; proxy_pass http://http/; }}
    location = /held {{ internal; proxy_pass http://http/gate; proxy_pass_request_body off;
        proxy_set_header Content-Length ""; }}
    location /page {{ ssi on; default_type text/html; alias {{folder}}/page; }}
"""
PAGE = '<!--# include virtual="/http11/gate" wait="yes" --><!--# include virtual="/http11/" -->'


@dataclasses.dataclass
class Stage:
    nginx: Nginx
    region: Region
    blue: AsyncBackend
    green: AsyncBackend
    plain: int
    h2: int
    short: int    # as `plain`, but an upstream may only be silent for 0.3 s
    short_h2: int

    def flip(self, color: str) -> None:
        for app in ("http", "grpc", "fastcgi", "uwsgi"):
            self.region.app = app
            self.region.switch(color)

    def counts(self, app: str) -> tuple[int, int, int, int]:
        """In flight on blue and green, requests that blue and green have had."""
        colors = self.nginx.status()["apps"][app]["colors"]
        return (colors["blue"]["in_flight"], colors["green"]["in_flight"], colors["blue"]["requests"],
                colors["green"]["requests"])

    def settle(self) -> None:
        """Nobody waits at a gate, nothing is in flight, blue is active: whatever the test before did."""
        def free() -> bool:
            self.blue.open_gate()
            self.green.open_gate()
            return self.blue.waiting + self.green.waiting == 0 and all(
                self.counts(app)[:2] == (0, 0) for app in ("http", "grpc", "fastcgi", "uwsgi"))

        until(free, "nothing is in flight any more")
        self.flip("blue")


@pytest.fixture(scope="module")
def everything() -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(work_folder())
        (folder / "page").write_text(PAGE)
        colors = {color: stack.enter_context(AsyncBackend(color)) for color in ("blue", "green")}
        region = Region(folder)
        upstreams = ""
        for app in ("http", "grpc", "fastcgi", "uwsgi"):
            region.app = app
            region.init(app)
            upstreams += region.upstream(more="keepalive 16;").replace("upstream app", f"upstream {app}")
            for color, gate in colors.items():
                server = gate if app == "http" else stack.enter_context(UpstreamProcess(app, gate))
                region.publish(color, "v1", [server.address])
        ports = [free_port() for _ in range(4)]
        locations = LOCATIONS.replace("{folder}", str(folder))
        http = region.top() + upstreams + f"""
            log_format routed '$bluegreen_color $status $request';
            access_log {folder}/routed.log routed;
            server {{ listen 127.0.0.1:{ports[0]}; listen 127.0.0.1:{ports[1]} http2; {locations}
                location = /bluegreen/status {{ bluegreen_status cache=0; access_log off; }} }}
            server {{ listen 127.0.0.1:{ports[2]}; listen 127.0.0.1:{ports[3]} http2; {locations}
                proxy_read_timeout 300ms; fastcgi_read_timeout 300ms; uwsgi_read_timeout 300ms;
                grpc_read_timeout 300ms; }}"""
        nginx = stack.enter_context(Nginx(folder, http))
        yield Stage(nginx, region, colors["blue"], colors["green"], *ports)


@pytest.fixture
def stage(everything: Stage) -> Iterator[Stage]:
    everything.settle()
    yield everything
    everything.settle()


@dataclasses.dataclass
class Case:
    app: str
    ask: Callable[[Stage, str, bool], Http1]  # stage, path, whether the upstream may only be silent for 0.3 s


def http1(prefix: str, **more: object) -> Callable[[Stage, str, bool], Http1]:
    return lambda stage, path, short: Http1(stage.short if short else stage.plain, prefix + path, **more)


def h2(prefix: str) -> Callable[[Stage, str, bool], Http1]:
    return lambda stage, path, short: CurlH2(stage.short_h2 if short else stage.h2, prefix + path)


PROTOCOLS = {
    "HTTP/1.0 upstream": Case("http", http1("/http10")),
    "HTTP/1.1 upstream": Case("http", http1("/http11")),
    "HTTP/1.0 client": Case("http", http1("/http11", version="1.0")),
    "POST without request buffering": Case("http", http1("/streamed", method="POST", body=b"x" * 200000)),
    "HTTP/2 client": Case("http", h2("/http11")),
    "FastCGI": Case("fastcgi", http1("/fastcgi")),
    "FastCGI behind HTTP/2": Case("fastcgi", h2("/fastcgi")),
    "uwsgi": Case("uwsgi", http1("/uwsgi")),
    "uwsgi with a body": Case("uwsgi", http1("/uwsgi", method="POST", body=b"x" * 100000)),
    "gRPC": Case("grpc", lambda stage, path, short: GrpcCall(stage.short_h2 if short else stage.h2, path)),
    "rewrite to another location": Case("http", http1("/rewritten")),
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_flip_in_the_middle_leaves_the_request_where_it_is_and_sends_the_next_one_over(stage, name) -> None:
    case = PROTOCOLS[name]
    _, _, blue, green = stage.counts(case.app)
    with case.ask(stage, "/gate", False) as first:
        until(lambda: stage.blue.waiting == 1, "blue has the request")
        assert stage.counts(case.app) == (1, 0, blue + 1, green)
        stage.flip("green")
        with case.ask(stage, "/next", False) as second:
            reply = second.answer()
        assert reply.ok and reply.color == "green"
        until(lambda: stage.counts(case.app) == (1, 0, blue + 1, green + 1), "only the first is still in flight")
        stage.blue.open_gate()
        reply = first.answer()
        assert reply.ok and reply.color == "blue"
    until(lambda: stage.counts(case.app) == (0, 0, blue + 1, green + 1), "nothing is in flight")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_client_that_leaves_ends_its_request(stage, name) -> None:
    case = PROTOCOLS[name]
    _, _, blue, green = stage.counts(case.app)
    with case.ask(stage, "/gate", False) as asked:
        until(lambda: stage.blue.waiting == 1, "blue has the request")
        asked.leave()
    until(lambda: stage.counts(case.app) == (0, 0, blue + 1, green), "nothing is in flight")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_upstream_that_is_silent_for_too_long_ends_the_request(stage, name) -> None:
    case = PROTOCOLS[name]
    _, _, blue, green = stage.counts(case.app)
    with case.ask(stage, "/gate", True) as asked:
        assert not asked.answer().ok
    until(lambda: stage.counts(case.app) == (0, 0, blue + 1, green), "nothing is in flight")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_upstream_that_fails_in_the_middle_ends_the_request(stage, name) -> None:
    case = PROTOCOLS[name]
    _, _, blue, green = stage.counts(case.app)
    with case.ask(stage, "/cut", False) as asked:
        until(lambda: stage.blue.waiting == 1, "blue has the request")
        stage.blue.open_gate()
        assert not asked.answer().ok
    until(lambda: stage.counts(case.app) == (0, 0, blue + 1, green), "nothing is in flight")


@dataclasses.dataclass
class Walk:
    """A request of several parts, the first of which waits at blue's gate while the flip is made."""

    path: str
    answered: str             # the color whose answer the client sees
    counted: tuple[int, int]  # by how much the colors' requests grow
    logged: str = ""          # what $bluegreen_color says of the request itself, where that is another one


WALKS = {
    "error_page from one answer to another": Walk("/erring/", "blue", (1, 0)),
    "X-Accel-Redirect": Walk("/accelerated/gate", "blue", (1, 0)),
    "auth_request before the flip, its page behind": Walk("/authorized/", "green", (1, 1)),
    "SSI with a part on either side of the flip": Walk("/page", "green", (1, 1), "-"),
}


@pytest.mark.parametrize("name", WALKS)
def test_parts_of_one_request_on_both_sides_of_a_flip_count_once_a_color(stage, name) -> None:
    walk = WALKS[name]
    _, _, blue, green = stage.counts("http")
    with Connection(stage.plain) as client:
        client.ask(walk.path)
        until(lambda: stage.blue.waiting == 1, "blue has the first part")
        assert stage.counts("http")[:2] == (1, 0)
        stage.flip("green")
        stage.blue.open_gate()
        answer = client.answer()
        assert answer.status == 200 and answer.body.decode().split()[-2] == walk.answered
    expected = (0, 0, blue + walk.counted[0], green + walk.counted[1])
    until(lambda: stage.counts("http") == expected, f"the counts are {expected}")
    log = (stage.region.control.parent / "routed.log").read_text()
    assert f"{walk.logged or walk.answered} 200 GET {walk.path} HTTP/1.1" in log


def test_mirror_that_outlives_its_answer_is_in_flight_until_it_ends(stage) -> None:
    _, _, blue, green = stage.counts("http")
    with Connection(stage.plain) as client:
        client.ask("/mirrored/")
        until(lambda: stage.blue.waiting == 1, "blue has the copy")
        stage.flip("green")
        with Http1(stage.plain, "/") as other:
            assert other.answer().color == "green"
        until(lambda: stage.counts("http") == (1, 0, blue + 1, green + 1), "the mirrored one is in flight")
        stage.blue.open_gate()
        assert client.answer().status == 200
    until(lambda: stage.counts("http")[:2] == (0, 0), "nothing is in flight")


def test_websocket_stays_with_its_color_through_a_flip_until_it_closes(stage) -> None:
    _, _, blue, green = stage.counts("http")
    with WebSocket(stage.plain) as old:
        assert old.handshake.headers["X-Color"] == "blue"
        stage.flip("green")
        with WebSocket(stage.plain) as new:
            assert new.handshake.headers["X-Color"] == "green"
            assert (old.echo("old"), new.echo("new")) == ("old", "new")
            assert stage.counts("http") == (1, 1, blue + 1, green + 1)
        until(lambda: stage.counts("http")[:2] == (1, 0), "the new one has closed")
        assert old.echo("again") == "again"
    until(lambda: stage.counts("http")[:2] == (0, 0), "both have closed")


def test_grpc_stream_stays_with_its_color_through_a_flip_until_it_closes(stage) -> None:
    _, _, blue, green = stage.counts("grpc")
    old = GrpcTalk(stage.h2)
    assert old.echo("one") == "blue one"
    stage.flip("green")
    new = GrpcTalk(stage.h2)
    assert (new.echo("two"), old.echo("three")) == ("green two", "blue three")
    assert stage.counts("grpc") == (1, 1, blue + 1, green + 1)
    old.close()
    until(lambda: stage.counts("grpc")[:2] == (0, 1), "the old one has closed")
    new.close()
    until(lambda: stage.counts("grpc")[:2] == (0, 0), "both have closed")


def test_streams_of_one_http2_connection_are_counted_each(stage) -> None:
    _, _, blue, green = stage.counts("http")
    with H2Streams(stage.h2, "/http11/gate", 20, 20) as before:
        until(lambda: stage.blue.waiting == 20, "blue has all streams")
        stage.flip("green")
        with H2Streams(stage.h2, "/http11/gate", 10, 10) as behind:
            until(lambda: stage.green.waiting == 10, "green has all streams")
            assert stage.counts("http") == (20, 10, blue + 20, green + 10)
            behind.leave()
            until(lambda: stage.counts("http")[:2] == (20, 0), "the connection's streams have ended with it")
        stage.blue.open_gate()
        assert before.succeeded() == 20
    until(lambda: stage.counts("http")[:2] == (0, 0), "nothing is in flight")


def test_flips_under_http2_load_lose_and_miscount_nothing(stage, figures) -> None:
    _, _, blue, green = stage.counts("http")
    requests, flips = often(4000), 0
    with H2Streams(stage.h2, "/http11/", requests, 20, 4) as load:
        while load.running():
            stage.flip("green" if flips % 2 == 0 else "blue")
            flips += 1
        assert load.succeeded() == requests
    until(lambda: stage.counts("http")[:2] == (0, 0), "nothing is in flight")
    after = stage.counts("http")
    assert after[2] + after[3] - blue - green == requests and min(after[2] - blue, after[3] - green) > 0
    figures(requests=requests, flips=flips, blue=after[2] - blue, green=after[3] - green)
