"""What tests that need processes share. Put tests/ on PYTHONPATH (bluegreen_pytest does).

    from harness import Nginx, NginxBackend, AsyncBackend, Region, bgctl, free_port, until, work_folder

    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder, "app")                 # paths of control and telemetry; no file yet
        region.init()                                  # by bgctl
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(port, blue, green), workers=4) as nginx:
            region.switch("green")
            nginx.get("/").headers["X-Color"]
            nginx.status()["apps"]["app"]["active"]

Leaving an Nginx block stops it by its pid and fails the test (LeftBehind) if its log has an [alert],
an [emerg] or a sanitizer's line, or if a worker is still there. BLUEGREEN_BIN names the folder of
the programs and of the module under test. Everything listens on 127.0.0.1.
"""

from .backend import AsyncBackend, NginxBackend
from .client import Answer, Connection, WebSocket, request
from .counts import often, times
from .ensemble import Ensemble
from .load import Load
from .nginx import LeftBehind, Nginx
from .paths import BIN, MODULE, free_port, nginx_version, no_keepalive, program, work_folder
from .region import Region, bgctl
from .telemetry import Watch, read_sums
from .upstream_process import UpstreamProcess
from .wait import until

__all__ = [
    "AsyncBackend", "NginxBackend", "Answer", "Connection", "WebSocket", "request", "often", "times", "LeftBehind", "Nginx",
    "BIN", "MODULE", "free_port", "nginx_version", "no_keepalive", "program", "work_folder", "Region", "bgctl", "until",
    "Ensemble", "UpstreamProcess", "Load", "Watch", "read_sums",
]
