"""Tests of the sample application: it runs as a process of its own, on SQLite.

    /usr/bin/python3 -m pytest compose/app/app_test.py
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


class App:
    def __init__(self, folder, version="v1", database=None, schema=1):
        url = database or f"sqlite:///{folder}/app.db"
        self.log = open(folder / "app.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-B", HERE / "app.py", "--port", "0", "--color", "green",
             "--version", version, "--database", url, "--schema", str(schema)],
            stdout=self.log, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        first = self.process.stderr.readline()
        self.port = int(first.rsplit(" ", 1)[1]) if " listens on " in first else None
        self.first_line = first

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)

    def get(self, path, method="GET", body=None):
        connection = self.connect()
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def log_lines(self):
        self.log.seek(0)
        return [json.loads(line) for line in self.log]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.log.close()


@pytest.fixture
def start(tmp_path):
    apps = []

    def run(**options):
        apps.append(App(tmp_path, **options))
        return apps[-1]

    yield run
    for app in apps:
        app.close()


def test_answers_name_color_and_version(start):
    answer, body = start().get("/version")
    assert answer.status == 200
    assert (answer.headers["X-Color"], answer.headers["X-Release"]) == ("green", "v1")
    assert json.loads(body) == {"color": "green", "version": "v1"}


def test_visits_are_counted_in_the_database(start):
    app = start()
    assert app.get("/visits", "POST", b"hello")[0].status == 201
    assert json.loads(app.get("/")[1])["visits"] == 1


def migrate(folder, phase, schema):
    return subprocess.run(
        [sys.executable, "-B", HERE / "migrate.py", phase], capture_output=True, text=True, timeout=20, check=False,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{folder}/app.db", "APP_SCHEMA": str(schema)})


def test_a_column_is_renamed_over_three_releases_that_serve_side_by_side(start, tmp_path):
    def leaves(app, note):
        assert app.get("/visits", "POST", note)[0].status == 201

    def notes(app):
        return json.loads(app.get("/visits")[1])["notes"]

    first = start()
    leaves(first, b"1")
    for _ in range(2):  # repeatable
        assert migrate(tmp_path, "up", 2).returncode == 0
    leaves(first, b"1")  # serves on after the expand part of the next
    second = start(schema=2)
    leaves(second, b"2")
    assert notes(second) == notes(first) == {"1": 2, "2": 1}
    assert "3-backfill-message.sql: done, 2 rows changed" in migrate(tmp_path, "up", 3).stdout
    leaves(second, b"2")
    third = start(schema=3)
    leaves(third, b"3")
    assert notes(third) == notes(second) == {"1": 2, "2": 2, "3": 1}
    for _ in range(2):
        assert migrate(tmp_path, "contract", 3).returncode == 0
    leaves(third, b"3")
    assert notes(third) == {"1": 2, "2": 2, "3": 2}
    assert second.get("/visits", "POST", b"2")[0].status == 503  # why no rollback goes past the contract


def test_a_failed_migration_says_why_in_one_line(tmp_path):
    ended = migrate(tmp_path / "nowhere", "up", 2)
    assert ended.returncode == 1
    assert ended.stderr.startswith("migrate up: OperationalError: unable to open")


def test_echo_returns_the_body_on_one_kept_connection(start):
    connection = start().connect()
    for body in (b"one", b"x" * 100_000, b""):
        connection.request("POST", "/", body=body)
        answer = connection.getresponse()
        assert answer.read() == body
        assert answer.headers.get("Connection") is None


def test_every_request_is_logged_before_its_answer(start):
    app = start()
    app.get("/version")
    app.get("/nowhere")
    assert [(line["path"], line["color"]) for line in app.log_lines()] == [
        ("/version", "green"), ("/nowhere", "green")]


def test_healthy_only_while_the_database_answers(start, tmp_path):
    assert start().get("/health")[0].status == 200
    answer, body = start(database=f"sqlite:///{tmp_path}/no/such/folder/x.db").get("/health")
    assert answer.status == 503
    assert b"database" in body


def test_a_broken_version_serves_but_is_never_healthy(start):
    app = start(version="broken-1")
    assert app.get("/health")[0].status == 503
    assert app.get("/version")[0].status == 200


@pytest.mark.parametrize("url", ["postgres://x/y", "sqlite://", "mysql://host"])
def test_a_wrong_database_url_is_refused_with_what_was_expected(start, url):
    app = start(database=url)
    assert app.process.wait(timeout=5) == 1
    assert "expected mysql://" in app.first_line


def test_a_body_without_its_length_is_refused(start):
    app = start()
    with socket.create_connection(("127.0.0.1", app.port), timeout=5) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_sigterm_closes_idle_connections_and_exits_0(start):
    app = start()
    idle = app.connect()
    idle.request("GET", "/version")
    idle.getresponse().read()
    app.process.send_signal(signal.SIGTERM)
    assert app.process.wait(timeout=5) == 0
    assert idle.sock.recv(1) == b""


def test_sigterm_serves_the_request_that_has_arrived_on_a_kept_connection(start):
    app = start()
    request = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
    client = socket.create_connection(("127.0.0.1", app.port), timeout=5)
    client.sendall(request)
    assert client.recv(4096).startswith(b"HTTP/1.1 200")
    app.process.send_signal(signal.SIGSTOP)  # the request is in the socket before SIGTERM is seen
    client.sendall(request)
    app.process.send_signal(signal.SIGTERM)
    app.process.send_signal(signal.SIGCONT)
    answer = b"".join(iter(lambda: client.recv(4096), b""))
    client.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert app.process.wait(timeout=5) == 0
