"""The control file missing, appearing, damaged, foreign, replaced, truncated: NGINX serves, says so, heals."""

import os
import shutil

import pytest

from harness import Nginx, NginxBackend, Region, free_port, until, work_folder


@pytest.fixture
def blue():
    with NginxBackend("blue", "v1") as backend:
        yield backend


@pytest.fixture
def green():
    with NginxBackend("green", "v2") as backend:
        yield backend


@pytest.fixture
def region():
    with work_folder() as folder:
        yield Region(folder)


def published(region: Region, blue: NginxBackend, green: NginxBackend) -> None:
    region.init()
    region.publish("blue", "v1", [blue.address])
    region.publish("green", "v2", [green.address])


def nginx_for(region: Region, **more) -> Nginx:
    return Nginx(region.control.parent, region.http(free_port(), **more), workers=2)


def state(nginx: Nginx) -> str:
    return nginx.status()["control"]["state"]


def attached(nginx: Nginx) -> bool:
    workers = nginx.status()["workers"]
    return workers["attached"] == workers["live"] == 2


def test_missing_file_means_bluegreen_server_lines_and_is_attached_when_it_appears(region, blue, green) -> None:
    with nginx_for(region, blue=blue.address, green=green.address) as nginx:
        assert nginx.get("/").headers["X-Color"] == "blue"
        assert state(nginx) == "missing"
        assert nginx.status()["workers"]["attached"] == 0
        region.init()
        region.switch("green")
        until(lambda: attached(nginx), "both workers are attached")
        assert nginx.get("/").headers["X-Color"] == "green"
        assert state(nginx) == "ok"
        assert nginx.error_log.count("is missing") == 1  # once, not once a worker


@pytest.mark.parametrize("what", ["word", "table", "all"])
def test_damaged_file_leaves_the_last_accepted_route_in_force_is_said_once_and_heals(region, blue, green, what) -> None:
    published(region, blue, green)
    region.switch("green")
    with nginx_for(region) as nginx:
        assert nginx.get("/").headers["X-Color"] == "green"
        until(lambda: attached(nginx), "both workers are attached")
        whole = region.damage(what)
        if what == "table":  # the word has to move for its tables to be looked at
            region.close("blue")
        for _ in range(20):
            assert nginx.get("/").headers["X-Color"] == "green"
        until(lambda: state(nginx) == "damaged", "the status document says damaged")
        assert nginx.status()["control"]["reason"]
        until(lambda: nginx.status()["workers"]["attached"] == 0, "no worker says that it obeys the file")
        until(lambda: "damaged" in nginx.error_log, "worker 0 has said it")
        region.restore(whole)
        until(lambda: state(nginx) == "ok" and attached(nginx), "it heals")
        region.switch("blue")
        assert nginx.get("/").headers["X-Color"] == "blue"
        assert nginx.error_log.count("is damaged:") + nginx.error_log.count("has a damaged") <= 2


def test_damaged_header_is_reported_and_heals(region, blue, green) -> None:
    published(region, blue, green)
    with nginx_for(region) as nginx:
        whole = region.damage("header")
        until(lambda: state(nginx) == "damaged", "the status document says damaged")
        assert "damaged header" in nginx.status()["control"]["reason"]
        assert nginx.get("/").headers["X-Color"] == "blue"
        region.restore(whole)
        until(lambda: state(nginx) == "ok", "it heals")


def test_file_truncated_under_the_mapping_kills_no_worker_and_heals(region, blue, green) -> None:
    published(region, blue, green)
    region.switch("green")
    with nginx_for(region) as nginx:
        assert nginx.get("/").headers["X-Color"] == "green"
        whole = region.control.read_bytes()
        workers = nginx.workers()
        for size in (0, 100, 4096, 5000, 300000):
            os.truncate(region.control, size)
            for _ in range(10):
                assert nginx.get("/").headers["X-Color"] == "green"
        until(lambda: state(nginx) == "damaged", "the status document says damaged")
        region.restore(whole)
        until(lambda: attached(nginx), "it heals")
        region.switch("blue")
        assert nginx.get("/").headers["X-Color"] == "blue"
        assert nginx.workers() == workers


def test_replaced_file_is_attached_by_its_inode(region, blue, green) -> None:
    published(region, blue, green)
    with nginx_for(region) as nginx:
        other = Region(region.control.parent, name="other")
        published(other, blue, green)
        other.switch("green")
        os.rename(other.control, region.control)
        until(lambda: nginx.get("/").headers["X-Color"] == "green", "the new file counts")
        until(lambda: attached(nginx), "both workers are attached")
        region.switch("blue")
        assert nginx.get("/").headers["X-Color"] == "blue"


def test_foreign_file_at_the_path_leaves_the_last_accepted_route_in_force(region, blue, green) -> None:
    published(region, blue, green)
    region.switch("green")
    with nginx_for(region) as nginx:
        assert nginx.get("/").headers["X-Color"] == "green"
        foreign = region.control.parent / "foreign"
        foreign.write_bytes(b"something else" * 200000)
        os.rename(foreign, region.control)
        until(lambda: state(nginx) == "damaged", "the status document says damaged")
        assert "not a bluegreen control region" in nginx.status()["control"]["reason"]
        assert nginx.get("/").headers["X-Color"] == "green"
        os.unlink(region.control)
        published(region, blue, green)
        until(lambda: nginx.get("/").headers["X-Color"] == "blue", "the new file counts")


def test_damaged_at_the_first_start_answers_503_with_the_reason_in_the_log_and_heals(region, blue, green) -> None:
    region.control.write_bytes(b"junk")
    more = "error_page 503 /sorry; location = /sorry { internal; return 503 sorry; }"
    with nginx_for(region, blue=blue.address, green=green.address) as nginx:
        assert nginx.get("/").status == 503
        assert "nothing was accepted before" in nginx.error_log
        nginx.http = nginx.http.replace("location = /bluegreen/status", more + " location = /bluegreen/status")
        nginx.reload()
        until(lambda: nginx.get("/").body == b"sorry", "the page for 503 is ours")
        assert nginx.in_flight(answered=503) == (0, 0)
        os.unlink(region.control)
        published(region, blue, green)
        until(lambda: nginx.get("/").status == 200, "it heals")


def test_503_keeps_the_client_connection_and_leaves_nothing_behind(region, blue, green) -> None:
    from harness import Connection

    region.control.write_bytes(b"junk")
    with nginx_for(region, blue=blue.address) as nginx, Connection(nginx.port) as kept:
        for _ in range(50):
            kept.ask(method="POST", body=b"x" * 100)
            assert kept.answer().status == 503
        assert nginx.in_flight(answered=503) == (0, 0)


def test_worker_that_starts_while_the_file_is_damaged_takes_what_an_earlier_one_accepted(region, blue, green) -> None:
    published(region, blue, green)
    region.switch("green")
    with nginx_for(region) as nginx:
        assert nginx.get("/").headers["X-Color"] == "green"
        until(lambda: attached(nginx), "the mirrors are written")
        region.damage("all")
        nginx.reload()
        until(lambda: len(nginx.workers()) == 2, "the old workers are gone")
        for _ in range(10):
            assert nginx.get("/").headers["X-Color"] == "green"
        assert nginx.status()["apps"]["app"]["source"] == "mirror"


def test_deleted_file_leaves_the_route_in_force_and_says_missing(region, blue, green) -> None:
    published(region, blue, green)
    region.switch("green")
    with nginx_for(region) as nginx:
        assert nginx.get("/").headers["X-Color"] == "green"
        shutil.move(region.control, region.control.with_suffix(".away"))
        until(lambda: state(nginx) == "missing", "the status document says missing")
        assert nginx.get("/").headers["X-Color"] == "green"
        assert nginx.status()["workers"]["attached"] == 0


def test_restart_without_the_control_file_goes_on_with_what_was_accepted_before(region, blue, green) -> None:
    published(region, blue, green)
    region.switch("green")
    with nginx_for(region) as nginx:
        until(lambda: attached(nginx), "the mirrors are written")
    os.unlink(region.control)
    with nginx_for(region, blue=blue.address) as nginx:
        for _ in range(10):
            assert nginx.get("/").headers["X-Color"] == "green"
        assert state(nginx) == "missing"
        assert nginx.status()["apps"]["app"]["source"] == "mirror"
