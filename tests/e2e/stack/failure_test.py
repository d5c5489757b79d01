"""A deploy that cannot work: a clear error, its exit code, and the old color serves throughout."""

import json
import subprocess

import pytest

from shell import await_condition
from host import BIG


def explain(done):
    print(f"exit {done.returncode}: {done.stdout.strip().splitlines()[:1]} {done.stderr.strip()[-600:]}")
    return done.stdout + done.stderr


def test_an_image_name_that_the_registry_does_not_know_is_30(host, untouched):
    with untouched():
        done = host.bgctl("deploy", host.image("no-such-version"))
    assert done.returncode == 30, explain(done)
    assert "no-such-version" in explain(done)
    assert not host.running(f"app_{host.idle()}")


@pytest.mark.parametrize(("version", "patience", "reasons"), [
    ("broken-1", "5s", ["broken on purpose"]),
    ("inside-1", "15s", ["NGINX's probes did not find", "refused"]),
], ids=["never healthy", "healthy for itself, not for NGINX"])
def test_an_image_that_never_gets_healthy_is_50_and_is_removed(host, untouched, version, patience, reasons):
    impatient = host.write_config("impatient.json", healthy_within=patience)
    with untouched():
        done = host.bgctl("deploy", host.image(version), config=impatient)
    said = explain(done)
    assert done.returncode == 50, said
    for reason in reasons:
        assert reason in said
    assert host.container(f"app_{host.idle()}") == ""


def test_an_image_that_crashes_at_start_is_50_long_before_the_time_is_up(host, untouched):
    with untouched():
        done = host.bgctl("deploy", host.image("crash-1"), timeout=20)
    assert done.returncode == 50, explain(done)
    assert "told to crash" in explain(done)
    assert host.container(f"app_{host.idle()}") == ""


def test_a_registry_that_is_down_is_30(host, untouched):
    host.engine.docker("image", "rm", "--force", host.image(BIG), check=False)
    host.engine.stop_registry()
    try:
        impatient = host.write_config("impatient.json", compose={"pull_tries": 2})
        with untouched():
            done = host.bgctl("deploy", host.image(BIG), config=impatient)
    finally:
        host.engine.start_registry()
    assert done.returncode == 30, explain(done)
    assert str(host.engine.port) in explain(done)


def test_a_disk_that_is_nearly_full_before_the_pull_is_20(host, untouched):
    with untouched(), host.engine.full_disk():
        done = host.bgctl("deploy", host.image(BIG))
    assert done.returncode == 20, explain(done)
    assert str(host.engine.data) in explain(done)


def test_a_disk_that_gets_full_during_the_pull_is_30(host, untouched):
    daring = host.write_config("daring.json", compose={"min_free_mb": 1})
    host.engine.docker("image", "rm", "--force", host.image(BIG), check=False)
    with untouched(), host.engine.full_disk():
        done = host.bgctl("deploy", host.image(BIG), config=daring)
    assert done.returncode == 30, explain(done)
    assert "no space left" in explain(done)


def test_a_full_disk_under_the_trace_folder_is_20(host, untouched, tmp_path, tiny_disk):
    config = host.write_config("full.json", top={"trace_dir": str(tiny_disk)})
    with untouched():
        done = host.bgctl("deploy", host.image("v1"), config=config)
    assert done.returncode == 20, explain(done)
    assert str(tiny_disk) in explain(done)


def test_a_second_deploy_meanwhile_is_10_and_names_the_first(host, untouched):
    impatient = host.write_config("impatient.json", healthy_within="8s")
    with untouched():
        first = subprocess.Popen(
            host.bgctl_words("deploy", host.image("broken-1"), config=impatient),
            env=host.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            await_condition("the first deploy has started its container",
                            lambda: host.running(f"app_{host.idle()}"), 20)
            done = host.bgctl("deploy", host.image("v1"))
        finally:
            first.communicate(timeout=60)
    assert done.returncode == 10, explain(done)
    assert "deploy" in explain(done)
    assert first.returncode == 50


@pytest.mark.parametrize("document, expected", [
    ("{", "bgctl"),
    (json.dumps({"apps": {"app": {"runtime": "compose", "compose": {"port": "eight"}}}}), "port"),
    (json.dumps({"appz": {}}), "appz")])
def test_a_broken_configuration_is_2_and_names_the_file_and_the_word(host, untouched, tmp_path, document, expected):
    path = tmp_path / "broken.json"
    path.write_text(document)
    with untouched():
        done = host.bgctl("deploy", host.image("v1"), config=path)
    assert done.returncode == 2, explain(done)
    assert str(path) in explain(done) and expected in explain(done)


@pytest.mark.parametrize("content", [b"", b"something else\n" * 1000], ids=["empty", "foreign"])
def test_a_wrong_region_file_is_2_and_is_named(host, untouched, tmp_path, content):
    wrong = tmp_path / "control"
    wrong.write_bytes(content)
    config = host.write_config("wrong.json", top={"control": str(wrong)})
    with untouched():
        done = host.bgctl("deploy", host.image("v1"), config=config)
    assert done.returncode == 2, explain(done)
    assert str(wrong) in explain(done)
    assert wrong.read_bytes() == content
