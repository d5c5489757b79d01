"""A column is renamed over three releases, as docs/migrations.md tells it, with the real database."""

import json
import urllib.request

import pytest

SERVICES = {"migrate": {"service": "migrate", "timeout": "60s"}, "contract": {"service": "contract"}}
SCHEMAS = ("2", "3")


def sql(host, statement):
    return host.compose("exec", "-T", "mysql", "mariadb", "-uroot", "-pchange-me", "app", "-N", "-e", statement).stdout


def site(host, path, body=None):
    request = urllib.request.Request(f"http://{host.nginx_address}{path}", data=body)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def one_offs(host):
    return host.engine.lines("ps", "-aq", "--filter", "name=bgctl-app-")


@pytest.fixture
def releases(host):
    """Images of the releases, and the schema of the first one before and after."""
    for schema in SCHEMAS:
        host.engine.build(host.image(f"s{schema}"), host.app_folder, "--build-arg", f"BASE_IMAGE={host.python_base}",
                          "--build-arg", f"VERSION=s{schema}", "--build-arg", f"SCHEMA={schema}")
        host.engine.docker("push", host.image(f"s{schema}"), timeout=300)
    sql(host, "DROP TABLE IF EXISTS visits, migrations")
    host.deploy("v1")
    yield
    sql(host, "DROP TABLE IF EXISTS visits, migrations")
    host.deploy("v2")  # a process that makes the table anew
    host.deploy("v1")


def test_a_column_is_renamed_with_no_request_lost_and_no_way_back_past_the_contract(host, loading, releases):
    config = host.write_config("migrations.json", **SERVICES)
    site(host, "/visits", b"from v1")
    with loading() as seen:
        expand = host.bgctl("deploy", host.image("s2"), "--id", "expand", config=config, check=True)
        site(host, "/visits", b"from s2")
        host.bgctl("deploy", host.image("s3"), "--id", "backfill", config=config, check=True)
        site(host, "/visits", b"from s3")
        assert site(host, "/visits")["notes"] == {"from v1": 1, "from s2": 1, "from s3": 1}
        contract = host.bgctl("contract", "--id", "drop", config=config, check=True)
        assert site(host, "/visits")["notes"] == {"from v1": 1, "from s2": 1, "from s3": 1}
        refused = host.bgctl("rollback", config=config)
    print(f"requests {seen.result['requests']}, failed {seen.result['failed']}; {expand.stdout.splitlines()[0]}; "
          f"{contract.stdout.splitlines()[0]}")
    assert seen.result["failed"] == 0
    assert "2-add-message.sql: done" in (host.trace / "app/expand/log").read_text()
    assert "3-backfill-message.sql: done, 1 rows changed" in (host.trace / "app/backfill/log").read_text()
    assert "3-drop-note.contract.sql: done" in (host.trace / "app/drop/log").read_text()
    assert "note" not in sql(host, "SHOW COLUMNS FROM visits").split()
    assert refused.returncode == 20 and "is refused: the contract of" in refused.stdout, refused.stdout
    assert host.status()["release"].endswith("s3")
    assert one_offs(host) == []


def test_a_migration_that_fails_or_hangs_leaves_no_container_and_the_old_color(host, untouched):
    override = host.compose_folder / "compose.yaml"
    text = override.read_text()
    for command, timeout, reason in (('["sh", "-c", "echo no such table; exit 3"]', "60s", "exited with 3"),
                                     ('["sleep", "1000"]', "2s", "did not end within")):
        override.write_text(text.replace('["python3", "migrate.py", "up"]', command))
        try:
            config = host.write_config("migrations.json", migrate={"service": "migrate", "timeout": timeout})
            with untouched():
                ended = host.bgctl("deploy", host.image("v3"), config=config)
        finally:
            override.write_text(text)
        assert ended.returncode == 40 and reason in ended.stdout, ended.stdout + ended.stderr
        assert one_offs(host) == []
