"""Clients while an endpoint dies under load: no request fails, and it is out of rotation in the time that the
configuration promises; it is back when it is well."""

import os
import signal
import time

from harness import Load, Nginx, NginxBackend, Region, free_port, until, work_folder
from probe_stage import all_healthy, becomes

INTERVAL, TIMEOUT, FALL = 0.2, 0.1, 3
BOUND = FALL * INTERVAL + TIMEOUT
PROBE = "bluegreen_probe uri=/ interval=200ms timeout=100ms fall=3 rise=2;"
# NGINX's own counting of failed requests would take it out as well.
ONLY_PROBES = "bluegreen_balance round_robin max_fails=0;"
LOCATION = "proxy_next_upstream error timeout; proxy_connect_timeout 500ms; proxy_read_timeout 500ms; access_log {log} tries;"


def asked(log, address: str) -> list[float]:
    """When the requests began that had a try at this address; UNIX seconds."""
    found = []
    for line in log.read_text().splitlines():
        ended, took, tries = line.split(" ", 2)
        if address in tries.split(", "):
            found.append(float(ended) - float(took))
    return found


def test_dying_endpoint_fails_no_request_and_is_out_in_time(figures) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as one, NginxBackend("blue", "v1") as other:
        region, log = Region(folder), folder / "tries.log"
        region.init()
        region.publish("blue", "v1", [one.address, other.address])
        http = region.http(free_port(), upstream=f"{ONLY_PROBES} keepalive 16; {PROBE}", location=LOCATION.format(log=log),
                           top="log_format tries '$msec $request_time $upstream_addr';")
        with Nginx(folder, http, workers=2, level="notice") as nginx:
            all_healthy(nginx)
            took = {}
            with Load(nginx.port, folder, "blue", method="GET", body=0) as load:
                for how, death, life in (
                        ("killed", lambda: other.nginx.kill(), lambda: other.nginx.start()),
                        ("stopped", lambda: _signal(other, signal.SIGSTOP), lambda: _signal(other, signal.SIGCONT))):
                    died = time.time()
                    death()
                    becomes(nginx, "unhealthy", 1)
                    noticed = time.time() - died
                    time.sleep(1.0)  # requests that would still go there, and those that wait for it
                    took[how] = round((max(asked(log, other.address)) - died) * 1000)
                    assert noticed <= BOUND + 0.1 and took[how] <= (BOUND + 0.1) * 1000, (how, noticed, took)
                    life()
                    becomes(nginx, "healthy", 1)
                    back = time.time()
                    until(lambda: max(asked(log, other.address)) > back, "it has its share again")
    figures(requests=load.judged["requests"], failed=load.judged["failed"], bound_ms=round(BOUND * 1000),
            **{f"last try after it was {how}, ms": ms for how, ms in took.items()})
    assert load.judged["failed"] == 0, load.failures()[:5]
    assert load.judged["requests"] > 1000


def _signal(backend: NginxBackend, number: int) -> None:
    for worker in backend.nginx.workers():
        os.kill(worker.pid, number)
