"""The status page out of a real NGINX, in a real browser: its policy lets it run, it follows a flip,
and shows what NGINX's own probes find out.

page_test.mjs tests the page itself on documents made up; this is the whole way from the module."""

import os
import subprocess
from pathlib import Path

import pytest
from harness import Nginx, NginxBackend, Region, free_port, work_folder

HERE = Path(__file__).parent
SKIPPED = 77


def test_page_of_a_real_nginx_follows_a_flip_and_shows_a_dead_endpoint() -> None:
    build = Path(os.environ["BLUEGREEN_BIN"]).parent
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        with Nginx(folder, region.http(free_port(), upstream="bluegreen_probe;")) as nginx:
            nginx.get("/")
            browser = subprocess.Popen(
                [HERE / "run.sh", build / "ngx_module/page/status_page.hpp", build / "tests/page/modules", "nginx_page.mjs"],
                env=os.environ | {"BLUEGREEN_STATUS_ADDRESS": f"http://127.0.0.1:{nginx.port}/bluegreen/status", "BLUEGREEN_BLUE_ADDRESS": blue.address},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                said = browser.stdout.readline()
                if said:
                    region.switch("green")
                    said += browser.stdout.readline()
                if "green" in said:
                    blue.nginx.stop(graceful=False)
                rest, errors = browser.communicate(timeout=60)
            finally:
                browser.kill()
            if browser.returncode == SKIPPED:
                pytest.skip(errors.strip())
            assert (browser.returncode, said + rest) == (0, "blue is shown\ngreen is shown\na dead endpoint is shown\n"), errors
