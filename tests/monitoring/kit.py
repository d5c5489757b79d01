"""What is in docs/monitoring, read as a test needs it: expressions of rules and dashboard, and which
metrics with which labels the status endpoint has (docs/status.md says it to people)."""

import json
import pathlib
import re
import subprocess

KIT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "monitoring"
RULES = KIT / "rules" / "bluegreen.yml"
RULE_TESTS = KIT / "rules" / "bluegreen_test.yml"
DASHBOARD = KIT / "grafana" / "bluegreen.json"

_COLOR = {"app", "color"}
METRICS: dict[str, set[str]] = {
    "control_ok": set(), "telemetry_ok": set(), "inexact": set(), "workers": {"state"}, "prober_epoch": set(),
    "events_total": set(), "start_time_seconds": set(),
    "active": _COLOR, "generation": {"app"}, "weight_ratio": {"app"}, "flag": {"app", "flag"},
    "release_info": _COLOR | {"release"}, "flipped_timestamp_seconds": {"app"},
    "requests_total": _COLOR, "responses_total": _COLOR | {"class"}, "in_flight": _COLOR, "waiting": _COLOR,
    "weighted_total": _COLOR, "previews_total": _COLOR, "fallbacks_total": _COLOR, "refused_total": _COLOR,
    "tries_total": _COLOR, "try_failures_total": _COLOR | {"reason"}, "retries_total": _COLOR,
    "received_bytes_total": _COLOR, "sent_bytes_total": _COLOR, "latency_seconds_bucket": _COLOR | {"phase", "le"},
    "endpoints": _COLOR | {"health"}, "endpoint_up": _COLOR | {"address"},
    "endpoint_probe_seconds": _COLOR | {"address"}, "endpoint_probes_total": _COLOR | {"address"},
    "endpoint_probe_failures_total": _COLOR | {"address"},
}
# In a scrape as well; neither rules nor dashboard take them.
METRICS.update({"control_info": {"state", "reason"}, "configured_endpoints": _COLOR,
                "latency_seconds_sum": _COLOR | {"phase"}, "latency_seconds_count": _COLOR | {"phase"}})
# Prometheus adds these to whatever it scrapes.
TARGET_LABELS = {"job", "instance"}


def run(*arguments: object, cwd: pathlib.Path = KIT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False, cwd=cwd, timeout=60)


def rules() -> dict[str, str]:
    """Expression of each alert. The file's own layout is read, so no YAML library is needed."""
    text = RULES.read_text()
    found = {}
    for block in text.split("      - alert: ")[1:]:
        name = block.split("\n", 1)[0]
        match = re.search(r"^        expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", block, re.MULTILINE)
        assert match, f"{name}: no expr"
        found[name] = " ".join((match[1] or match[2]).split())
    return found


def dashboard() -> dict[str, list[str]]:
    """Expressions of each panel and annotation, by title."""
    board = json.loads(DASHBOARD.read_text())
    found = {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in board["panels"]}
    found.update({f"annotation {a['name']}": [a["expr"]] for a in board["annotations"]["list"]})
    return found


def filled(expression: str, rate: str = "5m") -> str:
    """A dashboard's expression as Grafana sends it, with everything selected."""
    for variable, value in (("$__rate_interval", rate), ("$instance", ".*"), ("$app", ".*")):
        expression = expression.replace(variable, value)
    assert "$" not in expression, f"a variable that nothing defines: {expression}"
    return expression


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Each metric of ours in an expression, without the prefix, and the labels that it is selected by."""
    return [(name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels)))
            for name, labels in re.findall(r"\bbluegreen_(\w+)(?:\{([^}]*)\})?", expression)]
