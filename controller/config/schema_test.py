"""docs/bgctl.schema.json and `bgctl config check` agree: on every key, type, bound and requirement.

Each case is one change to a document that both accept. The checker names the keys that it knows
when it meets one that it does not, so a key that only one of the two has is found here."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Iterator

import jsonschema
import pytest

BGCTL = str(Path(os.environ.get("BLUEGREEN_BIN", "build/release/bin")) / "bgctl")
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "bgctl.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
FULL = {
    "$schema": "/x", "control": "/c", "telemetry": "/t", "trace_dir": "/d", "run_dir": "/r",
    "notify": [{"url": "https://example.org/x", "format": "slack", "secret_file": "/s", "on": ["failed"]}],
    "apps": {
        "app": {
            "runtime": "compose",
            "compose": {
                "project": "staging", "file": "/f", "env_file": "/e", "port": 8000,
                "services": {"blue": "b", "green": "g"}, "image_variables": {"blue": "B", "green": "G"},
                "network": "n", "docker_host": "unix:///s", "min_free_mb": 1, "pull_tries": 3,
            },
            "healthy_within": "60s", "drain": {"timeout": "30s", "then": "wait"}, "soak": "1s",
            "canary": [{"weight": "5%", "for": "5m", "min_requests": 100}],
            "analysis": {
                "confidence": "99%", "min_requests": 50, "error_tolerance": "0.1%", "latency_tolerance": "20%",
                "latency_slack": "10ms", "max_error_rate": "5%", "not_enough": "fail",
                "max_latency": {"p50": "1s", "p90": "2s", "p99": "3s"},
            },
            "keep_old": "10m", "keep_releases": 3, "deploy_within": "2h",
            "keep_traces": 50,
            "smoke": {
                "url": "http://127.0.0.1:8080", "header": "X-Preview", "secret_file": "/s", "host": "example.com",
                "checks": [{"path": "/health", "status": "200-204", "body": "ok", "within": "1s"}],
            },
            "migrate": {"service": "migrate", "timeout": "1s"}, "contract": {"command": ["/bin/true"], "timeout": "1s"},
            "hooks": {
                "pre_flip": [{"command": ["/bin/true", "x"], "timeout": "1s"}], "post_flip": [], "post_stop": [],
                "on_failure": [],
            },
        },
        "tool": {
            "runtime": "process",
            "process": {
                "command": ["/bin/true"], "ports": {"blue": 101, "green": 102}, "health": "/h",
                "stop_timeout": "1s", "environment": {"A": "b"}, "directory": "/",
            },
        },
    },
}
Keys = tuple[str, ...]


def checked(document: Any, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "bgctl.json"
    path.write_text(json.dumps(document))
    return subprocess.run(
        [BGCTL, "config", "check", "--config", str(path)], capture_output=True, text=True, timeout=20, check=False
    )


def at(keys: Keys) -> dict[str, Any]:
    """The part of the schema that is about this place in the document."""
    part = SCHEMA
    for key in ("", *keys):
        if key:
            part = part.get("properties", {}).get(key) or part["additionalProperties"]
        while "$ref" in part:
            part = {**SCHEMA["$defs"][part["$ref"].split("/")[-1]], **{k: v for k, v in part.items() if k != "$ref"}}
    return part


def places(document: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    yield keys, document
    if isinstance(document, dict):
        for key, value in document.items():
            yield from places(value, (*keys, key))


def changed(keys: Keys, value: Any) -> Any:
    document = copy.deepcopy(FULL)
    inside: Any = document
    for key in keys[:-1]:
        inside = inside[key]
    if value is KeyError:
        del inside[keys[-1]]
    else:
        inside[keys[-1]] = value
    return document


def others(keys: Keys) -> Iterator[Any]:
    """Values of each type, those just in and just out of the schema's bounds, and none at all."""
    part = at(keys)
    yield from (None, True, 1.5, "", "x", "a b", "-x", "/x", "5", "1s", "1d", {}, [], [""], ["x", 1], {"A": 1}, {"1": ""})
    yield KeyError
    if "minimum" in part:
        yield from (part["minimum"] - 1, part["minimum"], part["maximum"], part["maximum"] + 1)


NAMES = [pytest.param(keys, id=".".join(keys)) for keys, _ in places(FULL) if keys]
OBJECTS = [keys for keys, value in places(FULL) if isinstance(value, dict) and "properties" in at(keys)]


def test_both_accept_the_full_document_and_the_example(tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(FULL)
    assert checked(FULL, tmp_path).stderr == ""
    example = subprocess.run([BGCTL, "config", "example"], capture_output=True, text=True, check=True).stdout
    VALIDATOR.validate(json.loads(re.sub(r"(?m)^\s*//.*$|\s{2}// .*$", "", example)))


def names_in(part: Any) -> Iterator[str]:
    """Every key of a configuration that the schema names, colors left out."""
    if isinstance(part, dict):
        yield from (part.get("properties") or {})
        for inside in part.values():
            yield from names_in(inside)
    elif isinstance(part, list):
        for inside in part:
            yield from names_in(inside)


def test_the_example_has_every_key() -> None:
    example = subprocess.run([BGCTL, "config", "example"], capture_output=True, text=True, check=True).stdout
    missing = {name for name in names_in(SCHEMA) if f'"{name}"' not in example} - {"$schema"}
    assert not missing, f"`bgctl config example` has no word about {missing}"


def test_the_full_document_has_every_key_of_the_schema() -> None:
    """So that the cases below, which are made out of it, leave nothing out."""
    for keys in OBJECTS:
        here: Any = FULL
        for key in keys:
            here = here[key]
        names = set(FULL["apps"]["app"]) | {"process"} if len(keys) == 2 and keys[0] == "apps" else set(here)
        names |= {"command", "service"} if keys[-1:] in (("migrate",), ("contract",)) else set()
        assert names == set(at(keys)["properties"]), keys


@pytest.mark.parametrize("keys", OBJECTS, ids=lambda keys: ".".join(keys) or "top")
def test_both_know_the_same_keys(keys: Keys, tmp_path: Path) -> None:
    document = changed((*keys, "surplus"), 1)
    assert not VALIDATOR.is_valid(document)
    result = checked(document, tmp_path)
    assert result.returncode == 2
    place = ".".join((*keys, "surplus"))
    found = re.search(rf" {re.escape(place)}: unknown key, expected one of (.*)", result.stderr)
    assert found, result.stderr
    assert set(found[1].split(", ")) == set(at(keys)["properties"])


@pytest.mark.parametrize("keys", NAMES)
def test_both_accept_and_refuse_the_same_values(keys: Keys, tmp_path: Path) -> None:
    for other in others(keys):
        document = changed(keys, other)
        result = checked(document, tmp_path)
        assert result.returncode in (0, 2)
        assert VALIDATOR.is_valid(document) == (result.returncode == 0), (other, result.stderr)
        if result.returncode == 2:
            assert ".".join(keys) in result.stderr


@pytest.mark.parametrize("keys", [k for k, v in places(FULL) if k and "ms|s" in at(k).get("pattern", "")], ids=".".join)
def test_a_duration_s_range_is_in_its_description(keys: Keys, tmp_path: Path) -> None:
    result = checked(changed(keys, "8760h"), tmp_path)
    found = re.search(r'expected (a duration from "\w+" to "\w+")', result.stderr)
    assert result.returncode == 2 and found
    assert found[1] in at(keys)["description"]


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    document = changed(("apps", "app", "compose", "port"), 80000)
    document["apps"]["app"]["keep_releases"] = 0
    document["apps"]["tool"]["process"]["health"] = "health"
    document["extra"] = 1
    told = checked(document, tmp_path).stderr
    assert "4 problems" in told
    for path in ("apps.app.compose.port: ", "apps.app.keep_releases: ", "apps.tool.process.health: ", "extra: "):
        assert path in told
    assert "from 1 to 65535, found 80000" in told
