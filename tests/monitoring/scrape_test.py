"""A real Prometheus scrapes a real NGINX by the shipped configuration; rules and dashboard are asked
through its HTTP API, before and after a flip, with a damaged control file, and without NGINX."""

import contextlib
import json
import pathlib
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

from harness import Nginx, NginxBackend, Region, free_port, request, until, work_folder
from monitoring import kit

PROBE = "keepalive 16; bluegreen_probe interval=200ms fast_interval=100ms;"
METRICS_LOCATION = "location = /metrics { bluegreen_status prometheus cache=0; access_log off; }"
Sample = dict[str, object]


class Prometheus:
    """One server on a port of its own. Its configuration is the shipped one with another target and
    one scrape a second."""

    def __init__(self, folder: pathlib.Path, target: int) -> None:
        self.port = free_port()
        text = (kit.KIT / "prometheus.yml").read_text()
        for pattern, value in ((r"127\.0\.0\.1:8081", f"127.0.0.1:{target}"), (r"(_interval: ) *15s", r"\g<1>1s"),
                               (r"scrape_timeout: 5s", "scrape_timeout: 1s"), (r"rules/bluegreen\.yml", str(kit.RULES))):
            text, changes = re.subn(pattern, value, text)
            assert changes, pattern
        config = folder / "prometheus.yml"
        config.write_text(text)
        self.log = open(folder / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)

    def get(self, path: str, **parameters: str) -> dict[str, object]:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:  # what is wrong with the query is in the body
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from error

    def query(self, expression: str) -> list[Sample]:
        answer = self.get("query", query=expression)
        assert answer["status"] == "success" and "warnings" not in answer, answer
        return answer["data"]["result"]

    def value(self, expression: str) -> float | None:
        found = self.query(expression)
        assert len(found) <= 1, (expression, found)
        return float(found[0]["value"][1]) if found else None

    def answers(self) -> bool:
        assert self.process.poll() is None, "Prometheus has ended"
        try:
            return self.value("vector(1)") == 1
        except (AssertionError, OSError):  # not ready is 503
            return False

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@contextlib.contextmanager
def scraped() -> Iterator[tuple[Region, Nginx, Prometheus, NginxBackend]]:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        region.switch("green")
        with Nginx(folder, region.http(free_port(), more=METRICS_LOCATION, upstream=PROBE)) as nginx:
            prometheus = Prometheus(folder, nginx.port)
            try:
                until(prometheus.answers, "Prometheus answers", 30)
                until(lambda: prometheus.value('up{job="bluegreen"}') == 1, "a scrape", 20)
                yield region, nginx, prometheus, green
            finally:
                prometheus.end()


def samples(text: str) -> list[tuple[str, set[str]]]:
    """Name, without the prefix, and labels of each sample of a scrape."""
    return [(name, set(re.findall(r'(\w+)="', labels or "")))
            for name, labels in re.findall(r"^bluegreen_(\w+)(?:\{(.*)\})? ", text, re.MULTILINE)]


def test_queries_are_answered_through_a_flip_damage_and_nginx_gone() -> None:
    with scraped() as (region, nginx, prometheus, _):
        until(lambda: prometheus.value("sum(bluegreen_endpoint_up)") == 2, "the probes have found both colors healthy")
        present = {name for name, _ in samples(request(nginx.port, "/metrics").body.decode())}
        nginx.get("/")
        until(lambda: prometheus.value('bluegreen_requests_total{color="green"}') == 1, "the request is counted")
        assert prometheus.value("bluegreen_active == 1 and on (color) bluegreen_release_info{release='v2'}") == 1
        loaded = [rule for group in prometheus.get("rules")["data"]["groups"] for rule in group["rules"]]
        assert {rule["name"] for rule in loaded} == kit.rules().keys()

        # Two scrapes for a rate; a panel whose metrics are all there shows something.
        until(lambda: len(prometheus.query("rate(bluegreen_requests_total[30s])")) == 2, "a rate")
        for title, expressions in kit.dashboard().items():
            for expression in expressions:
                found = prometheus.query(kit.filled(expression, "30s"))
                names = {name for name, _ in kit.selectors(expression)}
                # A comparison, or an annotation, shows what is not there in this moment.
                conditional = title.startswith("annotation") or re.search(r"flag\{.*== 1$", expression)
                assert found or conditional or not names <= present, f"{title}: {expression} shows nothing"
        for expression in kit.rules().values():
            assert not prometheus.query(expression), f"would fire on what is well: {expression}"

        region.switch("blue")
        nginx.get("/")
        until(lambda: prometheus.value('bluegreen_active{color="blue"}') == 1, "the flip is seen")
        before = region.damage("all")
        until(lambda: prometheus.query(kit.rules()["BluegreenControlDamaged"])
              or prometheus.query(kit.rules()["BluegreenNotScraped"]), "the damage is an alert")
        region.restore(before)
        until(lambda: not prometheus.query(kit.rules()["BluegreenControlDamaged"]), "the alert goes")
        nginx.stop()
        until(lambda: prometheus.query(kit.rules()["BluegreenNotScraped"]), "NGINX is missed")
        until(lambda: prometheus.query('ALERTS{alertname="BluegreenNotScraped", alertstate="pending"}'), "the rule runs")


def test_endpoint_that_the_probes_find_dead_is_an_alert_until_it_is_back() -> None:
    with scraped() as (region, nginx, prometheus, green):
        down, nobody = (kit.rules()[name] for name in ("BluegreenEndpointDown", "BluegreenActiveColorDown"))
        until(lambda: prometheus.value(f'bluegreen_endpoint_up{{color="green", address="{green.address}"}}') == 1, "it is up")
        assert prometheus.value('bluegreen_endpoints{color="green", health="healthy"}') == 1
        failures = f'bluegreen_endpoint_probe_failures_total{{address="{green.address}"}}'
        before = prometheus.value(failures)
        green.nginx.kill()
        for rule in (down, nobody):
            found = until(lambda: prometheus.query(rule), f"an alert: {rule}")
            assert [sample["metric"]["color"] for sample in found] == ["green"]
        assert prometheus.value('bluegreen_endpoints{color="green", health="unhealthy"}') == 1
        assert prometheus.value(failures) > before
        green.nginx.start()
        until(lambda: not prometheus.query(down) and not prometheus.query(nobody), "the alerts go")


def test_a_scrape_is_clean_and_has_the_names_and_labels_that_the_kit_goes_by() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        with Nginx(folder, region.http(free_port(), blue.address, more=METRICS_LOCATION, upstream=PROBE)) as nginx:
            nginx.get("/")
            until(lambda: b"bluegreen_endpoint_up{" in request(nginx.port, "/metrics").body, "a probe")
            text = request(nginx.port, "/metrics").body.decode()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    found = samples(text)
    for name, labels in found:
        assert labels == kit.METRICS.get(name), f"bluegreen_{name} has labels {labels}"
    seldom = {"flipped_timestamp_seconds"}  # comes with a flip
    missing = kit.METRICS.keys() - seldom - {name for name, _ in found} - {"configured_endpoints", "release_info"}
    assert not missing, missing
