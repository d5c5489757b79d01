"""What a probe sends, and what it takes for an answer: each parameter of bluegreen_probe against a real server."""

import pathlib

import pytest

from harness import AsyncBackend, Nginx, until, work_folder
from harness.grpc_health import GrpcHealth
from harness.hostile_backend import HostileBackend, certificate
from probe_stage import QUICK, becomes, endpoint, probing


@pytest.fixture
def backend():
    with HostileBackend() as backend:
        yield backend


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[pathlib.Path, pathlib.Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


def refused(nginx: Nginx, *texts: str) -> dict:
    """Unhealthy, for a reason that has all of these in it."""
    found = becomes(nginx, "unhealthy")
    assert all(text in found["last_error"] for text in texts), found
    return found


# --- HTTP: the request
def test_request_is_as_short_as_it_can_be_by_default(backend) -> None:
    with probing([backend.address]) as (nginx, _):
        becomes(nginx, "healthy")
    seen = backend.requests[0]
    assert seen.line == "GET / HTTP/1.1" and seen.header("host") == [backend.address]
    assert len(seen.header("user-agent")) == 1 and "bluegreen" in seen.header("user-agent")[0]
    assert {line.split(":")[0].lower() for line in seen.head.split("\r\n")[1:] if line} <= {
        "host", "user-agent", "accept", "connection"}


def test_uri_host_method_and_headers_are_sent_as_they_were_said(backend) -> None:
    probe = ('"uri=/health?deep=1&x=%20" host=app.test:81 method=HEAD "header=X-Token: a b" header=X-Empty: '
             '"header=Cookie: c=1"')
    with probing([backend.address], f"{QUICK} {probe}") as (nginx, _):
        becomes(nginx, "healthy")
    seen = backend.requests[-1]
    assert seen.line == "HEAD /health?deep=1&x=%20 HTTP/1.1"
    assert (seen.header("host"), seen.header("x-token"), seen.header("x-empty"), seen.header("cookie")) == (
        ["app.test:81"], ["a b"], [""], ["c=1"])
    assert seen.connection == 1, "the answer to HEAD has no body: the connection serves again"


def test_post_says_that_it_has_no_body(backend) -> None:
    with probing([backend.address], f"{QUICK} method=POST") as (nginx, _):
        becomes(nginx, "healthy")
    assert backend.requests[-1].line == "POST / HTTP/1.1" and backend.requests[-1].header("content-length") == ["0"]


def test_port_is_asked_instead_of_the_endpoints_own(backend) -> None:
    with HostileBackend() as side:
        with probing([backend.address], f"{QUICK} port={side.port}") as (nginx, _):
            found = becomes(nginx, "healthy")
            assert found["address"] == backend.address and side.requests and not backend.connections
            assert side.requests[0].header("host") == [backend.address]
            side.die()
            refused(nginx, "connect: Connection refused")
            assert nginx.get("/").body == b"fine\n", "requests go to the endpoint"


def test_keepalive_uses_one_connection_and_off_one_for_each_probe(backend) -> None:
    with HostileBackend() as other:
        for target, switch in ((backend, "on"), (other, "off")):
            with probing([target.address], f"{QUICK} keepalive={switch}") as (nginx, _):
                until(lambda: endpoint(nginx)["probes"] >= 5, "five probes")
        assert {seen.connection for seen in backend.requests} == {1}
        assert [seen.connection for seen in other.requests] == list(range(1, len(other.requests) + 1))
        assert backend.requests[0].header("connection") in ([], ["keep-alive"])
        assert other.requests[0].header("connection") == ["close"]


def test_connection_that_the_backend_has_closed_is_no_failure(backend) -> None:
    # One failure would do: also where the close and the next probe cross each other.
    with probing([backend.address], QUICK.replace("fall=2", "fall=1")) as (nginx, _):
        becomes(nginx, "healthy")
        for _ in range(5):
            connections = len(backend.connections)
            backend.drop()
            until(lambda: len(backend.connections) > connections, "a new connection", 2)
            # Dropped before its first answer, a new connection would be a failure in earnest.
            probed = endpoint(nginx)["probes"]
            until(lambda: endpoint(nginx)["probes"] > probed, "a whole probe over it", 2)
        for mode in ("once", "once_reset"):
            backend.mode, begun = mode, endpoint(nginx)["probes"]
            found = until(lambda: endpoint(nginx)["probes"] >= begun + 4 and endpoint(nginx), "more probes")
            assert (found["health"], found["failures"], found["last_error"]) == ("healthy", 0, "")
            connections = [seen.connection for seen in backend.requests[-4:]]
            assert len(set(connections)) < 4, "a kept connection was tried first"


# --- HTTP: the answer
@pytest.mark.parametrize("said, good, bad", [
    ("", (200, 204, 301, 399), (199, 400, 404, 500, 599)),
    ("status=200-299,401,500-502", (200, 299, 401, 500, 502), (300, 400, 402, 499, 503)),
], ids=["default", "ranges"])
def test_status_ranges(backend, said: str, good: tuple[int, ...], bad: tuple[int, ...]) -> None:
    quick = "interval=40ms fast_interval=40ms timeout=2s rise=1 fall=1"
    backend.body = b""
    with probing([backend.address], f"{quick} {said}") as (nginx, _):
        for status in [code for both in zip(good, bad) for code in both]:
            if status == 199:
                continue  # an interim answer: what comes after it counts
            backend.status = status
            found = until(lambda: endpoint(nginx)["status"] == status and endpoint(nginx), f"a probe of {status}")
            assert found["health"] == ("healthy" if status in good else "unhealthy"), found
            expected = said.removeprefix("status=") or "200-399"
            assert found["last_error"] == ("" if status in good else f"status {status}, expected {expected}")


@pytest.mark.parametrize("said, good, bad", [
    ("body=ready", b"all is ready now", b"all is red"),
    ('"body=two words"', b"two words", b"two  words"),
    (r'"body=~^\{\"up\": ?(true|1)"', b'{"up":1}', b'x{"up":1}'),
    ("body=end", b"x" * 65533 + b"end", b"x" * 65534 + b"end"),  # the last byte is one too far
    ("body=~end", b"x" * 4093 + b"end", b"x" * 4094 + b"end"),
], ids=["text", "blank", "pattern", "64 KB", "4 KB"])
def test_body(backend, said: str, good: bytes, bad: bytes) -> None:
    backend.body = good
    with probing([backend.address], f"{QUICK} {said}") as (nginx, _):
        becomes(nginx, "healthy")
        backend.body = bad
        wanted = "body=~ asks" if "=~" in said else "body= asks"
        assert refused(nginx, f"are not what {wanted} for")["status"] == 200


@pytest.mark.parametrize("mode, text", [("close", ""), ("silent", "timed out waiting for the answer")])
def test_endpoint_that_is_gone_or_silent_is_told_so(backend, mode: str, text: str) -> None:
    backend.mode = mode
    with probing([backend.address]) as (nginx, _):
        refused(nginx, text)
        backend.die()
        until(lambda: endpoint(nginx)["last_error"] == "connect: Connection refused", "the refused connection is told")


# --- other types
def test_tcp_takes_a_connection_for_an_answer_and_sends_nothing(backend) -> None:
    with probing([backend.address], f"{QUICK} type=tcp") as (nginx, _):
        found = becomes(nginx, "healthy")
        assert found["status"] == 0 and backend.connections and not backend.requests
        until(lambda: endpoint(nginx)["probes"] >= 4, "more probes")
        until(lambda: backend.open_connections == 0, "none of them is kept")
        backend.die()
        refused(nginx, "connect: Connection refused")


def test_tcp_over_tls_takes_a_handshake_for_an_answer(pair) -> None:
    with HostileBackend(tls=pair) as backend:
        with probing([backend.address], f"{QUICK} type=tcp ssl=on host=app.test") as (nginx, _):
            becomes(nginx, "healthy")
            assert set(backend.server_names) == {"app.test"} and not backend.requests
            backend.mode = "tls_garbage"
            refused(nginx, "TLS handshake: ")


def test_unix_socket_is_probed() -> None:
    with work_folder() as folder, AsyncBackend("blue", "v1", listen=f"unix:{folder}/app.sock") as backend:
        with probing([backend.address]) as (nginx, _):
            becomes(nginx, "healthy")
            assert "\r\nHost: localhost\r\n" in backend.heads[0] or "\r\nHost: unix" in backend.heads[0]
            backend.stop_listening()
            found = until(lambda: endpoint(nginx)["probes"] > 3 and endpoint(nginx), "more probes")
            assert found["health"] == "healthy", "over the connection that it keeps"


# --- TLS
def test_https_is_verified_by_file_and_name(pair, tmp_path: pathlib.Path) -> None:
    other, _ = certificate(tmp_path, "other.test")
    with HostileBackend(tls=pair) as backend:
        for said, fault in (("", ""), (f"host=app.test ssl_verify={pair[0]}", ""),
                            (f"ssl_name=app.test host=127.0.0.1 ssl_verify={pair[0]}", ""),
                            (f"ssl_name=wrong.test ssl_verify={pair[0]}", "TLS certificate: it is for another name"),
                            (f"ssl_name=app.test ssl_verify={other}", "TLS certificate: self-signed certificate")):
            backend.requests.clear()
            with probing([backend.address], f"{QUICK} ssl=on {said}") as (nginx, _):
                if fault:
                    refused(nginx, fault)
                    assert not backend.requests, "nothing is said to a stranger"
                else:
                    assert becomes(nginx, "healthy")["status"] == 200
                    until(lambda: endpoint(nginx)["probes"] >= 4, "more probes")
                    assert len({seen.connection for seen in backend.requests}) == 1
        assert backend.server_names[0] is None and {"app.test", "wrong.test"} <= set(backend.server_names)


def test_plain_server_that_is_probed_over_tls_says_what_is_wrong(backend) -> None:
    backend.mode = "close"
    with probing([backend.address], f"{QUICK} ssl=on") as (nginx, _):
        refused(nginx, "TLS handshake: ")
        assert "[" not in endpoint(nginx)["last_error"], "a time or a process in it"
        # It waits for the head of a request, as we for a greeting.
        backend.mode = "ok"
        until(lambda: endpoint(nginx)["last_error"] == "timed out in the TLS handshake", "the time-out is told")


# --- gRPC
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_grpc_health_of_the_server_and_of_a_service(tls: bool, pair) -> None:
    ssl = f"ssl=on host=app.test ssl_verify={pair[0]}" if tls else ""
    quick = QUICK.replace("timeout=150ms", "timeout=1s")
    with GrpcHealth(pair if tls else None) as server:
        with probing([server.address], f"{quick} type=grpc {ssl}") as (nginx, _):
            assert becomes(nginx, "healthy")["failures"] == 0
            server.serving("", 2)
            refused(nginx, "the service says NOT_SERVING")
            server.serving("", 1)
            becomes(nginx, "healthy")
        with probing([server.address], f"{quick} type=grpc service=shop.Cart {ssl}") as (nginx, _):
            refused(nginx, "grpc-status NOT_FOUND")
            server.serving("shop.Cart", 1)
            becomes(nginx, "healthy")


def test_http_server_that_is_probed_as_grpc_says_what_is_wrong(backend) -> None:
    with probing([backend.address], f"{QUICK} type=grpc") as (nginx, _):
        refused(nginx, "the answer is HTTP/1, expected HTTP/2")
