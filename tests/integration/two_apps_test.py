"""Two applications on one host, behind one NGINX, in one control file: a lock, a route and traces for each."""

import contextlib
import json
import pathlib
import signal
import subprocess
import time
from collections.abc import Iterator

from deploy_process_test import Host
from harness import Nginx, free_port, program, until, work_folder


class Pair(Host):
    """The host of one application, with a second one in its configuration."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.shop_ports = {"blue": free_port(), "green": free_port()}
        super().__init__(folder)

    def configure(self, **app: object) -> None:
        super().configure(**app)
        document = json.loads(self.config.read_text())
        shop = json.loads(json.dumps(self.settings))
        shop["process"]["ports"] = self.shop_ports
        document["apps"]["shop"] = shop
        self.config.write_text(json.dumps(document))

    def serving_of(self, app: str) -> tuple[str, str]:
        seen = json.loads(self.done("status", "--json", "--app", app).stdout)["apps"][app]
        return seen["active"], seen["release"]


@contextlib.contextmanager
def two_apps() -> Iterator[tuple[Pair, Nginx, int]]:
    with work_folder() as folder:
        host = Pair(folder)
        assert host.run("init", "--app", "shop").returncode == 0
        shop_port = free_port()
        upstream = host.region.upstream([], [], "keepalive 16;")
        server = f"""
    {upstream.replace('upstream app', 'upstream shop').replace('bluegreen app', 'bluegreen shop')}
    server {{
        listen 127.0.0.1:{shop_port} reuseport;
        location / {{ proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
"""
        http = host.region.http(free_port(), listen="reuseport", top="keepalive_requests 1000000000;")
        try:
            with Nginx(folder, http + server, workers=2, level="notice") as nginx:
                yield host, nginx, shop_port
        finally:
            host.end()


@contextlib.contextmanager
def load_on(port: int, record: pathlib.Path) -> Iterator[None]:
    load = subprocess.Popen([program("loadgen"), "--host", "127.0.0.1", "--port", str(port), "--clients", "4",
                             "--method", "POST", "--body", "512", "--seconds", "90", "--record", record],
                            stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.2)  # some load before the first change; nothing depends on how much
        yield
    finally:
        load.send_signal(signal.SIGTERM)
        load.wait(30)


def failed_of(record: pathlib.Path) -> tuple[int, int]:
    flips = record.with_suffix(".flips")
    flips.write_text("")
    judged = json.loads(subprocess.run([program("loadgen"), "judge", "--record", record, "--flips", flips],
                                       capture_output=True, text=True, timeout=60, check=True).stdout)
    return judged["requests"], judged["failed"]


def test_two_applications_are_deployed_at_the_same_time(figures) -> None:
    with two_apps() as (host, nginx, shop_port):
        for app in ("app", "shop"):
            host.done("deploy", "v1", "--app", app)
        records = {"app": host.folder / "app.csv", "shop": host.folder / "shop.csv"}
        with load_on(nginx.port, records["app"]), load_on(shop_port, records["shop"]):
            # One of them waits for a release that never gets healthy; the other is not kept by that.
            host.configure(healthy_within="4s")
            slow = host.start("deploy", "sick", "--app", "shop", "--id", "slow")
            until(lambda: (host.traces / "shop/slow/journal").exists(), "shop's deploy has begun")
            host.done("deploy", "v2", "--app", "app")
            assert slow.poll() is None, "app's deploy has waited for shop's"
            assert host.run("deploy", "v3", "--app", "shop", "--id", "other").returncode == 10
            slow.communicate(timeout=60)
            assert slow.returncode == 50
            assert host.serving_of("app")[1] == "v2" and host.serving_of("shop")[1] == "v1"
            both = [host.start("deploy", "v4", "--app", app, "--id", f"both-{app}") for app in ("app", "shop")]
            ended = [one.communicate(timeout=60) for one in both]
            assert [one.returncode for one in both] == [0, 0], ended
        assert {host.serving_of(app)[1] for app in ("app", "shop")} == {"v4"}
        requests, failed = map(sum, zip(*(failed_of(record) for record in records.values())))
        figures(applications=2, requests=requests, failed=failed)
        assert requests > 200 and failed == 0
        listed = {app: [entry["image"] for entry in json.loads(host.done("history", "--json", "--app", app).stdout)["deploys"]]
                  for app in ("app", "shop")}
        assert listed == {"app": ["v4", "v2", "v1"], "shop": ["v4", "sick", "v1"]}
