"""Tables replaced under requests: what a request was handed out lasts as long as it, and no longer."""

import contextlib
import pathlib
import re

import pytest

from harness import AsyncBackend, Connection, Nginx, Region, free_port, no_keepalive, until, work_folder


def seen(line: str) -> tuple[str, str]:
    """Release and upstream address of a line of the routed log."""
    found = re.match(r'\d+ "[^"]*" "[^"]*" "([^"]*)" "([^"]*)"', line)
    assert found, line
    return found.group(1), found.group(2)


def test_requests_that_outlive_their_table_log_the_endpoint_and_release_they_went_to() -> None:
    with work_folder() as folder, AsyncBackend("blue") as one, AsyncBackend("blue") as other, \
            contextlib.ExitStack() as stack:
        region = Region(folder)
        region.init()
        expected = []
        with Nginx(folder, region.http(free_port())) as nginx:
            for i in range(60):
                backend = (one, other)[i % 2]
                release = f"v{i}" + "-long" * (i % 3 * 10)  # short ones and long ones are copied differently
                region.publish("blue", release, [f"{backend.address}#{i}"])
                client = stack.enter_context(Connection(nginx.port))
                client.ask("/gate")
                until(lambda: one.waiting + other.waiting == i + 1, "the backend has the request")
                expected.append((release, backend.address))
            region.publish("blue", "last", [])
            assert nginx.get("/").status == 502
            one.open_gate()
            other.open_gate()
            until(lambda: nginx.in_flight() == (0, 0), "all requests have ended")
        lines = [line for line in region.routed() if line.startswith("200")]
        assert sorted(map(seen, lines)) == sorted(expected)


def test_retry_behind_a_replaced_table_logs_both_endpoints_and_the_new_release() -> None:
    with work_folder() as folder, AsyncBackend("blue") as first, AsyncBackend("blue", "v2") as second:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [first.address, f"127.0.0.1:{free_port()}"])
        # Without keepalive: a cached connection that dies is one more try on the same endpoint.
        with Nginx(folder, region.http(free_port(), upstream=no_keepalive())) as nginx, Connection(nginx.port) as client:
            client.ask("/cut")
            until(lambda: first.waiting == 1, "the first endpoint has the request")
            region.publish("blue", "v2", [second.address])
            nginx.get("/")  # the worker has let the first table go
            first.open_gate()
            until(lambda: second.waiting == 1, "the retry went to the new table")
            second.open_gate()
            assert client.answer().status == 502
        line = next(line for line in region.routed() if "/cut" in line)
        assert seen(line) == ("v2", f"{first.address}, {second.address}")


def test_error_page_to_the_same_upstream_logs_the_endpoints_of_both_tables() -> None:
    location = """location /error { proxy_pass http://app/status/500; proxy_intercept_errors on;
                  error_page 500 = /gate; }"""
    with work_folder() as folder, AsyncBackend("blue") as first, AsyncBackend("blue") as second:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [first.address])
        with Nginx(folder, region.http(free_port(), more=location)) as nginx, Connection(nginx.port) as client:
            client.ask("/error")
            until(lambda: first.waiting == 1, "the redirected request is with the backend")
            region.publish("blue", "v2", [second.address])
            nginx.get("/")
            first.open_gate()
            assert client.answer().status == 200
        line = next(line for line in region.routed() if "/error" in line)
        assert seen(line) == ("v1", f"{first.address} : {first.address}")


def private_kib(pid: int) -> int:
    found = re.search(r"^Private_Dirty: +(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found.group(1))


def test_memory_of_a_worker_does_not_grow_when_tables_are_replaced_under_ever_new_requests() -> None:
    at_once, rounds = 250, 12
    with work_folder() as folder, AsyncBackend("blue") as blue:
        region = Region(folder)
        region.init()
        memory = []
        top = "keepalive_timeout 0;"
        with Nginx(folder, region.http(free_port(), top=top), level="error") as nginx:
            if nginx.sanitized:
                pytest.skip("a sanitizer keeps freed memory")
            worker = nginx.workers()[0].pid
            for i in range(rounds):
                with contextlib.ExitStack() as stack:
                    for j in range(at_once):
                        if j % 50 == 0:
                            region.publish("blue", f"v{i}.{j}", [f"{blue.address}#{i * at_once + j}"])
                        stack.enter_context(Connection(nginx.port)).ask("/gate")
                    until(lambda: blue.waiting == at_once, "all requests wait", 30)
                    blue.open_gate()
                    until(lambda: nginx.in_flight() == (0, 0), "all requests have ended", 30)
                memory.append(private_kib(worker))
            assert nginx.status()["apps"]["app"]["colors"]["blue"]["requests"] == at_once * rounds
        # The first rounds warm the allocator up; 9 x 250 requests with a kept copy of their table (13 KiB) or
        # of their own state (0.5 KiB) would be seen.
        assert memory[-1] - memory[2] < 700, memory
