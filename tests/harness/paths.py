"""Where the programs under test are, folders that a worker's user can enter, and free ports."""

import contextlib
import functools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator

BIN = pathlib.Path(os.environ.get("BLUEGREEN_BIN", "build/release/bin")).resolve()
MODULE = BIN / "ngx_http_bluegreen_module.so"
# Another NGINX than the distribution's; BIN must have the module for it (scripts/nginx-versions).
NGINX_BINARY = os.environ.get("BLUEGREEN_NGINX_BINARY", "/usr/sbin/nginx")

_given: set[int] = set()


@functools.cache
def nginx_version() -> tuple[int, ...]:
    """Of the NGINX under test, as (1, 22, 1): what a test may expect depends on it here and there."""
    text = subprocess.run([NGINX_BINARY, "-v"], capture_output=True, text=True, check=True).stderr
    return tuple(int(part) for part in re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", text).groups())


def no_keepalive() -> str:
    """What an upstream block says to keep no connection: nothing, until 1.29.7 made `keepalive` the default."""
    return "keepalive 0;" if nginx_version() >= (1, 29, 7) else ""


def program(name: str) -> pathlib.Path:
    """A program of ours: bin/ has what users run, tests/ what only tests do."""
    for folder in (BIN, BIN.parent / "tests"):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{name} is neither in {BIN} nor in {BIN.parent / 'tests'}: build it first")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that was not given out before."""
    while True:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


@contextlib.contextmanager
def work_folder() -> Iterator[pathlib.Path]:
    """A temporary folder that NGINX's workers (another user than root) can enter; removed at the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bluegreen-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
