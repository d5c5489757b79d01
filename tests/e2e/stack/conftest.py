"""One staging host for the session; it ends with nothing left, or the session fails."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine import Engine, processes_in
from host import BIN, Host
from load import load
from network import enter_own_network
from shell import run


@pytest.fixture(scope="session")
def host():
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests start a Docker engine: run them as root", returncode=1)
    for program in ("bgctl", "loadgen"):
        assert (BIN / program).exists(), f"{BIN / program} is missing: build first, or set BLUEGREEN_BIN"
    folder = Path(tempfile.mkdtemp(prefix="bluegreen-e2e-"))
    folder.chmod(0o755)  # NGINX's workers pass through it
    engine = Engine(folder / "engine")
    left = []
    try:
        engine.install()
        enter_own_network()
        engine.mount()
        engine.start()
        engine.start_registry()
        staging = Host(folder, engine)
        staging.build_images()
        try:
            staging.up()
            staging.deploy("v1")
            yield staging
        finally:
            staging.down()
            left += staging.leftovers()
    finally:
        left += engine.close()
        left += [f"process {pid}: {words[:200]}" for pid, words in processes_in(folder).items()]
        assert not left, f"left behind, {folder} with it: " + "; ".join(left)
        shutil.rmtree(folder)


@pytest.fixture
def loading(host, tmp_path):
    """A block under load, against NGINX's own address: Docker's proxy is not what is tested."""
    return lambda: load(BIN / "loadgen", host.nginx_address, 80, tmp_path / "requests.csv")


@pytest.fixture
def untouched(host, loading):
    """A block in which the serving color must serve every request, whatever goes wrong."""

    @contextmanager
    def watch():
        before = host.status()
        with loading() as seen:
            yield seen
        after = host.status()
        print(f"requests {seen.result['requests']}, failed {seen.result['failed']}, served by {seen.served()}")
        assert seen.result["requests"] > 100
        assert seen.result["failed"] == 0
        assert [color for color, _ in seen.served()] == [before["active"]]
        assert (after["active"], after["release"]) == (before["active"], before["release"])

    return watch


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system with no byte left."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "bluegreen-tiny", folder)
    try:
        with open(folder / "ballast", "wb", buffering=0) as ballast:
            while True:
                try:
                    ballast.write(b"x" * 4096)
                except OSError:
                    break
        yield folder
    finally:
        run("umount", folder)


def pytest_terminal_summary(terminalreporter):
    """Each test prints its figures; here they show although it passed (`ctest -R stack -V`)."""
    for report in terminalreporter.stats.get("passed", []):
        for line in report.capstdout.splitlines() if report.when == "call" else []:
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {line}")
