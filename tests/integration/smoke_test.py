"""Smoke checks of a real deploy: through NGINX's preview route to the idle color, and the secret stays where it is."""

import json
import pathlib

from deploy_process_test import APP, Host
from harness import Connection, Nginx, free_port, work_folder

SECRET = "smoke-secret-0123456789-0123456789-ABCDEF"
OTHER = "other-secret-0123456789-0123456789-ABCDEF"
# What of /check is wrong is in the image's name; everything else of it is well.
SMOKE_APP = APP.replace("import http.server", "import time, http.server").replace(
    'sick = image == "sick" and self.path == "/health"',
    'is_check = self.path.startswith("/check")\n'
    '        sick = is_check and "status" in image\n'
    '        time.sleep(0.6 if is_check and "slow" in image else 0)').replace(
    'body = f"{color} {image}\\n".encode()',
    'body = b"nothing\\x07 here" if is_check and "body" in image else f"{color} {image}\\n".encode()')
CHECK = {"path": "/check?deep=1", "status": "200-204", "header": {"X-Release": "fine"}, "body": "fine", "within": "400ms"}


class SmokeHost(Host):
    def __init__(self, folder: pathlib.Path, port: int) -> None:
        self.port = port
        self.secret = folder / "preview.secret"
        self.secret.write_text(SECRET + "\n")
        self.smoke = {"url": f"http://127.0.0.1:{port}", "secret_file": str(self.secret),
                      "checks": [{"path": "/"}, CHECK]}
        super().__init__(folder, smoke=self.smoke)
        (folder / "app.py").write_text(SMOKE_APP)

    def smoke_with(self, **changes: object) -> None:
        self.configure(smoke=self.smoke | changes)

    def everything_written(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in self.folder.rglob("*")
                         if path.is_file() and path != self.secret and path.suffix != ".py" and path.stat().st_size < 1 << 22)


def test_smoke_checks_open_the_flip_or_leave_the_old_color_serving_and_never_tell_the_secret(figures) -> None:
    with work_folder() as folder:
        port, liar = free_port(), free_port()
        host = SmokeHost(folder, port)
        http = host.region.http(
            port, upstream=f"bluegreen_preview $http_x_bluegreen_preview {host.secret}; keepalive 16;",
            top=f"server {{ listen 127.0.0.1:{liar}; location / {{ add_header X-Bluegreen-Color green; return 200 fine; }} }}")
        try:
            with Nginx(folder, http, level="notice") as nginx:
                told = judge(host, liar, figures)
                told += host.everything_written() + nginx.error_log
                assert "fine-1" in told
        finally:
            host.end()
        assert SECRET not in told and SECRET[:20] not in told and OTHER not in told


def judge(host: SmokeHost, liar: int, figures) -> str:
    good = host.done("deploy", "fine-1", "--id", "good")
    assert host.serving() == ("green", "fine-1")
    with Connection(host.port) as users:  # who bring no secret
        users.ask("/")
        answer = users.answer()
        assert answer.headers["X-Release"] == "fine-1" and "X-Bluegreen-Color" not in answer.headers
    steps = {step["name"]: step["ms"] for step in json.loads((host.traces / "app/good/verdict.json").read_text())["steps"]}
    figures(smoke_ms=steps["smoke"])
    texts = [good.stdout + good.stderr]

    def refused(image: str, *wanted: str) -> None:
        ended = host.run("deploy", image)
        assert ended.returncode == 60, (image, ended)
        for text in (*wanted, "green serves fine-1"):
            assert text in ended.stdout, (image, ended.stdout)
        assert host.serving() == ("green", "fine-1") and not host.listening("blue")
        texts.append(ended.stdout + ended.stderr)

    refused("fine-status", 'GET /check?deep=1: expected status 200 to 204, found 503, body "blue fine-status')
    refused("bad", 'GET /check?deep=1: expected header X-Release with "fine", found "bad"')
    refused("fine-body", 'GET /check?deep=1: expected a body with "fine", found "nothing', "here")
    refused("fine-slow", "GET /check?deep=1: expected the answer within 400 ms, found none in that time")
    host.smoke_with(url=f"http://127.0.0.1:{liar}")
    refused("fine-2", 'GET /: expected X-Bluegreen-Color: blue, found "green"')
    host.smoke_with(url="http://127.0.0.1:1")
    refused("fine-2", "GET /: no answer from http://127.0.0.1:1")
    (host.folder / "other.secret").write_text(OTHER)
    host.smoke_with(secret_file=str(host.folder / "other.secret"))
    refused("fine-2", "expected X-Bluegreen-Color: blue, found none (status 200)")
    (host.folder / "other.secret").unlink()
    texts.append(missing_secret_is_told_before_anything_moves(host))
    return "\n".join(texts)


def missing_secret_is_told_before_anything_moves(host: SmokeHost) -> str:
    gone = host.folder / "short.secret"
    told = ""
    for text, wanted in ((None, "there is no such file"), (SECRET[:31], "of 32 to 512 bytes in its first line, found 31")):
        if text is not None:
            gone.write_text(text)
        host.smoke_with(secret_file=str(gone))
        check, doctor, ended = host.run("config", "check"), host.run("doctor"), host.run("deploy", "fine-2")
        assert (check.returncode, doctor.returncode, ended.returncode) == (0, 20, 20)
        for run in (check, doctor, ended):
            assert f"{gone}: " in run.stdout and wanted in run.stdout, run
            told += run.stdout + run.stderr
        assert "apps.app.smoke" in check.stdout and not host.listening("blue")
    gone.unlink()
    return told
