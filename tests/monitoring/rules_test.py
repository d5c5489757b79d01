"""Rules, configuration and dashboard by themselves: promtool takes them, names and labels exist, and
the rules' unit tests notice an alert that never fires and one that always does."""

import json
import os
import pathlib
import re

import pytest

from monitoring import kit

FULL = bool(os.environ.get("BLUEGREEN_FULL"))
NEVER, ALWAYS = "vector(1) == 2", "vector(1)"


def mutated(folder: pathlib.Path, alert: str, expression: str) -> pathlib.Path:
    """The rules' tests in `folder`, beside rules in which one alert has another expression."""
    head, tail = kit.RULES.read_text().split(f"      - alert: {alert}\n")
    tail = re.sub(r"^        expr: (?:>-\n(?: {10}.*\n)+|.*\n)", f"        expr: {expression}\n", tail, count=1, flags=re.M)
    tail = re.sub(r"\A((?:        .*\n)*?)        for: .*\n", r"\1", tail, count=1)
    (folder / "bluegreen.yml").write_text(f"{head}      - alert: {alert}\n{tail}")
    tests = folder / "bluegreen_test.yml"
    tests.write_text(kit.RULE_TESTS.read_text())
    return tests


def test_promtool_takes_configuration_and_rules() -> None:
    for arguments in (["check", "config", "prometheus.yml"], ["check", "rules", kit.RULES]):
        done = kit.run("promtool", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_unit_tests_pass() -> None:
    done = kit.run("promtool", "test", "rules", kit.RULE_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("expression", [NEVER, ALWAYS])
@pytest.mark.parametrize("alert", sorted(kit.rules()) if FULL else ["BluegreenFallback", "BluegreenNoProber"])
def test_the_rules_unit_tests_notice_an_alert_that_is(alert: str, expression: str, tmp_path: pathlib.Path) -> None:
    done = kit.run("promtool", "test", "rules", mutated(tmp_path, alert, expression))
    # FAILED: it ran the tests, and one of them did not come out; not that it could not load a file.
    assert done.returncode == 1 and "FAILED" in done.stdout + done.stderr, f"{alert} {expression}: nobody noticed"
    assert alert in done.stdout + done.stderr, done.stdout


def test_every_alert_says_what_to_do_and_how_urgent_it_is() -> None:
    blocks = kit.RULES.read_text().split("      - alert: ")[1:]
    for block in blocks:
        name = block.split("\n", 1)[0]
        assert re.search(r"severity: (page|ticket)\}", block), f"{name}: no severity"
        assert 'summary: "' in block and "action: >-" in block, f"{name}: nothing to do"


@pytest.mark.parametrize("expression", [e for e in kit.rules().values()]
                         + [e for panel in kit.dashboard().values() for e in panel])
def test_metrics_and_labels_exist_in(expression: str) -> None:
    found = kit.selectors(expression)
    assert found or "up{" in expression or "ALERTS{" in expression, "selects nothing of ours"
    for name, labels in found:
        assert name in kit.METRICS, f"no such metric: bluegreen_{name}"
        unknown = labels - kit.METRICS[name] - kit.TARGET_LABELS
        assert not unknown, f"bluegreen_{name} has no label {unknown}"


def test_prometheus_understands_every_expression_of_the_dashboard(tmp_path: pathlib.Path) -> None:
    lines = ["groups: [{name: dashboard, rules: ["]
    for number, expression in enumerate(e for panel in kit.dashboard().values() for e in panel):
        lines.append(f"  {{record: 'x:{number}', expr: {json.dumps(kit.filled(expression))}}},")
    rules = tmp_path / "dashboard.yml"
    rules.write_text("\n".join([*lines, "]}]"]))
    done = kit.run("promtool", "check", "rules", rules)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_can_be_provisioned() -> None:
    board = json.loads(kit.DASHBOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert board["uid"] and len(ids) == len(set(ids)), "two panels with one id"
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
        assert panel["description"] and panel["datasource"]["uid"] == "${datasource}"


def test_the_cloudwatch_agent_asks_for_metrics_that_exist_by_their_labels() -> None:
    settings = json.loads((kit.KIT / "cloudwatch-agent.json").read_text())
    prometheus = settings["logs"]["metrics_collected"]["prometheus"]
    for declaration in prometheus["emf_processor"]["metric_declaration"]:
        assert re.fullmatch(declaration["label_matcher"], "bluegreen") and declaration["source_labels"] == ["job"]
        for selector in declaration["metric_selectors"]:
            labels = kit.METRICS[selector.removeprefix("^bluegreen_").removesuffix("$")]
            for dimensions in declaration["dimensions"]:
                assert set(dimensions) == labels | {"instance"}, selector
