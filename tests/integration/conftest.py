"""Figures that a test measured: printed at the end of the run, and kept as one JSON file a test in
figures/ beside the build's bin/, where the benchmark table finds them."""

import json
from collections.abc import Callable

import pytest

from harness.paths import BIN

_figures: list[tuple[str, dict[str, object]]] = []


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    def record(**values: object) -> None:
        name = request.node.name
        _figures.append((name, values))
        folder = BIN.parent / "figures"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(values) + "\n")

    return record


def pytest_terminal_summary(terminalreporter: object) -> None:
    for name, values in _figures:
        terminalreporter.write_line(f"figures {name}: " + ", ".join(f"{k}={v}" for k, v in values.items()))
