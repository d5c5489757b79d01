"""What bgctl shows of NGINX's probes, and refuses by them. The regions are written as NGINX's workers write them
(region_writer); with a real NGINX: tests/integration/probe_*_test.py."""

from __future__ import annotations

import pytest

from cli_host import Host, Workers

SINCE = "2026-01-01T00:00:00Z"


def endpoints(host: Host, color: str) -> list[dict]:
    return host.status()["apps"]["app"]["colors"][color]["endpoints"]


def test_status_shows_health_since_and_the_last_error(ready: Host, workers: Workers) -> None:
    workers.do("health green 0 healthy", "health green 1 unhealthy connect() failed (111: \x1b[31mrefused)")
    first, second = endpoints(ready, "green")
    assert (first["health"], first["since"], first["last_error"]) == ("healthy", SINCE, "")
    assert (second["address"], second["health"]) == ("127.0.0.1:8003", "unhealthy")
    assert second["last_error"] == "connect() failed (111: \x1b[31mrefused)"
    assert (second["status"], second["latency_ms"], second["probes"], second["failures"]) == (503, 1.5, 7, 3)
    assert second["checked"] == "2026-01-01T00:00:05Z"
    prober = ready.status()["telemetry"]["prober"]
    assert prober == {"pid": workers.process.pid, "epoch": 1}
    table = ready.run("status").stdout
    assert "127.0.0.1:8002 (healthy) 127.0.0.1:8003 (unhealthy)" in table
    assert f"  127.0.0.1:8003 of green is unhealthy since {SINCE}: connect() failed (111: " in table
    assert "\x1b" not in table


def test_status_has_the_second_figures_where_telemetry_has_them(ready: Host, workers: Workers) -> None:
    color = ready.status()["apps"]["app"]["colors"]["green"]
    assert (color["retries"], color["timeouts"], color["bytes_in"]) == (0, 0, 0)
    assert color["latency"]["total"] == {"count": 0, "sum_ms": 0.0, "p50_ms": 0.0, "p90_ms": 0.0, "p99_ms": 0.0}
    workers.end()
    ready.telemetry.unlink()
    assert "latency" not in ready.status()["apps"]["app"]["colors"]["green"]


def test_status_says_unknown_of_what_nobody_has_probed(ready: Host, workers: Workers) -> None:
    workers.do("health green 0 unhealthy reset")
    assert endpoints(ready, "blue")[0]["health"] == "unknown"
    # Published anew at the same addresses: another release, of which nobody knows anything.
    workers.do("publish green 127.0.0.1:8002")
    again = endpoints(ready, "green")[0]
    assert (again["health"], again["last_error"]) == ("unknown", "")
    assert again["since"] == ready.status()["apps"]["app"]["colors"]["green"]["published_at"]
    assert "(" not in ready.run("status").stdout


@pytest.mark.parametrize("words", [["switch", "green"], ["weight", "5"],
                                   ["switch", "green", "--hold", "--timeout", "1s"]])
def test_color_that_is_unhealthy_as_a_whole_is_refused_unless_forced(
    ready: Host, workers: Workers, words: list[str]
) -> None:
    workers.do("health green 0 unhealthy timed out", "health green 1 unhealthy status 500")
    before = ready.control.read_bytes()
    refused = ready.run(*words)
    assert refused.returncode == 50
    assert ("application app: NGINX's probes find every endpoint of green unhealthy (127.0.0.1:8002: timed out); "
            "blue goes on serving") in refused.stderr
    assert ready.control.read_bytes() == before
    forced = ready.run(*words, "--force")
    assert (forced.returncode, forced.stderr) == (0, "")


@pytest.mark.parametrize("second", ["healthy", "degraded", "unknown"])
def test_color_with_one_endpoint_that_may_be_well_is_switched_to(
    ready: Host, workers: Workers, second: str
) -> None:
    workers.do("health green 0 unhealthy timed out", f"health green 1 {second}")
    assert ready.run("switch", "green").returncode == 0


def test_way_back_from_an_unhealthy_color_is_open(ready: Host, workers: Workers) -> None:
    assert ready.run("switch", "green").returncode == 0
    workers.do("health green 0 unhealthy gone", "health green 1 unhealthy gone")
    assert ready.run("switch", "green").returncode == 0  # it serves already
    assert ready.run("weight", "0").returncode == 0
    assert ready.run("switch", "blue").returncode == 0
