"""NGINX's rules for a balancer that its own test suite does not see, and those that crash when broken."""

import json
import pathlib
import subprocess
import time

import pytest

from harness import (AsyncBackend, Connection, Nginx, NginxBackend, Region, free_port, no_keepalive, request, until,
                     work_folder)


def certificate(folder: pathlib.Path) -> None:
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=app",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], capture_output=True, check=True)


def test_https_upstream_reuses_its_session_and_never_a_predecessors() -> None:
    with work_folder() as folder:
        certificate(folder)
        port = free_port()
        backend = f"""
            log_format seen '$ssl_session_reused';
            access_log {folder}/tls.log seen;
            ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; ssl_session_cache shared:a:1m;
            server {{ listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2; return 200 "ok\\n"; }}"""
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [f"127.0.0.1:{port}#1"])
        http = region.http(free_port(), upstream=no_keepalive()).replace("http://app", "https://app")
        with Nginx(folder, backend, name="backend", module=None), Nginx(folder, http) as nginx:
            for _ in range(3):
                assert nginx.get("/").status == 200
            region.publish("blue", "v2", [f"127.0.0.1:{port}#2"])
            for _ in range(2):
                assert nginx.get("/").status == 200
        assert (folder / "tls.log").read_text().split() == [".", "r", "r", ".", "r"]


# 1.29.7 turned keepalive on where nothing is said.
@pytest.mark.parametrize("more, connections", [(no_keepalive(), 20), ("keepalive 4;", 1)])
def test_upstream_works_with_and_without_keepalive(more, connections) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port(), upstream=more)) as nginx:
            for _ in range(20):
                assert nginx.get("/").status == 200
        assert len({line.split()[3] for line in blue.requests()}) == connections


def test_dead_cached_connection_is_tried_again_on_a_fresh_one_and_the_tries_end() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        location = "location /closes { proxy_pass http://app/close; proxy_http_version 1.1; }"
        with Nginx(folder, region.http(free_port(), more=location)) as nginx:
            for _ in range(20):
                assert nginx.get("/").status == 200      # leaves a connection in the cache
                before = len(blue.seen)
                assert nginx.get("/closes").status == 502
                # once on the cached connection, once on a fresh one, and then it ends
                assert len(blue.seen) - before == 2


def test_no_descriptor_is_left_after_failing_and_working_requests() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [f"127.0.0.1:{free_port()}", blue.address])
        with Nginx(folder, region.http(free_port())) as nginx:
            def descriptors() -> int:
                return len(list(pathlib.Path(f"/proc/{nginx.workers()[0].pid}/fd").iterdir()))

            for _ in range(20):
                nginx.get("/")
            before = descriptors()
            for _ in range(200):
                nginx.get("/")
            region.publish("blue", "v1", [])
            for _ in range(50):
                assert nginx.get("/").status == 502
            until(lambda: descriptors() <= before + 1, "no descriptor was left")


def test_next_upstream_tries_bounds_the_endpoints_that_are_asked() -> None:
    with work_folder() as folder:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [f"127.0.0.1:{free_port()}" for _ in range(5)])
        with Nginx(folder, region.http(free_port(), location="proxy_next_upstream_tries 3;")) as nginx:
            assert nginx.get("/").status == 502
        assert region.routed()[0].count(", ") == 2


def test_503_of_a_subrequest_fails_the_subrequest_alone() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as plain:
        region = Region(folder)
        region.control.write_bytes(b"junk")
        more = f"""location = /copy {{ internal; proxy_pass http://app/; }}
                   location /mirrored {{ mirror /copy; proxy_pass http://{plain.address}/; }}
                   location /guarded {{ auth_request /copy; proxy_pass http://{plain.address}/; }}"""
        with Nginx(folder, region.http(free_port(), more=more)) as nginx:
            with Connection(nginx.port) as kept:
                for _ in range(20):
                    kept.ask("/mirrored")
                    assert kept.answer().status == 200
                    assert request(nginx.port, "/guarded").status == 500  # NGINX closes after a 500
            assert nginx.in_flight(answered=503) == (0, 0)


def test_503_serves_a_stale_response_from_the_cache_where_that_is_asked_for() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.control.write_bytes(b"junk")
        top = f"proxy_cache_path {folder}/cache keys_zone=c:1m;"
        location = "proxy_cache c; proxy_cache_valid 200 1s; proxy_cache_use_stale error;"
        with Nginx(folder, region.http(free_port(), blue.address, top=top, location=location)) as nginx:
            assert nginx.get("/").status == 503
            good = Region(folder, name="good")
            good.init()
            good.publish("blue", "v1", [blue.address])
            good.control.rename(region.control)
            until(lambda: nginx.get("/").status == 200, "it heals")
            region.publish("blue", "gone", [])
            time.sleep(1.1)  # the cached response has to become stale; nothing tells when it has
            assert nginx.get("/").status == 200
            assert request(nginx.port, "/uncached").status == 502


def test_http2_clients_and_large_bodies_are_served() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        http = region.http(free_port(), location="client_max_body_size 8m;")
        http2 = free_port()
        http = http.replace("server {", f"server {{ listen 127.0.0.1:{http2} http2;", 1)
        with Nginx(folder, http) as nginx:
            run = subprocess.run(
                ["curl", "-s", "--http2-prior-knowledge", "--data-binary", "@-", "-o", "/dev/null", "-w",
                 "%{http_version} %{http_code}", f"http://127.0.0.1:{http2}/"],
                input=b"x" * 3000000, capture_output=True, timeout=30, check=True)
            assert run.stdout == b"2 200"
            port = nginx.ports[-1]
            status = json.loads(request(port, "/bluegreen/status").body)
            assert status["apps"]["app"]["colors"]["blue"]["in_flight"] == 0
