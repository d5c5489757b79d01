"""Where the programs under test are, folders that a worker's user can enter, and free ports."""

import contextlib
import os
import pathlib
import shutil
import socket
import tempfile
from collections.abc import Iterator

BIN = pathlib.Path(os.environ.get("BLUEGREEN_BIN", "build/release/bin")).resolve()
MODULE = BIN / "ngx_http_bluegreen_module.so"

_given: set[int] = set()


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
