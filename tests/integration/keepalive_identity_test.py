"""Cached connections belong to an endpoint's identity, not to its address: a successor never gets them.

A container that is replaced may leave connections behind that nobody has closed: here the old backend
gives its address away and keeps its connections. A POST on one of those would be lost (502).
"""

import contextlib
import pathlib

import pytest

from harness import AsyncBackend, Nginx, Region, free_port, nginx_version, until, work_folder

FAMILIES = ("ipv4", "ipv6", "unix")
# From 1.29.7 on there is a cache without any line about it.
CACHES = ["keepalive 16;"] + ([""] if nginx_version() >= (1, 29, 7) else [])


def address_of(family: str, folder: pathlib.Path) -> str:
    return {"ipv4": f"127.0.0.1:{free_port()}", "ipv6": f"[::1]:{free_port()}",
            "unix": f"unix:{folder}/app.sock"}[family]


@contextlib.contextmanager
def stage(family: str, cache: str):
    """NGINX with a connection to `old` in its cache; `old` no longer listens, `new` does, at the same address."""
    with work_folder() as folder:
        address = address_of(family, folder)
        with AsyncBackend("blue", "old", listen=address) as old, contextlib.ExitStack() as stack:
            region = Region(folder)
            region.init()
            region.publish("blue", "v1", [f"{address}#1"])
            with Nginx(folder, region.http(free_port(), upstream=cache)) as nginx:
                for _ in range(3):
                    assert nginx.get("/").headers["X-Release"] == "old"
                old.stop_listening()
                new = stack.enter_context(AsyncBackend("blue", "new", listen=address))
                old.seen.clear()
                yield region, nginx, old, new, address


def post(nginx: Nginx) -> str:
    answer = nginx.get("/", method="POST", body=b"order")
    assert answer.status == 200
    return answer.headers["X-Release"]


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("family", FAMILIES)
def test_successor_at_the_same_address_gets_no_connection_of_its_predecessor(family: str, cache: str) -> None:
    with stage(family, cache) as (region, nginx, old, new, address):
        # The cache is real: as long as nothing says otherwise it is used.
        assert post(nginx) == "old"
        for i in range(2, 12):
            region.publish("blue", f"v{i}", [f"{address}#{i}"])
            assert post(nginx) == "new"
        assert old.seen == ["POST /"] and len(new.seen) == 10


@pytest.mark.parametrize("family", FAMILIES)
def test_endpoint_that_left_the_table_and_came_back_begins_with_fresh_connections(family: str) -> None:
    with stage(family, "keepalive 16;") as (region, nginx, old, _, address):
        region.publish("blue", "none", [])
        assert nginx.get("/").status == 502
        region.publish("blue", "v1", [f"{address}#1"])
        assert post(nginx) == "new" and old.seen == []


@pytest.mark.parametrize("family", FAMILIES)
def test_connections_are_kept_over_flips_and_tables_that_leave_the_endpoint_in_place(family: str) -> None:
    with stage(family, "keepalive 16;") as (region, nginx, _, new, address):
        region.switch("green")
        region.switch("blue")
        region.publish("blue", "v2", [f"{address}#1"])
        other = f"127.0.0.1:{free_port()}"
        region.publish("blue", "v3", [other, f"{address}#1"])
        region.publish("blue", "v4", [f"{address}#1"])
        assert post(nginx) == "old" and new.seen == []


def test_longest_unix_path_has_room_for_no_identity_and_still_works() -> None:
    with work_folder() as folder:
        path = f"{folder}/{'s' * (107 - len(str(folder)) - 1)}"
        with AsyncBackend("blue", "v1", listen=f"unix:{path}") as blue:
            region = Region(folder)
            region.init()
            region.publish("blue", "v1", [f"unix:{path}"])
            with Nginx(folder, region.http(free_port())) as nginx:
                assert [post(nginx) for _ in range(3)] == ["v1"] * 3
                until(lambda: len(blue.seen) == 3, "all came")
