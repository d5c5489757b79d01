"""A plain upstream and a bluegreen one in the same NGINX, with the same backend behind both.

The two server blocks differ in nothing but the name of their upstream, which is of one length (it is the
Host header that is sent), so what differs in cost is the balancer. Nothing is logged unless the caller says
how, and no connection ends by a count of requests.
"""

import contextlib
import pathlib
from collections.abc import Iterator

from harness import Nginx, Region, free_port, work_folder

BACKEND = """
    access_log off;
    keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:{port} reuseport;
        add_header X-Color blue always;
        location / {{ return 200 "blue v1\\n"; }}
    }}
"""

FRONT = """
    {log}
    keepalive_requests 1000000000;
    bluegreen_control {control};
    bluegreen_telemetry {telemetry};
    upstream raw {{
        server 127.0.0.1:{backend};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    upstream app {{
        bluegreen app;
        bluegreen_server blue 127.0.0.1:{backend};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{plain} reuseport;
        location / {{ proxy_pass http://raw; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
    server {{
        listen 127.0.0.1:{bluegreen} reuseport;
        location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
"""


class Pair:
    """A backend that runs, a control region with blue published, and the front's http block."""

    def __init__(self, folder: pathlib.Path, backend: int, log: str) -> None:
        self.folder = folder
        self.region = Region(folder)
        self.region.init()
        self.region.publish("blue", "v1", [f"127.0.0.1:{backend}"])
        self.plain, self.bluegreen = free_port(), free_port()
        self.http = FRONT.format(control=self.region.control, telemetry=self.region.telemetry, backend=backend,
                                 plain=self.plain, bluegreen=self.bluegreen, log=log)


@contextlib.contextmanager
def pair(backend_workers: int = 1, log: str = "access_log off;") -> Iterator[Pair]:
    port = free_port()
    with work_folder() as folder:
        backend = Nginx(folder, BACKEND.format(port=port), name="backend", module=None, level="error",
                        workers=backend_workers)
        with backend:
            yield Pair(folder, port, log)
