"""Pulls that meet trouble, against a real engine and a real registry behind a proxy that misbehaves.

The names of the cases are those of docs/faults.md. One `runtime_probe` is one call of bgctl. Needs
the engine that compose_runtime_test.py needs; without one all of it is skipped.
"""
import json
import os
import pathlib
import stat
import subprocess
import time

import pytest

from harness import free_port
from harness.fault_registry import fault_registry

PROBE = pathlib.Path(os.environ["BLUEGREEN_BIN"]).parent / "tests" / "runtime_probe"
FULL = os.environ.get("BLUEGREEN_FULL") == "1"

pytestmark = pytest.mark.skipif(
    subprocess.run(["docker", "version"], capture_output=True).returncode != 0,
    reason="no Docker engine answers; scripts/engine start brings one")


class Stage:
    def __init__(self, folder, registry, proxy):
        self.folder = folder
        self.registry = registry
        self.proxy = proxy
        self.names = 0
        self.environment = {"PATH": os.environ["PATH"], "BGCTL_RUN_DIR": str(folder / "run"),
                            "DOCKER_CONFIG": str(folder / "no-config")}
        if "DOCKER_HOST" in os.environ:
            self.environment["DOCKER_HOST"] = os.environ["DOCKER_HOST"]

    def image(self, **how):
        """(a new image's name through the proxy, its layers)"""
        self.names += 1
        name = f"app{self.names}"
        layers = self.registry.push(name, "v1", **how)
        self.proxy.seen.clear()
        return f"localhost:{self.proxy.port}/{name}:v1", layers

    def pull(self, image, tries=4):
        config = self.folder / "bgctl.json"
        config.write_text(json.dumps({"apps": {"app": {"runtime": "compose", "compose": {
            "project": "pulls", "file": "/none.yaml", "env_file": str(self.folder / "images.env"),
            "port": 8000, "pull_tries": tries}}}}))
        begun = time.monotonic()
        done = subprocess.run([str(PROBE), str(config), "app", "pull", image], capture_output=True, text=True,
                              timeout=180, env=self.environment)
        assert done.stderr == "", done.stderr
        answer = json.loads(done.stdout)
        print(f"{time.monotonic() - begun:.1f} s: {done.stdout.strip()[:500]}")
        return answer


@pytest.fixture(scope="module")
def pulled():
    """Names to remove from the engine at the end."""
    names = []
    yield names
    if names:
        subprocess.run(["docker", "rmi", "-f", *names], capture_output=True)


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    with fault_registry(folder, free_port()) as both:
        yield both


@pytest.fixture
def stage(tmp_path, open_registry, pulled):
    made = Stage(tmp_path, *open_registry)
    made.proxy.faults.clear()
    yield made
    made.proxy.faults.clear()


# name: part of the path, fault, how many requests meet it
PASSING = {
    "registry answers 429 for a while": ("/manifests/", "429", 3),
    "registry answers 500 for a while": ("/manifests/", "500", 3),
    "registry ends connections for a while": ("/manifests/", "reset", 2),
    "layer arrives truncated once": ("/blobs/", "truncated", 1),
    "registry is slow": ("/blobs/", "slow", 2),
}


@pytest.mark.parametrize("name", PASSING)
def test_passing_trouble_of_a_registry_ends_in_a_pull(stage, pulled, name):
    image, _layers = stage.image(sizes=(1 << 20,))
    stage.proxy.faults.append(list(PASSING[name]))
    answer = stage.pull(image, tries=8)
    assert answer["ok"], answer
    pulled.append(answer["pinned"])
    assert stage.proxy.faults[0][2] == 0  # it was met
    if "429" in name or "500" in name:
        assert any("; try 2 of 8 in " in line for line in answer["progress"]), answer["progress"]


# name: part of the path, fault, what the message says
LASTING = {
    "registry answers 429 for ever": ("/manifests/", "429", "limits this host's requests"),
    "registry answers 500 for ever": ("/manifests/", "500", "the registry has an error"),
}


@pytest.mark.parametrize("name", LASTING)
def test_lasting_trouble_of_a_registry_is_30_after_so_many_tries(stage, name):
    image, _layers = stage.image()
    part, fault, said = LASTING[name]
    stage.proxy.faults.append([part, fault, 10**6])
    answer = stage.pull(image, tries=2)
    assert answer["code"] == 30, answer
    assert said in answer["what"] and "; 2 tries in " in answer["what"], answer


@pytest.mark.skipif(not FULL, reason="the engine's own tries take most of a minute")
def test_layer_that_never_arrives_whole_is_30(stage):
    image, _layers = stage.image()
    stage.proxy.faults.append(["/blobs/", "truncated", 10**6])
    answer = stage.pull(image, tries=1)
    assert answer["code"] == 30, answer


def test_image_that_is_unknown_is_30_at_once(stage):
    image, _layers = stage.image()
    answer = stage.pull(image.replace(":v1", ":v2"))
    assert answer["code"] == 30 and "the registry has no such image" in answer["what"], answer
    assert "tries" not in answer["what"]


def test_image_for_another_platform_is_30_before_anything_starts(stage, pulled):
    image, _layers = stage.image(architecture="s390x")
    answer = stage.pull(image)
    pulled.append(image)
    assert answer["code"] == 30, answer
    assert "is built for linux/s390x, but this machine's Docker Engine runs linux/" in answer["what"]


def test_latest_is_pulled_with_a_warning(stage, pulled):
    image, _layers = stage.image()
    name = image.rpartition("/")[2].partition(":")[0]
    stage.registry.push(name, "latest")
    answer = stage.pull(image.replace(":v1", ":latest"))
    assert answer["ok"], answer
    pulled.append(answer["pinned"])
    assert "names another image after the next push" in answer["warning"]
    assert stage.pull(image)["warning"] == ""
    pulled.append(image)


HELPER = """#!/bin/sh
read server
echo "$1 $server" >>"$(dirname "$0")/asked"
{answer}
"""


@pytest.fixture(scope="module")
def closed_registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("closed")
    with fault_registry(folder, free_port(), "me", "secret-word") as both:
        yield both


@pytest.fixture
def closed(tmp_path, closed_registry, pulled):
    made = Stage(tmp_path, *closed_registry)
    made.bin = tmp_path / "bin"
    made.bin.mkdir()
    made.environment["PATH"] = f"{made.bin}:{made.environment['PATH']}"
    return made


def logged_in(stage, folder, helper="", answer="", **config):
    """A config.json in `folder`, and a credential helper beside the test's programs."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if helper:
        program = stage.bin / f"docker-credential-{helper}"
        program.write_text(HELPER.format(answer=answer))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)


GIVES = """echo '{"ServerURL": "x", "Username": "me", "Secret": "secret-word"}'"""


def test_credentials_come_from_auths_of_docker_config(closed, pulled):
    image, _layers = closed.image()
    registry = f"localhost:{closed.proxy.port}"
    logged_in(closed, closed.folder / "config", auths={registry: {"auth": "bWU6c2VjcmV0LXdvcmQ="}})
    closed.environment["DOCKER_CONFIG"] = str(closed.folder / "config")
    answer = closed.pull(image)
    assert answer["ok"], answer
    pulled.append(answer["pinned"])


@pytest.mark.parametrize("which", ["credHelpers", "credsStore"])
def test_credentials_come_from_a_helper(closed, pulled, which):
    image, _layers = closed.image()
    registry = f"localhost:{closed.proxy.port}"
    # HOME is where config.json is looked for when DOCKER_CONFIG says nothing.
    logged_in(closed, closed.folder / ".docker", "fake", GIVES,
              **{which: {registry: "fake"} if which == "credHelpers" else "fake"})
    del closed.environment["DOCKER_CONFIG"]
    closed.environment["HOME"] = str(closed.folder)
    answer = closed.pull(image)
    assert answer["ok"], answer
    pulled.append(answer["pinned"])
    assert (closed.bin / "asked").read_text() == f"get {registry}\n"
    assert "secret-word" not in json.dumps(answer)


@pytest.mark.parametrize("answer_of_it, said", [
    ("echo 'token has expired' >&2; exit 1", "it exited with 1: token has expired"),
    ("echo hello", "printed no JSON with a Secret"),
], ids=["fails", "prints no JSON"])
def test_helper_that_gives_nothing_is_named_when_the_registry_refuses(closed, answer_of_it, said):
    image, _layers = closed.image()
    logged_in(closed, closed.folder / "config", "fake", answer_of_it, credsStore="fake")
    closed.environment["DOCKER_CONFIG"] = str(closed.folder / "config")
    answer = closed.pull(image)
    assert answer["code"] == 30, answer
    assert "tries" not in answer["what"]
    assert said in answer["hint"], answer
