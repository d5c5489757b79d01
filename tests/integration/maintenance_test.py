"""Maintenance: 503 with Retry-After from a page, per application, without reload."""

import os
import struct
import time

import pytest

from harness import AsyncBackend, Connection, Ensemble, Nginx, Region, free_port, until, work_folder

MORE = """
    location /variable { set $name app; proxy_pass http://$name/; }
    location /cached { set $name app; proxy_pass http://$name/; proxy_cache zone; proxy_cache_key $uri;
                       proxy_cache_valid 200 1s; proxy_cache_use_stale error timeout;
                       add_header X-Cache $upstream_cache_status; }
    location /other { proxy_pass http://other; }
    location /static { return 200 "static"; }
    location = /check { internal; proxy_pass http://app/; }
    location /authorized { auth_request /check; proxy_pass http://other/; }
    location /page { error_page 503 @sorry; proxy_pass http://app/; }
    location @sorry { return 503 "from error_page"; }
    location /mirrored { mirror /part; proxy_pass http://other/; }
    location = /part { internal; proxy_pass http://app/; }
    location /moved { proxy_intercept_errors on; error_page 500 = @app; proxy_pass http://other/status/500; }
    location @app { proxy_pass http://app; }
    location /loop { error_page 503 /loop/again; proxy_pass http://app/; }
"""


class Stage(Ensemble):
    def __init__(self, folder, upstream: str) -> None:
        self.folder = folder
        self.blue = AsyncBackend("blue")
        self.region = Region(folder)
        self.region.init()
        self.region.init("other")
        self.region.publish("blue", "v1", [self.blue.address])
        top = f"log_format why '$bluegreen_reason $bluegreen_color $status $request_uri';"
        top += f"proxy_cache_path {folder}/cache keys_zone=zone:1m;"
        top += f"access_log {folder}/why.log why;"
        top += f"upstream other {{ bluegreen other; bluegreen_server blue {self.blue.address}; }}"
        self.nginx = Nginx(folder, self.region.http(free_port(), upstream=f"{upstream} keepalive 16;", more=MORE,
                                                    top=top))

    def parts(self):
        return self.blue, self.nginx

    def log(self) -> list[str]:
        return (self.folder / "why.log").read_text().splitlines()

    def page(self) -> str:
        return self.nginx.get("/").body.decode()


def responses(stage: Stage) -> tuple[int, int]:
    """5xx of application "other", 2xx of "app", by slot 0 (shm/telemetry_region.hpp)."""
    content = stage.region.telemetry.read_bytes()
    names = [content[4096 + app * 128 + 8:].split(b"\0", 1)[0] for app in range(2)]
    other, app = names.index(b"other"), names.index(b"app")
    return (struct.unpack_from("<Q", content, 1331200 + 128 + other * 256 + 2 * 8 + 4 * 8)[0],
            struct.unpack_from("<Q", content, 1331200 + 128 + app * 256 + 2 * 8 + 1 * 8)[0])


@pytest.fixture
def stage():
    with work_folder() as folder:
        (folder / "sorry.html").write_text("<h1>back soon</h1>\n")
        upstream = f'bluegreen_maintenance page={folder}/sorry.html "type=text/html; charset=utf-8" retry_after=2m;'
        with Stage(folder, upstream) as stage:
            stage.region.flags("+maintenance")
            yield stage


def test_application_in_maintenance_answers_its_page_and_others_serve(stage) -> None:
    answer = stage.nginx.get("/")
    assert (answer.status, answer.body) == (503, b"<h1>back soon</h1>\n")
    assert answer.headers["Retry-After"] == "120"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert stage.nginx.get("/other").status == stage.nginx.get("/static").status == 200
    document = stage.nginx.status()["apps"]["app"]
    assert document["flags"] == ["maintenance"]
    assert document["colors"]["blue"]["refused"] == 1 and document["colors"]["blue"]["requests"] == 0
    stage.region.flags("-maintenance")
    assert stage.nginx.get("/").status == 200


def test_keepalive_connection_lives_on_and_bodies_are_read_away(stage) -> None:
    with Connection(stage.nginx.port) as client:
        client.ask("/", "POST", b"x" * 100000)
        assert client.answer().status == 503
        client.ask("/", "HEAD")
        head = client.answer(head_only=True)
        assert (head.status, head.headers["Content-Length"], head.headers["Retry-After"]) == (503, "19", "120")
        stage.region.flags("-maintenance")
        client.ask("/", "POST", b"body")
        assert client.answer().status == 200
    assert stage.blue.seen == ["POST /"]


def test_proxy_pass_with_a_variable_gets_the_page_too(stage) -> None:
    with Connection(stage.nginx.port) as client:
        client.ask("/variable", "POST", b"x" * 100000)
        answer = client.answer()
        assert (answer.status, answer.headers["Retry-After"], answer.body) == (503, "120", b"<h1>back soon</h1>\n")
        client.ask("/variable")
        assert client.answer().body == b"<h1>back soon</h1>\n"
    assert stage.nginx.in_flight() == (0, 0) and not stage.blue.seen


def test_stale_response_in_a_cache_is_not_sent_beside_the_page(stage) -> None:
    stage.region.flags("-maintenance")
    assert stage.nginx.get("/cached").headers["X-Cache"] == "MISS"
    until(lambda: stage.nginx.get("/cached").headers["X-Cache"] == "EXPIRED", "the entry grows old")
    time.sleep(2.1)  # NGINX's cache counts in seconds
    stage.region.flags("+maintenance")
    with Connection(stage.nginx.port) as client:
        client.ask("/cached")
        assert client.answer().body == b"<h1>back soon</h1>\n"
        client.ask("/static")
        assert client.answer().body == b"static"


def test_page_is_read_again_when_it_changes_and_nginx_has_its_own_when_it_is_gone(stage) -> None:
    page = stage.folder / "sorry.html"
    page.write_text("another text\n")
    until(lambda: stage.page() == "another text\n", "the changed page is sent")
    os.replace(_file(stage.folder / "new", "a new file"), page)
    until(lambda: stage.page() == "a new file", "the replaced page is sent")
    page.unlink()
    until(lambda: "503 Service Temporarily Unavailable" in stage.page(), "NGINX's own page is sent")
    assert stage.nginx.get("/").headers["Retry-After"] == "120"
    assert "cannot be read, NGINX's own page is sent" in stage.nginx.error_log
    page.write_text("x" * 300000)  # too long to be kept
    page.write_text("")
    until(lambda: stage.page() == "", "an empty page is one")
    page.write_text("x" * 200000)
    until(lambda: len(stage.page()) == 200000, "a long page is sent whole")


def _file(path, text: str):
    path.write_text(text)
    return path


def test_reason_is_in_the_log_and_no_color(stage) -> None:
    for path in ("/", "/variable"):
        stage.nginx.get(path)
        until(lambda line=f"maintenance - 503 {path}": line in stage.log(), f"the log names the reason for {path}")


def test_requests_that_wait_get_the_page_when_maintenance_begins(stage) -> None:
    stage.region.flags("-maintenance")
    stage.region.hold(60)
    with Connection(stage.nginx.port) as client:
        client.ask("/")
        until(lambda: stage.nginx.status()["apps"]["app"]["colors"]["blue"]["waiting"] == 1, "it waits")
        stage.region.flags("+maintenance")
        assert client.answer().body == b"<h1>back soon</h1>\n"


def test_refused_subrequest_does_not_speak_for_the_request_that_it_belongs_to(stage) -> None:
    assert stage.nginx.get("/mirrored").status == 200
    until(lambda: "active blue 200 /mirrored" in stage.log(), "the request is logged as what it was")


def test_request_redirected_to_another_application_is_counted_as_ended_by_both(stage) -> None:
    stage.region.flags("-maintenance")
    before = responses(stage)
    assert stage.nginx.get("/moved").status == 200
    until(lambda: responses(stage) == (before[0] + 1, before[1] + 1), "a 500 of the one, a 200 of the other")


def test_request_in_flight_ends_as_it_began(stage) -> None:
    stage.region.flags("-maintenance")
    with Connection(stage.nginx.port) as client:
        client.ask("/gate")
        until(lambda: stage.blue.waiting == 1, "blue has it")
        stage.region.flags("+maintenance")
        stage.blue.open_gate()
        assert client.answer().status == 200


def test_auth_request_to_an_application_in_maintenance_is_what_nginx_makes_of_503(stage) -> None:
    assert stage.nginx.get("/authorized").status == 500
    stage.region.flags("-maintenance")
    assert stage.nginx.get("/authorized").status == 200


def test_without_a_page_error_page_works_and_a_loop_ends() -> None:
    with work_folder() as folder, Stage(folder, "") as stage:
        stage.region.flags("+maintenance")
        answer = stage.nginx.get("/")
        assert answer.status == 503 and answer.headers["Retry-After"] == "30"
        answer = stage.nginx.get("/page")
        assert (answer.status, answer.body) == (503, b"from error_page")
        assert answer.headers["Retry-After"] == "30"
        assert stage.nginx.get("/loop").status == 503
        assert stage.nginx.status()["apps"]["app"]["colors"]["blue"]["refused"] == 3


def test_page_that_is_missing_at_the_start_is_said_and_taken_when_it_comes() -> None:
    with work_folder() as folder, Stage(folder, f"bluegreen_maintenance page={folder}/late.html;") as stage:
        stage.region.flags("+maintenance")
        assert "503 Service Temporarily Unavailable" in stage.page()
        (folder / "late.html").write_text("late")
        until(lambda: stage.page() == "late", "the page is taken")
        assert stage.nginx.get("/").headers["Content-Type"] == "text/html"
