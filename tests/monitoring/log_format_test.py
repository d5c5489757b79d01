"""nginx/bluegreen_log.conf in a real NGINX: every line is a JSON object with the same keys and strict
UTF-8, whatever clients send."""

import json
import pathlib
import socket

from harness import Nginx, NginxBackend, Region, free_port, until, work_folder

FORMAT = pathlib.Path(__file__).resolve().parents[2] / "nginx" / "bluegreen_log.conf"
HOSTILE = [
    b"GET /\" HTTP/1.1", b"GET /\\ HTTP/1.1", b"GET /%22%5c%0a%00 HTTP/1.1", b"GET /%ff%fe?a=%ff HTTP/1.1",
    b"GET /\xff\xfe\x80 HTTP/1.1", b"GET /?\xff\xc3\x28 HTTP/1.1", b"GET /a\x01b HTTP/1.1", b"GET /\x7f HTTP/1.1",
    b"GET /\",\"color\":\"blue HTTP/1.1", b"GET /'}{ HTTP/1.1", b"GET /\xe2\x80\xa8 HTTP/1.1", b"get / HTTP/1.1",
    b"GET http://x\"y/z HTTP/1.1", b"GET / HTTP/9.9", b"\x16\x03\x01\x02\x00\x01", b"\xff\xff\xff\xff", b"GET /" + b"A" * 9000 + b" HTTP/1.1",
    b"GET /$request_id${x} HTTP/1.1", b"GET / HTTP/1.1\r\nHost: \"\xff\\", b"OPTIONS * HTTP/1.1", b"GET /old",
]


def send(port: int, line: bytes) -> None:
    """One request, which is over once NGINX has closed its connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        try:
            sock.sendall(line + b"\r\nHost: a\r\nConnection: close\r\n\r\n")
            while sock.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass


def strict(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len({key for key, _ in pairs}) == len(pairs), f"a key twice: {pairs}"
    return dict(pairs)


def parsed(path: pathlib.Path) -> list[dict[str, object]]:
    raw = path.read_bytes() if path.exists() else b""
    return [json.loads(line.decode("utf-8", "strict"), object_pairs_hook=strict) for line in raw.split(b"\n") if line]


def test_log_lines_are_json_with_color_and_release_whatever_clients_send() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        region.switch("green")
        log = folder / "json.log"
        http = f"""{region.top()}
    include {FORMAT};
    access_log {log} bluegreen_json;
{region.upstream()}
    server {{
        listen 127.0.0.1:{free_port()};
        location / {{ proxy_pass http://app; }}
    }}
"""
        with Nginx(folder, http) as nginx:
            nginx.get("/seen?secret=1")
            (line,) = until(lambda: parsed(log), "a line in the log")
            assert (line["color"], line["release"], line["reason"]) == ("green", "v2", "active")
            assert line["path"] == "/seen" and line["status"] == 200 and line["method"] == "GET"
            assert line["generation"] > 0 and line["upstream"] == green.address and line["upstream_status"] == "200"
            assert float(line["upstream_seconds"]) >= 0 and float(line["upstream_header_seconds"]) >= 0
            assert len(line["request_id"]) == 32 and "secret" not in log.read_text()

            for request in HOSTILE:
                send(nginx.port, request)
            lines = until(lambda: len(parsed(log)) >= 1 + len(HOSTILE) and parsed(log), "a line for each request")
            assert len(lines) == 1 + len(HOSTILE)
            for other in lines:
                assert other.keys() == line.keys(), other
                assert isinstance(other["status"], int) and isinstance(other["bytes"], int), other
                assert other["color"] in ("", "green") and (other["generation"] is None) == (other["color"] == ""), other
                assert all(0x20 < ord(c) < 0x7F for c in other["path"]), other
            assert any(other["color"] == "" and other["status"] == 400 for other in lines), "a refused request is in the log"
