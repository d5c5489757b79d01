"""The configurations that the repository ships are accepted by a real NGINX with the module under
test, and have the locations and the log that the monitoring kit goes by."""

import os
import pathlib
import re
import shutil
import subprocess

from harness import MODULE, Nginx, free_port, work_folder

SHIPPED = pathlib.Path(__file__).resolve().parents[2] / "nginx"


def accept(folder: pathlib.Path, text: str) -> None:
    """`nginx -t` of it, with paths and ports that exist here instead of the image's."""
    for place in ("temp", "control", "telemetry"):
        (folder / place).mkdir(exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(text)
    nginx = Nginx(folder, "")  # never started: for its environment, which a sanitized module needs
    done = subprocess.run([nginx.binary, "-t", "-c", config, "-p", folder], capture_output=True, text=True,
                          check=False, timeout=60, env=nginx.env)
    assert done.returncode == 0, done.stderr


def changed(text: str, changes: dict[str, str]) -> str:
    for pattern, value in changes.items():
        text, count = re.subn(pattern, value, text)
        assert count, f"nothing in the configuration is {pattern}"
    return text


def test_the_images_configuration_is_accepted_and_serves_what_the_kit_asks_for() -> None:
    text = (SHIPPED / "nginx.conf").read_text()
    assert "location = /metrics { bluegreen_status prometheus; }" in text and "bluegreen_status; }" in text
    assert re.search(r"^    access_log \S+ bluegreen_json ", text, re.MULTILINE)
    with work_folder() as folder:
        shutil.copy(SHIPPED / "bluegreen_log.conf", folder)
        shutil.copy("/etc/nginx/mime.types", folder)
        (folder / "bluegreen_servers.conf").write_text(
            "bluegreen_server blue 127.0.0.1:1;\nbluegreen_server green 127.0.0.1:2;\n")
        accept(folder, changed(text, {
            r"load_module \S+;": f"load_module {MODULE};", r"user nginx;": "user daemon;" if os.geteuid() == 0 else "",
            r"/run/nginx\.pid": f"{folder}/nginx.pid", r"/var/lib/bluegreen": f"{folder}/control",
            r"/run/bluegreen": f"{folder}/telemetry", r"listen 80 ": f"listen 127.0.0.1:{free_port()} ",
            r"listen 8081;": f"listen 127.0.0.1:{free_port()};"}))


def test_the_quick_starts_configuration_is_accepted() -> None:
    text = (SHIPPED / "quickstart.conf.in").read_text()
    assert "location = /metrics { bluegreen_status prometheus; }" in text
    with work_folder() as folder:
        accept(folder, changed(text, {"@MODULE@": str(MODULE), "@USER@": "", "@STATE@": str(folder),
                                      "@(BLUE_|GREEN_|STATUS_|)PORT@": "0"}).replace(":0", f":{free_port()}"))
