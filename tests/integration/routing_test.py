"""Which color and endpoint a request goes to: the word decides, and every flip is seen at once."""

import collections
import json

from harness import AsyncBackend, Connection, Nginx, NginxBackend, Region, free_port, until, work_folder


def test_request_goes_to_the_active_color_and_a_flip_is_seen_by_the_next_request() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        with Nginx(folder, region.http(free_port(), listen="reuseport"), workers=2) as nginx:
            with Connection(nginx.port) as kept:
                for _ in range(20):
                    for color in ("green", "blue"):
                        region.switch(color)
                        assert nginx.get("/").headers["X-Color"] == color
                        kept.ask()
                        assert kept.answer().headers["X-Color"] == color


def test_bluegreen_server_lines_count_until_a_color_is_published() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green, \
            NginxBackend("blue", "v3") as newer:
        region = Region(folder)
        region.init()
        with Nginx(folder, region.http(free_port(), blue.address, green.address)) as nginx:
            assert nginx.get("/").headers["X-Release"] == "v1"
            region.switch("green")
            assert nginx.get("/").headers["X-Release"] == "v2"
            region.publish("blue", "v3", [newer.address])
            region.switch("blue")
            assert nginx.get("/").headers["X-Release"] == "v3"


def test_upstream_without_any_server_line_starts_and_answers_502_until_a_color_is_published() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        with Nginx(folder, region.http(free_port())) as nginx:
            assert nginx.get("/").status == 502
            assert nginx.in_flight() == (0, 0)
            region.publish("blue", "v1", [blue.address])
            assert nginx.get("/").status == 200
            region.publish("blue", "gone", [])
            assert nginx.get("/").status == 502
            nginx.reload()
            assert nginx.get("/").status == 502


def test_application_added_after_the_start_counts_from_the_next_request_on() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init("another")
        with Nginx(folder, region.http(free_port(), blue.address, green.address)) as nginx:
            assert nginx.get("/").headers["X-Color"] == "blue"
            region.init("app")
            region.switch("green")
            assert nginx.get("/").headers["X-Color"] == "green"


def test_application_added_after_the_start_is_found_where_no_server_line_stands() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init("another")
        with Nginx(folder, region.http(free_port())) as nginx:
            assert nginx.get("/").status == 502
            region.init("app")
            region.publish("blue", "v1", [blue.address])
            assert nginx.get("/").headers["X-Color"] == "blue"


def test_endpoints_get_requests_by_smooth_weighted_round_robin() -> None:
    with work_folder() as folder, NginxBackend("blue", "a") as a, NginxBackend("blue", "b") as b:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [f"{a.address}@3", f"{b.address}@1"])
        with Nginx(folder, region.http(free_port())) as nginx:
            order = [nginx.get("/").headers["X-Release"] for _ in range(40)]
        assert collections.Counter(order) == {"a": 30, "b": 10}
        assert "aaaa" not in "".join(order)


def test_ipv6_and_unix_endpoints_are_reached() -> None:
    with work_folder() as folder:
        port = free_port()
        with NginxBackend("blue", "six", listen=f"[::1]:{port}") as six, \
                NginxBackend("green", "unix", listen=f"unix:{folder}/app.sock"):
            region = Region(folder)
            region.init()
            region.publish("blue", "six", [six.address])
            region.publish("green", "unix", [f"unix:{folder}/app.sock"])
            with Nginx(folder, region.http(free_port())) as nginx:
                for _ in range(3):
                    assert nginx.get("/").headers["X-Release"] == "six"
                region.switch("green")
                for _ in range(3):
                    assert nginx.get("/").headers["X-Release"] == "unix"


def test_refused_connection_is_retried_on_another_endpoint_of_the_same_color() -> None:
    with work_folder() as folder, NginxBackend("blue", "alive") as alive, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        dead = f"127.0.0.1:{free_port()}"
        region.publish("blue", "v1", [dead, alive.address])
        region.publish("green", "v2", [green.address])
        upstream = "bluegreen_balance round_robin max_fails=0; keepalive 16;"
        with Nginx(folder, region.http(free_port(), upstream=upstream)) as nginx:
            for _ in range(10):
                assert nginx.get("/").headers["X-Release"] == "alive"
            region.publish("blue", "v1", [dead, f"127.0.0.1:{free_port()}"])
            answer = nginx.get("/")
            assert answer.status == 502
            assert not green.requests()
        tried = [line for line in region.routed() if f"{dead}, {alive.address}" in line]
        assert len(tried) == 5  # every second request began with the dead one


def test_retry_leaves_a_color_that_was_closed_since_the_first_try() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address, f"127.0.0.1:{free_port()}"])
        region.publish("green", "v2", [green.address])
        with Nginx(folder, region.http(free_port())) as nginx, Connection(nginx.port) as connection:
            connection.ask("/cut")  # a fresh table begins with its first endpoint
            until(lambda: blue.waiting == 1, "blue has the request")
            region.switch("green")
            region.close("blue")
            blue.open_gate()
            assert connection.answer().headers["X-Color"] == "green"
            assert nginx.in_flight() == (0, 0)
            assert region.routed()[0].startswith('200 "green" "5" "v2"')


def test_cached_connection_is_reused_for_an_endpoint_and_never_for_its_successor_at_the_same_address() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [f"{blue.address}#1"])
        with Nginx(folder, region.http(free_port())) as nginx:
            def connections() -> set[str]:
                return {line.split()[3] for line in blue.requests()}

            for _ in range(5):
                nginx.get("/")
            assert len(connections()) == 1
            region.publish("blue", "v2", [f"{blue.address}#2"])
            for _ in range(5):
                nginx.get("/")
            assert len(connections()) == 2


def test_variables_are_in_the_access_log_and_in_response_headers() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", 'v1 "quoted"', [blue.address])
        location = "add_header Seen $bluegreen_color,$bluegreen_generation;"
        more = "location = /none { return 204; }"
        with Nginx(folder, region.http(free_port(), location=location, more=more)) as nginx:
            answer = nginx.get("/")
            nginx.get("/none")
            assert answer.headers["Seen"] == "blue,2"
        log = region.routed()
        assert log[0] == f'200 "blue" "2" "v1 \\x22quoted\\x22" "{blue.address}" GET / HTTP/1.1'
        assert log[1].startswith('204 "-" "-" "-" "-" GET /none')


def test_proxy_pass_with_a_variable_finds_the_upstream_at_run_time() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        http = region.http(free_port(), blue.address).replace(
            "proxy_pass http://app;", "set $name app; proxy_pass http://$name;")
        with Nginx(folder, http) as nginx:
            assert nginx.get("/").headers["X-Color"] == "blue"


def test_two_upstreams_of_one_application_share_its_figures() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        top = "upstream second { bluegreen app; }"
        more = "location /second { proxy_pass http://second; }"
        with Nginx(folder, region.http(free_port(), top=top, more=more)) as nginx:
            assert nginx.get("/").status == nginx.get("/second").status == 200
            document = nginx.status()
            assert list(document["apps"]) == ["app"]
            assert document["apps"]["app"]["colors"]["blue"]["requests"] == 2
            assert json.dumps(document).count("v1") == 2  # the application's and blue's
