"""A control region for a test: made and changed by bgctl, or by route_tool for what bgctl has no verb for.

route_tool (route_tool.cpp) stores through the headers of shm/, so tests of the module alone need no
controller; `damage` spoils the file in place, as a broken disk or a stray program would.
"""

import pathlib
import re
import subprocess

from .paths import program

APP_SIZE, APP_BASE, WORD_AT, TABLES_AT, TABLE_SIZE = 24576, 4096, 128, 4096, 5120


def bgctl(*arguments: object, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    run = subprocess.run([program("bgctl"), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                         stdin=subprocess.DEVNULL, check=False)
    assert not check or run.returncode == 0, (run.args, run.returncode, run.stdout, run.stderr)
    return run


class Region:
    def __init__(self, folder: pathlib.Path, app: str = "app", name: str = "control") -> None:
        self.app = app
        self.control = folder / name
        self.telemetry = folder / "run" / "telemetry"
        self.telemetry.parent.mkdir(exist_ok=True)

    # --- changes
    def init(self, app: str | None = None) -> None:
        self._tool("init", app or self.app)

    def publish(self, color: str, release: str, addresses: list[str]) -> None:
        """A release and its endpoints, "ADDRESS" or "ADDRESS@WEIGHT" or "ADDRESS#IDENTITY"; may be none."""
        self._tool("publish", self.app, color, release, *addresses)

    def switch(self, color: str) -> None:
        self._tool("switch", self.app, color)

    def close(self, color: str) -> None:
        """Closes the idle color: the first half of a drain."""
        self._tool("close", self.app, color)

    def weight(self, basis_points: int) -> None:
        """Of the color that is not active."""
        self._tool("weight", self.app, str(basis_points))

    def flags(self, *changes: str) -> None:
        """"+fallback", "-fallback", "+maintenance", "-maintenance"."""
        self._tool("flags", self.app, *changes)

    def hold(self, seconds: float, fault: str = "") -> None:
        """New requests wait, at most so long; `fault`: "boot" or "crc", a ticket that does not count."""
        self._tool("hold", self.app, str(seconds), *([fault] if fault else []))

    def release(self) -> None:
        self._tool("release", self.app)

    def damage(self, what: str) -> bytes:
        """Spoils "header", "word", "table" (all four of app 0), or "all"; returns the whole file as it was."""
        before = self.control.read_bytes()
        places = {"header": [(20, 4)], "word": [(APP_BASE + WORD_AT, 8)],
                  "table": [(APP_BASE + TABLES_AT + i * TABLE_SIZE + 40, 4) for i in range(4)],
                  "all": [(0, len(before))]}[what]
        with open(self.control, "r+b", buffering=0) as file:
            for offset, size in places:
                file.seek(offset)
                file.write(bytes(byte ^ 0xA5 for byte in before[offset:offset + size]))
        return before

    def restore(self, content: bytes) -> None:
        """In place: the same inode."""
        with open(self.control, "r+b", buffering=0) as file:
            file.write(content)

    # --- configuration
    def top(self) -> str:
        return f"    bluegreen_control {self.control};\n    bluegreen_telemetry {self.telemetry};\n"

    def upstream(self, blue: str | list[str] = "", green: str | list[str] = "", more: str = "keepalive 16;") -> str:
        lines = [f"        bluegreen {self.app};"]
        for color, addresses in (("blue", blue), ("green", green)):
            for address in [addresses] if isinstance(addresses, str) else addresses:
                if address:
                    lines.append(f"        bluegreen_server {color} {address};")
        return "    upstream app {\n" + "\n".join(lines) + f"\n        {more}\n    }}\n"

    def http(self, port: int, blue: str | list[str] = "", green: str | list[str] = "", *, listen: str = "",
             location: str = "", more: str = "", upstream: str = "keepalive 16;", top: str = "") -> str:
        """A whole http block: the application on /, the status document on /bluegreen/status."""
        return f"""{self.top()}
    log_format routed '$status "$bluegreen_color" "$bluegreen_generation" "$bluegreen_release" "$upstream_addr" $request';
    access_log {self.control.parent}/routed.log routed;
    {top}
{self.upstream(blue, green, upstream)}
    server {{
        listen 127.0.0.1:{port} {listen};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            {location}
        }}
        location = /bluegreen/status {{ bluegreen_status cache=0; access_log off; }}
        {more}
    }}
"""

    def routed(self) -> list[str]:
        """The access log of http(): status, color, generation, release, upstream address, request."""
        path = self.control.parent / "routed.log"
        return path.read_text().splitlines() if path.exists() else []

    def _tool(self, verb: str, *arguments: str) -> None:
        run = subprocess.run([program("route_tool"), verb, self.control, *arguments], capture_output=True, text=True,
                             timeout=20, check=False)
        assert run.returncode == 0, (verb, arguments, run.stderr)


def word_generation(text: str) -> int:
    """The generation in a line of the routed log."""
    found = re.match(r'\d+ "[^"]*" "(\d+)"', text)
    assert found, text
    return int(found.group(1))
