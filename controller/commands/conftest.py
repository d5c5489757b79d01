"""Fixtures of the commands' tests: a host of its own for each test, with or without a control file."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from cli_host import Host, Workers


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield Host(tmp_path)


@pytest.fixture
def ready(host: Host) -> Host:
    assert host.run("init").returncode == 0
    return host


@pytest.fixture
def workers(ready: Host) -> Iterator[Workers]:
    workers = Workers(ready)
    workers.do("worker", "lease", "publish blue 127.0.0.1:8001", "publish green 127.0.0.1:8002 127.0.0.1:8003")
    yield workers
    workers.end()
