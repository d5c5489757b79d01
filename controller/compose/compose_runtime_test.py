"""ComposeRuntime against a real engine, Compose v2 and a loopback registry.

One bgctl call is one `runtime_probe`. Each test has a Compose project, a network and files of its
own; what it made is removed again, also when it fails. Needs what `scripts/engine start`,
`scripts/engine registry start` and `scripts/base-image python` leave running; without an engine
all of it is skipped.
"""
import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE = pathlib.Path(os.environ["BLUEGREEN_BIN"]).parent / "tests" / "runtime_probe"
REGISTRY = os.environ.get("BLUEGREEN_REGISTRY", "localhost:5000")
BASE = os.environ.get("BLUEGREEN_BASE_PYTHON", "bluegreen/base-python")
REPOSITORY = f"{REGISTRY}/bluegreen-runtime-test"

SERVER = '''
import http.server, signal, sys
mode = open("/app/mode").read().strip()
print("release", mode, flush=True)
if mode == "dies":
    print("cannot find the database", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if mode == "sick" else 200)
        self.end_headers()
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
'''

CHECK = '''
import sys, urllib.request, urllib.error
try:
    urllib.request.urlopen("http://127.0.0.1:8000/", timeout=2)
except urllib.error.HTTPError as error:
    print("health says", error.code)
    sys.exit(1)
'''

COMPOSE = '''
services:
  app_blue: &app
    image: ${APP_BLUE_IMAGE:?}
    restart: unless-stopped
    stop_grace_period: 3s
    depends_on: [database]
    healthcheck: {test: ["CMD", "python3", "/app/check.py"], interval: 1s, retries: 2, start_period: 3s}
    networks: {front: {ipv4_address: "SUBNET.11"}}
  app_green:
    <<: *app
    image: ${APP_GREEN_IMAGE:?}
    networks: {front: {ipv4_address: "SUBNET.12"}}
  database: {image: nothing/that/exists, networks: [front]}
networks:
  front: {ipam: {config: [{subnet: "SUBNET.0/24"}]}}
'''


def docker(*arguments: str, check: bool = True) -> str:
    return subprocess.run(["docker", *arguments], check=check, capture_output=True,
                          text=True, timeout=120).stdout.strip()


pytestmark = pytest.mark.skipif(
    subprocess.run(["docker", "version"], capture_output=True).returncode != 0,
    reason="no Docker engine answers; scripts/engine start brings one")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Four releases in the registry, none of them on this host: pulls are real."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "server.py").write_text(SERVER)
    (folder / "check.py").write_text(CHECK)
    (folder / "Dockerfile").write_text(
        f"FROM {BASE}\nCOPY server.py check.py /app/\nARG MODE\nRUN echo $MODE >/app/mode\n"
        'CMD ["python3", "/app/server.py"]\n')
    names = {}
    for mode in ("v1", "v2", "dies", "sick"):
        names[mode] = f"{REPOSITORY}:{mode}"
        subprocess.run(["docker", "build", "-q", "--build-arg", f"MODE={mode}", "-t", names[mode],
                        str(folder)], check=True, timeout=120, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DOCKER_BUILDKIT": "0"})
        docker("push", "-q", names[mode])
        docker("rmi", names[mode])
    yield names
    for identity in set(docker("images", "-q", "--no-trunc", REPOSITORY).splitlines()):
        docker("rmi", "-f", identity)  # all of its names


class World:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.project = f"rt{random.randrange(10**9)}"
        self.subnet = f"172.29.{random.randrange(256)}"
        self.compose_file = folder / "compose.yaml"
        self.compose_file.write_text(COMPOSE.replace("SUBNET", self.subnet))
        self.env_file = folder / "images.env"
        self.compose = {"project": self.project, "file": str(self.compose_file),
                        "env_file": str(self.env_file), "port": 8000, "pull_tries": 2}
        self.environment = {"PATH": os.environ["PATH"], "BGCTL_RUN_DIR": str(folder / "run")}

    def config(self) -> str:
        path = self.folder / "bgctl.json"
        path.write_text(json.dumps({"apps": {"app": {"runtime": "compose", "compose": self.compose,
                                                     "healthy_within": "30s"}}}))
        return str(path)

    def command(self, *arguments: str) -> list[str]:
        return [str(PROBE), self.config(), "app", *arguments]

    def call(self, *arguments: str) -> dict:
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              timeout=120, env=self.environment)
        assert done.stderr == "", done.stderr
        return json.loads(done.stdout)

    def ok(self, *arguments: str) -> dict:
        answer = self.call(*arguments)
        assert answer["ok"], answer
        return answer

    def deployed(self, color: str, image: str) -> str:
        pinned = self.ok("pull", image)["pinned"]
        self.ok("start", color, pinned)
        self.ok("wait", color)
        return pinned

    def containers(self) -> list[str]:
        return docker("ps", "-aq", "--filter",
                      f"label=com.docker.compose.project={self.project}").splitlines()

    def remove(self) -> None:
        for container in self.containers():
            docker("rm", "-fv", container, check=False)
        docker("network", "rm", f"{self.project}_front", check=False)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.remove()


def test_image_that_is_here_by_its_digest_asks_no_registry(world, images):
    pinned = world.ok("pull", images["v1"])["pinned"]
    again = world.ok("pull", pinned)
    assert (again["pinned"], again["progress"]) == (pinned, ["this host has it already"])


def test_color_is_pulled_started_healthy_and_removed_without_its_dependencies(world, images):
    world.ok("preflight", "green")
    assert not world.env_file.exists()  # a check changes nothing
    pinned = world.deployed("green", images["v1"])
    assert pinned.startswith(f"{REPOSITORY}@sha256:")
    seen = world.ok("observe", "green")["instances"]
    assert [one["health"] for one in seen] == ["healthy"]
    assert seen[0]["image"] == pinned
    found = world.ok("endpoints", "green")["endpoints"]
    assert found == [{"address": f"{world.subnet}.12:8000", "identity": seen[0]["identity"]}]
    assert "release v1" in world.ok("log", "green")["log"]
    assert world.env_file.read_text() == f"APP_GREEN_IMAGE={pinned}\nAPP_BLUE_IMAGE={pinned}\n"
    assert len(world.containers()) == 1  # no database, no blue
    world.ok("remove", "green")
    world.ok("remove", "green")
    assert world.containers() == []
    assert sorted(path.name for path in world.folder.iterdir()) == [
        "bgctl.json", "compose.yaml", "run"]


def test_stopped_color_stays_stopped_and_is_known_as_not_running(world, images):
    world.deployed("blue", images["v1"])
    world.ok("stop", "blue")
    world.ok("stop", "blue")
    assert world.ok("observe", "blue")["instances"] == []
    assert world.ok("endpoints", "blue")["endpoints"] == []
    # By its own SIGTERM handler, within the grace.
    assert docker("inspect", "-f", "{{.State.ExitCode}}", *world.containers()) == "0"


def test_second_start_has_the_same_address_and_another_identity(world, images):
    world.deployed("blue", images["v1"])
    first = world.ok("endpoints", "blue")["endpoints"][0]
    world.deployed("blue", images["v2"])
    second = world.ok("endpoints", "blue")["endpoints"][0]
    assert first["address"] == second["address"]
    assert first["identity"] != second["identity"]


def test_container_that_exits_fails_at_once_with_its_code_and_log(world, images):
    pinned = world.ok("pull", images["dies"])["pinned"]
    world.ok("start", "green", pinned)
    begun = time.monotonic()
    answer = world.call("wait", "green")
    assert time.monotonic() - begun < 15
    assert answer["code"] == 50
    assert "exited with 3" in answer["what"]
    assert "cannot find the database" in answer["tail"]


def test_unhealthy_container_fails_with_what_its_check_said(world, images):
    pinned = world.ok("pull", images["sick"])["pinned"]
    world.ok("start", "green", pinned)
    answer = world.call("wait", "green")
    assert answer["code"] == 50
    assert "is unhealthy; the last check said: health says 503" in answer["what"]


def test_removal_restores_the_images_file_to_the_byte(world, images):
    before = "# ours\nHTTP_PORT=80\nAPP_BLUE_IMAGE=kept/blue:1\nAPP_GREEN_IMAGE=old/green:1 # last\n"
    world.env_file.write_text(before.replace(" # last", ""))
    pinned = world.ok("pull", images["v1"])["pinned"]
    world.ok("start", "green", pinned)
    assert f"APP_GREEN_IMAGE={pinned}\n" in world.env_file.read_text()
    assert "APP_BLUE_IMAGE=kept/blue:1\n" in world.env_file.read_text()
    world.ok("start", "green", world.ok("pull", images["v2"])["pinned"])  # begun anew after a crash
    world.ok("remove", "green")
    assert world.env_file.read_text() == before.replace(" # last", "")


def test_start_killed_in_its_compose_command_is_undone_by_the_next_call(world, images):
    pinned = world.ok("pull", images["v1"])["pinned"]
    started = subprocess.Popen(world.command("start", "green", pinned), env=world.environment,
                               stdout=subprocess.DEVNULL)
    undo = pathlib.Path(f"{world.env_file}.APP_BLUE_IMAGE.undo")
    lock = world.folder / "run" / f"compose-{world.project}.lock"
    deadline = time.monotonic() + 20
    while not running_compose(lock, started.pid):
        assert time.monotonic() < deadline and started.poll() is None
        time.sleep(0.005)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert undo.exists()
    world.ok("remove", "green")  # waits for the command that was left at work
    assert world.containers() == []
    assert not world.env_file.exists() and not undo.exists()
    time.sleep(1)  # nothing to wait for: what must not happen is that a container appears
    assert world.containers() == []


def running_compose(lock: pathlib.Path, parent: int) -> bool:
    """Whether `docker`, as a child of `parent`, holds the project's lock file open."""
    for pid in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        try:
            # By its name: between fork and exec the child has our descriptors anyway.
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            if name == "docker" and os.readlink(f"/proc/{pid}/fd/3") == str(lock):
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize("image, text", [
    ("{repository}:none", "the registry has no such image"),
    ("localhost:1/app:v1", "the registry does not answer"),
    ("Not An Image", "is no image reference"),
])
def test_image_that_cannot_be_had_says_why(world, images, image, text):
    answer = world.call("pull", image.format(repository=REPOSITORY))
    assert answer["code"] == 30
    assert text in answer["what"]


def test_engine_that_does_not_run_is_named_with_its_address(world):
    world.environment["DOCKER_HOST"] = f"unix://{world.folder}/none.sock"
    answer = world.call("preflight", "green")
    assert answer["code"] == 20
    assert answer["what"] == (
        f"Docker Engine does not run: nobody listens on its socket {world.folder}/none.sock")


@pytest.mark.parametrize("old, new, text", [
    ("restart: unless-stopped", "restart: always",
     "service app_blue: restart is 'always', expected 'unless-stopped'"),
    ("restart: unless-stopped", "labels: {}",
     "service app_blue: restart is 'no', expected 'unless-stopped'"),
    ("{ipv4_address: \"SUBNET.12\"}", "{}", "service app_green: there is no ipv4_address"),
    ("retries: 2", "disable: true", "service app_blue: there is no healthcheck"),
    ("image: ${APP_GREEN_IMAGE:?}", "image: ${APP_BLUE_IMAGE:?}",
     "service app_green: image is the other color's variable, expected ${APP_GREEN_IMAGE:?}"),
    ("image: ${APP_GREEN_IMAGE:?}", "image: app:v1", "service app_green: image is 'app:v1'"),
    ("  app_green:", "  other:", "there is no service app_green"),
    ("services:", "services: [", "docker compose config exited with"),
])
def test_compose_file_that_cannot_be_relied_on_is_refused(world, old, new, text):
    broken = COMPOSE.replace(old, new, 1).replace("SUBNET", world.subnet)
    world.compose_file.write_text(broken)
    answer = world.call("preflight", "green")
    assert answer["code"] == 20
    assert text in answer["what"]
    assert str(world.compose_file) in answer["what"]


def test_disk_below_its_floor_is_refused_with_both_figures(world):
    world.compose["min_free_mb"] = 999_000_000
    answer = world.call("preflight", "green")
    assert answer["code"] == 20
    assert "MB free, expected 999000000 MB or more" in answer["what"]


def test_images_folder_that_is_not_there_is_refused(world):
    world.compose["env_file"] = f"{world.folder}/none/images.env"
    answer = world.call("preflight", "green")
    assert answer["code"] == 20
    assert f"compose.env_file {world.folder}/none/images.env" in answer["what"]


def names_here() -> set[str]:
    rows = docker("images", "-a", "--digests", "--format",
                  "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}").splitlines()
    return {name for row in rows for name in row.split()}


def test_prune_removes_only_what_deploys_brought_and_nobody_keeps(world, images):
    old = world.ok("pull", images["sick"])["pinned"]
    kept = world.ok("pull", images["dies"])["pinned"]
    other = world.ok("pull", images["v2"])["pinned"]
    pinned = world.deployed("green", images["v1"])
    foreign = [f"{REPOSITORY}:by-hand", "somebody/else:1"]  # of the repository, and of no one's
    docker("tag", BASE, foreign[0])
    docker("tag", other, foreign[1])
    ours = [old, images["sick"], kept, other, images["v2"], pinned, images["v1"]]
    container = docker("create", "--name", f"{world.project}-by-hand", kept, "true")
    try:
        world.ok("prune", "of", *ours)  # a container of somebody's is made of `kept`
        assert kept in names_here()
        world.ok("prune", kept, "of", *ours)
        left = names_here()
    finally:
        docker("rm", "-f", container)
        docker("rmi", *foreign)
    assert {pinned, kept, other, images["v2"], *foreign} <= left
    assert not {old, images["sick"]} & left
    assert docker("images", "-q", BASE) != ""
    assert not pathlib.Path(f"{world.env_file}.APP_BLUE_IMAGE.undo").exists()
    world.ok("remove", "green")
    assert f"APP_GREEN_IMAGE={pinned}" in world.env_file.read_text()  # it is final
