"""The weighted split in real workers: exact without a key, sticky with one, and out of the way without a weight."""

import collections
import concurrent.futures

import pytest

from harness import Connection, Nginx, NginxBackend, Region, free_port, often, work_folder


def colors_of(nginx: Nginx, requests: int, connections: int = 8, headers=lambda i: {}) -> list[str]:
    """The color of each of `requests` requests, spread over several connections at the same time."""
    def some(first: int) -> list[tuple[int, str]]:
        with Connection(nginx.port) as connection:
            out = []
            for i in range(first, requests, connections):
                connection.ask("/", headers=headers(i))
                out.append((i, connection.answer().headers["X-Color"]))
            return out

    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        found = [pair for part in pool.map(some, range(connections)) for pair in part]
    return [color for _, color in sorted(found)]


@pytest.fixture
def stage():
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        yield folder, region


def test_split_without_a_key_is_exact_to_the_number_of_workers(stage, figures) -> None:
    folder, region = stage
    workers, requests = 4, often(1000)
    region.weight(100)
    http = region.http(free_port(), listen="reuseport", top="keepalive_requests 100000;")
    with Nginx(folder, http, workers=workers) as nginx:
        green = collections.Counter(colors_of(nginx, requests, 16))["green"]
    figures(requests=requests, percent=1, green=green, workers=workers)
    assert abs(green - requests / 100) <= workers


def test_split_without_a_key_spreads_its_share_evenly(stage) -> None:
    folder, region = stage
    region.weight(2500)
    with Nginx(folder, region.http(free_port())) as nginx:
        colors = colors_of(nginx, 40, 1)
    gaps = [i for i, color in enumerate(colors) if color == "green"]
    assert len(gaps) == 10 and {b - a for a, b in zip(gaps, gaps[1:])} == {4}


def test_key_keeps_its_color_in_every_worker_and_after_a_reload(stage) -> None:
    folder, region = stage
    region.weight(5000)
    http = region.http(free_port(), listen="reuseport", upstream="bluegreen_sticky $http_user; keepalive 16;")
    users = [f"user-{i}" for i in range(60)]
    with Nginx(folder, http, workers=4) as nginx:
        def ask() -> list[str]:
            return [nginx.get("/", headers={"User": user}).headers["X-Color"] for user in users]

        first = ask()
        assert 10 < first.count("green") < 50
        assert ask() == first
        nginx.reload()
        assert ask() == first


def test_raising_the_weight_moves_keys_to_the_new_color_only_and_the_flip_moves_none_back(stage, figures) -> None:
    folder, region = stage
    http = region.http(free_port(), upstream="bluegreen_sticky $http_user; keepalive 16;",
                       top="keepalive_requests 100000;")
    with Nginx(folder, http, workers=2) as nginx:
        moved: set[int] = set()
        back = 0
        shares = []
        for weight in (0, 100, 500, 2000, 5000, 8000, 10000):
            region.weight(weight)
            colors = colors_of(nginx, 200, 4, lambda i: {"User": f"u{i}"})
            green = {i for i, color in enumerate(colors) if color == "green"}
            back += len(moved - green)
            moved = green
            shares.append(len(green))
        region.switch("green")
        colors = colors_of(nginx, 200, 4, lambda i: {"User": f"u{i}"})
        back += len(moved - {i for i, color in enumerate(colors) if color == "green"})
    figures(back=back, of_200=shares)
    assert back == 0
    assert shares[0] == 0 and shares[-1] == 200 and 60 < shares[4] < 140


def test_first_key_that_is_not_empty_counts_and_without_any_the_sequence_does(stage) -> None:
    folder, region = stage
    region.weight(5000)
    http = region.http(free_port(), upstream="bluegreen_sticky $cookie_uid $http_user; keepalive 16;")
    with Nginx(folder, http) as nginx:
        def color(**headers: str) -> str:
            return nginx.get("/", headers=headers).headers["X-Color"]

        by_header = {user: color(User=user) for user in "abcdefghijkl"}
        for user, expected in by_header.items():
            assert color(Cookie=f"uid={user}", User="somebody") == expected
            assert color(Cookie="uid=", User=user) == expected
        assert len(set(by_header.values())) == 2
        assert collections.Counter(colors_of(nginx, 40, 1))["green"] == 20


def test_weighted_requests_say_so_and_are_counted(stage) -> None:
    folder, region = stage
    region.weight(10000)
    with Nginx(folder, region.http(free_port(), location="add_header X-Reason $bluegreen_reason;")) as nginx:
        answer = nginx.get("/")
        assert answer.headers["X-Color"] == "green" and answer.headers["X-Reason"] == "weight"
        region.weight(0)
        assert nginx.get("/").headers["X-Reason"] == "active"


def test_all_parts_of_one_request_are_on_the_same_side(stage) -> None:
    folder, region = stage
    region.weight(5000)
    more = """location = /copy { internal; proxy_pass http://app/copy; }
              location = /whole { auth_request /copy; proxy_pass http://app/whole; }"""
    with Nginx(folder, region.http(free_port(), more=more)) as nginx:
        for _ in range(20):
            assert nginx.get("/whole").status == 200
            colors = nginx.status()["apps"]["app"]["colors"]
            # Main request and subrequest are one request in flight, on one color.
            assert colors["blue"]["in_flight"] == colors["green"]["in_flight"] == 0
        total = {color: nginx.status()["apps"]["app"]["colors"][color]["requests"] for color in ("blue", "green")}
    assert total == {"blue": 10, "green": 10}


def test_weight_of_a_color_without_endpoints_or_closed_falls_to_the_active_one(stage) -> None:
    folder, region = stage
    with Nginx(folder, region.http(free_port())) as nginx:
        region.weight(10000)
        region.publish("green", "none", [])
        assert nginx.get("/").headers["X-Color"] == "blue"
        region.close("green")
        assert nginx.get("/").headers["X-Color"] == "blue"


@pytest.mark.parametrize("line, message", [
    ("bluegreen_sticky;", 'invalid number of arguments in "bluegreen_sticky" directive'),
    ("bluegreen_sticky user;", 'invalid key "user" in "bluegreen_sticky": expected a variable, as in "$cookie_uid"'),
    ("bluegreen_sticky $http_a; bluegreen_sticky $http_b;", '"bluegreen_sticky" directive is duplicate'),
])
def test_bad_key_is_refused_by_name_and_line(line: str, message: str) -> None:
    with work_folder() as folder:
        region = Region(folder)
        run = Nginx(folder, region.http(free_port(), upstream=line)).test()
        assert run.returncode != 0 and message in run.stderr and "nginx.conf:" in run.stderr
