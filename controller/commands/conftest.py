"""Fixtures of the commands' tests: a host of its own for each test, with or without a control file."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from cli_host import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield Host(tmp_path)


@pytest.fixture
def ready(host: Host) -> Host:
    assert host.run("init").returncode == 0
    return host
