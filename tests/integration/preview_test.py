"""Preview: the right secret reaches the idle color through the real listener, and goes no further."""

import os
import re
import subprocess

import pytest

from harness import AsyncBackend, Connection, Ensemble, Nginx, Region, free_port, request, until, work_folder

SECRET = "secret-0123456789-0123456789-ABCDEF"
NEXT = "next-secret-abcdefghijklmnopqrstuvwxyz"
WRONG = "wrong-0123456789-0123456789-ABCDEFG"

TOP = """
    log_format spied '$status "$http_x_bluegreen_preview" "$http_cookie" "$cookie_pass" "$bluegreen_color" '
                     '"$bluegreen_reason" "$bluegreen_preview" $request_uri';
    access_log {folder}/spied.log spied;
    proxy_cache_path {folder}/cache keys_zone=zone:1m;
    upstream plain {{ server {blue}; }}
    upstream second {{ bluegreen app; bluegreen_preview $http_x_bluegreen_preview {folder}/secret; }}
    upstream other {{ bluegreen other; bluegreen_server blue {blue}; bluegreen_server green {green};
                      bluegreen_preview $http_x_bluegreen_preview {folder}/other_secret; }}
"""
MORE = """
    location /variable { set $name app; proxy_pass http://$name/; }
    location /second { proxy_pass http://second/; }
    location /other { proxy_pass http://other/; }
    location /plain { proxy_pass http://plain/; }
    location = /check { internal; proxy_pass http://plain/check; proxy_pass_request_body off;
                        proxy_set_header Content-Length ""; }
    location /authorized { auth_request /check; proxy_pass http://app/; }
    location /mirrored { mirror /check; proxy_pass http://app/; }
    location /static { return 200 "$http_x_bluegreen_preview|$http_cookie|"; }
    location /cached { proxy_cache zone; proxy_cache_valid 200 1h; proxy_cache_key $uri;
                       proxy_cache_bypass $bluegreen_preview; add_header X-Cache $upstream_cache_status always;
                       proxy_pass http://app/; }
    location /redirected { error_page 404 = /redirected/again; proxy_intercept_errors on;
                           proxy_pass http://app/status/404; }
    location = /redirected/again { proxy_pass http://app/; }
"""


class Stage(Ensemble):
    def __init__(self, folder, source: str = "$http_x_bluegreen_preview", **more: object) -> None:
        self.folder = folder
        self.blue, self.green = AsyncBackend("blue"), AsyncBackend("green")
        self.secret = folder / "secret"
        self.secret.write_text(SECRET + "\n")
        (folder / "other_secret").write_text(NEXT + "\n")
        self.region = Region(folder)
        self.region.init()
        self.region.publish("blue", "v1", [self.blue.address])
        self.region.publish("green", "v2", [self.green.address])
        top = TOP.format(folder=folder, blue=self.blue.address, green=self.green.address)
        self.nginx = Nginx(folder, self.region.http(
            free_port(), upstream=f"bluegreen_preview {source} {self.secret}; keepalive 16;", top=top, more=MORE),
            **more)

    def parts(self):
        return self.blue, self.green, self.nginx

    def get(self, path: str = "/", secret: str | None = SECRET, **more: object):
        headers = dict(more.pop("headers", {}))
        if secret is not None:
            headers["X-Bluegreen-Preview"] = secret
        return self.nginx.get(path, headers=headers, **more)

    def color(self, secret: str | None = SECRET, path: str = "/") -> tuple[str, str | None]:
        """Who answered, and what X-Bluegreen-Color says."""
        answer = self.get(path, secret)
        return answer.headers["X-Color"], answer.headers.get("X-Bluegreen-Color")

    def forwarded(self) -> str:
        return "\n".join([*self.blue.heads, *self.green.heads])

    def logged(self) -> str:
        return ((self.folder / "spied.log").read_text() + self.nginx.error_log
                + "\n".join(self.region.routed()))


@pytest.fixture
def stage():
    with work_folder() as folder, Stage(folder) as stage:
        yield stage


def test_right_secret_reaches_the_idle_color_and_a_wrong_one_is_treated_as_absent(stage) -> None:
    assert stage.color() == ("green", "green")
    for secret in (None, WRONG, "", SECRET[:-1], SECRET + "x", SECRET.upper(), NEXT, "x" * 600, SECRET + ", " + SECRET):
        assert stage.color(secret) == ("blue", None)
    stage.region.switch("green")
    assert stage.color() == ("blue", "blue")
    assert stage.color(None) == ("green", None)
    figures = stage.nginx.status()["apps"]["app"]["colors"]
    assert figures["green"]["previews"] == figures["blue"]["previews"] == 1
    assert '200 "-" "-" "-" "green" "preview" "1" /' in stage.logged()
    assert '200 "-" "-" "-" "blue" "active" "-" /' in stage.logged()


PATHS = ["/", "/variable", "/second", "/other", "/plain", "/authorized", "/mirrored", "/static", "/cached",
         "/redirected"]


@pytest.mark.parametrize("path", PATHS)
def test_secret_is_never_forwarded_nor_logged_right_or_wrong(stage, path) -> None:
    for secret in (SECRET, WRONG, NEXT):
        assert stage.get(path, secret).status == 200
        with Connection(stage.nginx.port) as client:
            client.send(f"POST {path} HTTP/1.1\r\nx-bluegreen-preview: {secret}\r\nHost: test\r\nA: 1\r\n"
                        f"X-BLUEGREEN-PREVIEW: {secret}\r\nB: 2\r\nContent-Length: 4\r\n"
                        f"X-Bluegreen-Preview:{secret}\r\n\r\nbody".encode())
            assert client.answer().status == 200
    assert stage.get(path, None).status == 200
    text = stage.forwarded().lower()
    if path != "/static":
        assert "a: 1" in text and "b: 2" in text and "host:" in text
    assert "preview" not in text
    for secret in (SECRET, WRONG, NEXT):
        assert secret not in stage.forwarded() + stage.logged()
        assert secret not in stage.get("/static", secret).body.decode()


def test_many_headers_before_and_behind_the_secret_all_arrive(stage) -> None:
    for count in (0, 1, 17, 18, 19, 20, 21, 39, 40, 41, 60):  # NGINX keeps them in parts of 20
        for at in {0, count // 2, count}:
            headers = [f"H{i}: {i}" for i in range(count)]
            headers.insert(at, f"X-Bluegreen-Preview: {SECRET}")
            with Connection(stage.nginx.port) as client:
                client.send(("GET / HTTP/1.1\r\n" + "".join(f"{line}\r\n" for line in headers)
                             + "Host: test\r\nLast: 1\r\n\r\n").encode())
                assert client.answer().headers["X-Color"] == "green"
            head = stage.green.heads[-1]
            assert [line for line in head.split("\r\n") if line[:1] == "H" and line[1:2].isdigit()] == [
                f"H{i}: {i}" for i in range(count)]
            assert "Last: 1" in head and "preview" not in head.lower()


def test_only_secrets_in_a_row_leave_an_empty_list_behind(stage) -> None:
    with Connection(stage.nginx.port) as client:
        client.send(b"GET / HTTP/1.0\r\n" + f"X-Bluegreen-Preview: {SECRET}\r\n".encode() * 45 + b"\r\n")
        assert client.answer().headers["X-Color"] == "green"
    assert "preview" not in stage.green.heads[-1].lower()


@pytest.mark.parametrize("path", ["/variable", "/second", "/authorized", "/mirrored", "/redirected"])
def test_preview_by_other_ways_to_the_application(stage, path) -> None:
    assert stage.color(path=path) == ("green", "green")
    assert stage.color(WRONG, path) == ("blue", None)


def test_each_application_has_a_secret_of_its_own(stage) -> None:
    assert stage.color(SECRET, "/other") == ("blue", None)
    assert stage.color(NEXT, "/other") == ("green", "green")
    (stage.folder / "other_secret").write_text(SECRET)  # the same text in both files
    until(lambda: stage.color(SECRET, "/other")[0] == "green", "the file is read")
    assert stage.color(SECRET, "/") == ("green", "green")


def test_valid_preview_passes_hold_and_maintenance(stage) -> None:
    stage.region.hold(60)
    assert stage.color() == ("green", "green")
    assert stage.color(path="/variable") == ("green", "green")
    stage.region.flags("+maintenance")
    assert stage.color() == ("green", "green")
    assert stage.get("/", WRONG).status == 503
    assert stage.nginx.status()["apps"]["app"]["colors"]["blue"]["waiting"] == 0


def test_preview_of_a_color_that_cannot_answer_is_no_answer_of_the_other(stage) -> None:
    stage.region.flags("+fallback")
    stage.region.publish("green", "v2", [f"127.0.0.1:{free_port()}"])
    answer = stage.get()
    assert (answer.status, answer.headers.get("X-Bluegreen-Color")) == (502, "green")
    stage.region.publish("green", "v2", [])
    assert stage.get().status in (502, 503)
    stage.region.publish("green", "v2", [stage.green.address])
    answer = stage.get("/status/500")
    assert (answer.status, answer.headers["X-Bluegreen-Color"]) == (500, "green")
    stage.region.close("green")
    assert stage.get().status == 503


def test_cached_answers_are_neither_given_to_a_preview_nor_made_by_one(stage) -> None:
    def ask(secret: str | None) -> tuple[str, str, str | None]:
        answer = stage.get("/cached", secret)
        return answer.headers["X-Color"], answer.headers["X-Cache"], answer.headers.get("X-Bluegreen-Color")

    assert ask(SECRET) == ("green", "BYPASS", "green")
    assert ask(None) == ("blue", "MISS", None)
    assert ask(None) == ("blue", "HIT", None)
    assert ask(SECRET) == ("green", "BYPASS", "green")
    assert ask(None) == ("blue", "HIT", None)


def test_cookie_is_taken_out_of_its_header_and_others_stay() -> None:
    with work_folder() as folder, Stage(folder, "$cookie_pass") as stage:
        def get(cookie: str, path: str = "/"):
            return stage.get(path, None, headers={"Cookie": cookie})

        for cookie, left in ((f"pass={SECRET}", None), (f"a=1; pass={SECRET}; b=2", "a=1; b=2"),
                             (f"PASS={SECRET};a=1", "a=1"), (f"a=1; pass={WRONG}; pass={SECRET}", "a=1")):
            assert get(cookie).headers["X-Color"] == "green"
            found = [line for line in stage.green.heads[-1].split("\r\n") if line.lower().startswith("cookie")]
            assert found == ([f"Cookie: {left}"] if left else [])
        assert get(f"a=1; pass={WRONG}").headers["X-Color"] == "blue"
        assert "Cookie: a=1\r\n" in stage.blue.heads[-1]
        assert get(f"a=1; pass={SECRET}; b=2", "/static").body == b"|a=1; b=2|"
        assert stage.get("/", SECRET).headers["X-Color"] == "blue"  # not by the header
        assert SECRET not in stage.forwarded() + stage.logged() and WRONG not in stage.forwarded() + stage.logged()


def test_http2_brings_header_and_cookie_alike() -> None:
    with work_folder() as folder, Stage(folder, "$cookie_pass") as stage:
        port = free_port()
        stage.nginx.stop()
        stage.nginx.http += f"server {{ listen 127.0.0.1:{port} http2; location / {{ proxy_pass http://app; }} }}\n"
        stage.nginx.start()
        run = subprocess.run(["nghttp", "-v", "-H", f"cookie: pass={SECRET}", "-H", "cookie: a=1",
                              "-H", f"x-bluegreen-preview: {NEXT}", f"http://127.0.0.1:{port}/"],
                             capture_output=True, text=True, timeout=20, check=True)
        assert "x-bluegreen-color: green" in run.stdout, run.stdout
        head = stage.green.heads[-1]
        assert "Cookie: a=1\r\n" in head or "cookie: a=1\r\n" in head, head
        assert SECRET not in head and NEXT not in head


def replace(path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.replace(new, path)


def test_secret_rotates_without_reload(stage) -> None:
    replace(stage.secret, f"{SECRET}\n{NEXT}\n")
    until(lambda: stage.color(NEXT)[0] == "green", "the new secret counts")
    assert stage.color(SECRET)[0] == "green"
    replace(stage.secret, f"{NEXT}\n")
    until(lambda: stage.color(SECRET)[0] == "blue", "the old secret has gone")
    assert stage.color(NEXT)[0] == "green"
    stage.secret.write_text(SECRET)  # in place
    until(lambda: stage.color(SECRET)[0] == "green", "a file changed in place is read")
    stage.secret.write_text(SECRET[::-1])  # of the same size
    until(lambda: stage.color(SECRET[::-1])[0] == "green", "only its time tells")


@pytest.mark.parametrize("text, why", [
    (None, "it cannot be read"), (SECRET[:31], "has less than 32 bytes"), ("x" * 5000, "it cannot be read")],
    ids=["missing", "short", "too long"])
def test_file_that_is_missing_short_or_odd_turns_preview_off_and_says_so_once(stage, text, why) -> None:
    if text is None:
        stage.secret.unlink()
    else:
        replace(stage.secret, text)
    until(lambda: stage.color()[0] == "blue", "preview is off")
    lines = [line for line in stage.nginx.error_log.splitlines() if "preview is off" in line]
    assert len(lines) == 1 and why in lines[0] and str(stage.secret) in lines[0], lines
    assert SECRET not in stage.forwarded()
    if text is None:
        replace(stage.secret, SECRET)
        until(lambda: stage.color()[0] == "green", "preview is on again")
        assert "preview is on" in stage.nginx.error_log


def test_master_reads_a_file_that_workers_cannot_and_a_new_one_turns_preview_off() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: master and workers are different users")
    with work_folder() as folder:
        stage = Stage(folder)
        stage.secret.chmod(0o600)
        with stage:
            assert stage.color()[0] == "green"
            stage.nginx.reload()
            assert stage.color()[0] == "green"
            new = folder / "new"
            new.write_text(NEXT)
            new.chmod(0o600)
            os.replace(new, stage.secret)
            until(lambda: stage.color(SECRET)[0] == "blue", "the old secret is not believed any more")
            assert stage.color(NEXT)[0] == "blue" and "Permission denied" in stage.nginx.error_log
            stage.nginx.reload()
            until(lambda: stage.color(NEXT)[0] == "green", "a reload reads it")


def test_secret_in_a_folder_that_workers_cannot_enter_turns_preview_off() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: master and workers are different users")
    with work_folder() as folder, Stage(folder) as stage:
        assert stage.color()[0] == "green"
        stage.nginx.stop()
        hidden = folder / "hidden"
        hidden.mkdir(mode=0o700)
        os.replace(stage.secret, hidden / "secret")
        stage.nginx.http = stage.nginx.http.replace(f"{stage.secret}; keepalive", f"{hidden}/secret; keepalive")
        stage.nginx.start()
        until(lambda: stage.color()[0] == "blue", "whether the secret was revoked cannot be seen")
        assert "Permission denied" in stage.nginx.error_log
        hidden.chmod(0o755)
        until(lambda: stage.color()[0] == "green", "it can be seen again")


def test_request_that_nginx_refuses_before_its_first_phase_hides_the_secret_too() -> None:
    with work_folder() as folder, Stage(folder, "$cookie_pass") as stage:
        stage.nginx.stop()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
                        "-keyout", folder / "key", "-out", folder / "cert"], check=True, capture_output=True)
        port, redirecting = free_port(), free_port()
        for number, more in ((port, ""), (redirecting, "error_page 497 = @elsewhere;")):
            stage.nginx.http += f"""
                server {{ listen 127.0.0.1:{number} ssl; ssl_certificate {folder}/cert; ssl_certificate_key {folder}/key;
                          {more} location / {{ proxy_pass http://app; }}
                          location @elsewhere {{ proxy_pass http://plain; }} }}"""
        stage.nginx.start()
        cookie = {"Cookie": f"a=1; pass={SECRET}"}
        assert request(port, "/", headers=cookie).status == 400  # plain HTTP on a TLS port: no phase is run
        until(lambda: "a=1" in (folder / "spied.log").read_text(), "it is logged")
        assert request(redirecting, "/", headers=cookie).headers["X-Color"] == "blue"
        assert "Cookie: a=1\r\n" in stage.blue.heads[-1]
        assert SECRET not in stage.forwarded() + stage.logged()


def test_missing_at_the_start_is_a_warning_and_taken_when_it_comes() -> None:
    with work_folder() as folder:
        stage = Stage(folder)
        stage.secret.unlink()
        test = stage.nginx.test()
        assert test.returncode == 0 and "preview is off" in test.stderr
        with stage:
            assert stage.color()[0] == "blue"
            replace(stage.secret, SECRET)
            until(lambda: stage.color()[0] == "green", "the secret is taken")


def test_cache_before_an_upstream_known_at_run_time_is_warned_of() -> None:
    with work_folder() as folder:
        stage = Stage(folder)
        run = stage.nginx.test()
        assert run.returncode == 0 and "[warn]" not in run.stderr, run.stderr
        http = stage.nginx.http
        # inherited where nobody uses it
        stage.nginx.http = f"fastcgi_cache_path {folder}/fastcgi keys_zone=other:1m; fastcgi_cache other;\n" + http
        run = stage.nginx.test()
        assert run.returncode == 0 and 'location "/other"' not in run.stderr and "/static" not in run.stderr, run.stderr
        stage.nginx.http = http
        stage.nginx.http = stage.nginx.http.replace("location /variable {", "location /variable { proxy_cache zone;")
        run = stage.nginx.test()
        assert run.returncode == 0 and '[warn]' in run.stderr, run.stderr
        assert 'location "/variable" has a cache and an upstream that is known at run time only' in run.stderr


@pytest.mark.parametrize("old, new, message", [
    ("bluegreen_preview $http_x_bluegreen_preview", "bluegreen_preview $arg_preview",
     'invalid source "$arg_preview" in "bluegreen_preview": expected "$http_NAME" or "$cookie_NAME": only these can '
     'be kept out of the log and of what the upstream gets in'),
    ("bluegreen_preview $http_x_bluegreen_preview", "bluegreen_preview $http_authorization",
     'invalid source "$http_authorization" in "bluegreen_preview": expected a header that NGINX does not use itself'),
    ("keepalive 16;", "bluegreen_preview $cookie_x /y;", '"bluegreen_preview" directive is duplicate'),
    ("keepalive 16;", "bluegreen_hold timeout=0;",
     'invalid parameter "timeout=0" in "bluegreen_hold": expected "timeout=TIME" from 1ms to 24h, once'),
    ("keepalive 16;", "bluegreen_hold; bluegreen_hold;", 'invalid number of arguments in "bluegreen_hold"'),
    ("keepalive 16;", "bluegreen_hold max=1; bluegreen_hold max=2;", '"bluegreen_hold" directive is duplicate'),
    ("keepalive 16;", "bluegreen_maintenance page=x status=200;",
     'invalid parameter "status=200" in "bluegreen_maintenance": expected "page=FILE", "type=MIME" or '
     '"retry_after=TIME"'),
    ("proxy_cache_bypass $bluegreen_preview;", "",
     'location "/cached" leads to upstream "app", which has "bluegreen_preview", through a cache: its "cache_bypass" '
     'must name "$bluegreen_preview"'),
], ids=["other variable", "NGINX's own header", "preview twice", "hold timeout", "hold without a parameter", "hold twice",
        "maintenance parameter", "cache without bypass"])
def test_bad_directive_is_refused_with_its_message(old, new, message) -> None:
    with work_folder() as folder:
        stage = Stage(folder)
        stage.nginx.http = stage.nginx.http.replace(old, new)
        run = stage.nginx.test()
        assert run.returncode == 1 and f"[emerg] {message}" in re.sub(r"\d+#\d+: ", "", run.stderr), run.stderr
