"""Side by side with NGINX's own round robin: the same endpoints, the same requests, the same order of
endpoints and the same answers, failures and max_fails included.

Where every endpoint has failed the two differ on purpose: round robin answers 502 without asking anybody
until fail_timeout is over, ours goes on asking one (endpoints_test.py).
"""

import contextlib
import dataclasses
import re

import pytest

from harness import Nginx, NginxBackend, Region, free_port, no_keepalive, request, until, work_folder


@dataclasses.dataclass
class Case:
    weights: list[int]
    kinds: list[str]  # ok, 500 (a status that proxy_next_upstream names), dead (nobody listens)
    requests: int
    balance: str = ""
    method: str = "GET"


CASES = {
    "two alike": Case([1, 1], ["ok", "ok"], 6),
    "smooth by weight": Case([5, 1, 1], ["ok"] * 3, 14),
    "uneven weights": Case([3, 2], ["ok"] * 2, 10),
    "one answers 500 and is left out": Case([1, 1], ["500", "ok"], 8),
    "heavy one answers 500": Case([5, 1], ["500", "ok"], 8),
    "two of three answer 500": Case([1, 1, 1], ["500", "500", "ok"], 8),
    "500 without max_fails": Case([1, 1], ["500", "ok"], 8, "max_fails=0"),
    "one is dead": Case([1, 1], ["dead", "ok"], 8),
    "heavy one is dead": Case([2, 1, 1], ["dead", "ok", "ok"], 12),
    "heavy one is dead, two failures allowed": Case([2, 1, 1], ["dead", "ok", "ok"], 12, "max_fails=2"),
    "all dead without max_fails": Case([1, 1], ["dead", "dead"], 6, "max_fails=0"),
    "all answer 500 without max_fails": Case([1, 1], ["500", "500"], 6, "max_fails=0"),
    "single one that is dead ignores max_fails": Case([1], ["dead"], 4),
    "single one that answers 500 ignores max_fails": Case([1], ["500"], 4, "max_fails=2"),
    "POST that was answered 500 goes nowhere else": Case([1, 1], ["500", "ok"], 6, method="POST"),
}


def walk(case: Case) -> tuple[list[str], list[str]]:
    """What our upstream and NGINX's own did for each request: the status and the endpoints' numbers."""
    with work_folder() as folder, contextlib.ExitStack() as stack:
        addresses = []
        for kind in case.kinds:
            if kind == "dead":
                addresses.append(f"127.0.0.1:{free_port()}")
            else:
                more = f"location /x {{ return {200 if kind == 'ok' else kind}; }}"
                addresses.append(stack.enter_context(NginxBackend("blue", "v1", more=more)).address)
        both = list(zip(addresses, case.weights))
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [f"{address}@{weight}" for address, weight in both])
        servers = " ".join(f"server {address} weight={weight} {case.balance};" for address, weight in both)
        location = "proxy_next_upstream error timeout http_500;"
        http = region.http(
            free_port(), upstream=f"bluegreen_balance round_robin {case.balance}; {no_keepalive()}", location=location,
            top=f"upstream plain {{ {servers} {no_keepalive()} }}",
            more=f"location /plain/ {{ proxy_pass http://plain/; {location} }}")
        with Nginx(folder, http) as nginx:
            for path in ("/x", "/plain/x"):
                for _ in range(case.requests):
                    request(nginx.port, path, case.method)
            until(lambda: len(region.routed()) == 2 * case.requests, "all requests are logged")
        seen: dict[str, list[str]] = {"/x": [], "/plain/x": []}
        for line in region.routed():
            found = re.match(r'(\d+) "[^"]*" "[^"]*" "[^"]*" "([^"]*)" \w+ (\S+)', line)
            assert found, line
            asked = ",".join(str(addresses.index(address)) for address in found.group(2).split(", "))
            seen[found.group(3)].append(f"{found.group(1)} {asked}")
        return seen["/x"], seen["/plain/x"]


@pytest.mark.parametrize("name", CASES)
def test_endpoints_are_asked_in_the_order_of_nginx_round_robin(name) -> None:
    ours, nginx = walk(CASES[name])
    assert ours == nginx


@pytest.mark.parametrize("failures", [1, 2, 3])
@pytest.mark.parametrize("kind", ["dead", "500"])
def test_failing_endpoint_is_asked_max_fails_times_as_by_round_robin(kind, failures) -> None:
    ours, nginx = walk(Case([1, 1], [kind, "ok"], 12, f"max_fails={failures}"))
    for lines in (ours, nginx):
        assert sum("0" in line.split(" ")[1] for line in lines) == failures
