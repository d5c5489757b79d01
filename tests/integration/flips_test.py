"""The slice's figures: flips under load, drain, and long-lived connections, by bgctl itself."""

import json
import signal
import subprocess
import time

from harness import (Connection, AsyncBackend, Nginx, NginxBackend, Region, WebSocket, bgctl, free_port, often,
                     program, until, work_folder)

FLIPS = often(100)


def options(region: Region) -> list[object]:
    return ["--control", region.control, "--telemetry", region.telemetry, "--app", region.app]


def published(folder, blue, green) -> Region:
    region = Region(folder)
    bgctl("init", *options(region))
    region.publish("blue", "v1", [blue.address])
    region.publish("green", "v2", [green.address])
    return region


def test_switches_under_16_keepalive_post_clients_fail_nothing_and_leave_nothing_stale(figures) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = published(folder, blue, green)
        top = "keepalive_requests 1000000000;"
        http = region.http(free_port(), listen="reuseport", top=top, upstream="keepalive 64;")
        with Nginx(folder, http, workers=4, events="accept_mutex off;", level="notice") as nginx:
            record, flips = folder / "record.csv", []
            load = subprocess.Popen(
                [program("loadgen"), "--host", "127.0.0.1", "--port", str(nginx.port), "--clients", "16", "--method",
                 "POST", "--body", "512", "--seconds", "180", "--record", record],
                stdout=subprocess.PIPE, text=True)
            until(lambda: len(blue.requests()) > 100, "the load has begun")
            workers = nginx.workers()
            for number in range(FLIPS):
                color = "green" if number % 2 == 0 else "blue"
                begin = time.monotonic_ns()
                bgctl("switch", color, *options(region))
                flips.append(f"{begin} {time.monotonic_ns()} {color}")
                time.sleep(0.03)  # long enough that requests of the new color are begun before the next flip
            load.send_signal(signal.SIGTERM)
            summary = json.loads(load.communicate(timeout=30)[0])
            (folder / "flips").write_text("\n".join(flips) + "\n")
            judged = json.loads(subprocess.run(
                [program("loadgen"), "judge", "--record", record, "--flips", folder / "flips"],
                capture_output=True, text=True, timeout=60, check=True).stdout)
            figures(flips=judged["flips"], requests=judged["requests"], failed=judged["failed"],
                    stale=judged["stale"], slowest_ms=summary["slowest_ms"], p99_ms=summary["p99_ms"])
            assert judged["requests"] > FLIPS * 16
            assert (judged["failed"], judged["stale"], judged["flips"]) == (0, 0, FLIPS), judged
            assert summary["reconnects"] == 0
            assert nginx.workers() == workers


def test_no_request_reaches_the_old_color_after_drain_has_said_0(figures) -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = published(folder, blue, green)
        top = "keepalive_requests 1000000000;"
        http = region.http(free_port(), listen="reuseport", top=top)
        with Nginx(folder, http, workers=4, level="notice") as nginx:
            load = subprocess.Popen(
                [program("loadgen"), "--host", "127.0.0.1", "--port", str(nginx.port), "--clients", "16", "--method",
                 "POST", "--body", "512", "--seconds", "180", "--record", folder / "record.csv"],
                stdout=subprocess.DEVNULL)
            colors, late, rounds = {"blue": blue, "green": green}, 0, often(10)
            until(lambda: len(blue.requests()) > 100, "the load has begun")
            for number in range(rounds):
                new, old = ("green", "blue") if number % 2 == 0 else ("blue", "green")
                bgctl("switch", new, *options(region))
                bgctl("drain", old, "--timeout", "20s", *options(region))
                drained = len(colors[old].requests())
                seen = len(colors[new].requests())
                until(lambda: len(colors[new].requests()) > seen + 500, "the new color serves on")
                late += len(colors[old].requests()) - drained
            load.send_signal(signal.SIGTERM)
            load.wait(30)
            figures(drains=rounds, late_requests=late,
                    requests=len(blue.requests()) + len(green.requests()))
            assert late == 0


def test_drain_waits_for_a_request_that_is_in_flight_and_gives_80_when_the_time_is_up() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue, NginxBackend("green", "v2") as green:
        region = published(folder, blue, green)
        with Nginx(folder, region.http(free_port()), workers=2) as nginx, Connection(nginx.port) as client:
            client.ask("/gate")
            until(lambda: blue.waiting == 1, "the request is in flight")
            bgctl("switch", "green", *options(region))
            assert bgctl("drain", "blue", "--timeout", "300ms", *options(region), check=False).returncode == 80
            drain = subprocess.Popen([program("bgctl"), "drain", "blue", "--timeout", "20s",
                                      *map(str, options(region))], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            blue.open_gate()
            assert client.answer().headers["X-Color"] == "blue"
            assert drain.wait(20) == 0


def test_200_long_lived_connections_stay_open_through_10_flips_and_cost_no_memory(figures) -> None:
    websockets, bodies, flips = 100, 100, 10
    with work_folder() as folder, AsyncBackend("blue") as blue, AsyncBackend("green", "v2") as green:
        region = published(folder, blue, green)
        more = """location /ws { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection upgrade;
                  proxy_set_header Upgrade $http_upgrade; proxy_read_timeout 120s; }
                  location /upload { proxy_pass http://app/; proxy_http_version 1.1; proxy_request_buffering off; }"""
        http = region.http(free_port(), listen="reuseport", more=more)
        with Nginx(folder, http, workers=2, level="notice") as nginx:
            sockets = [WebSocket(nginx.port) for _ in range(websockets)]
            uploads = []
            for _ in range(bodies):
                upload = Connection(nginx.port)
                upload.ask("/upload", "POST", b"x" * 500, {"Content-Length": "1000"})
                uploads.append(upload)
            until(lambda: nginx.in_flight()[0] == websockets + bodies, "all are in flight on blue")

            def flip(count: int) -> None:
                for number in range(count):
                    bgctl("switch", "green" if number % 2 == 0 else "blue", *options(region))
                    for _ in range(20):
                        nginx.get("/")

            flip(2)  # both colors have been used once: what follows is growth
            workers = nginx.workers()
            before = sum(worker.rss_kib for worker in workers)
            flip(flips)
            growth = sum(worker.rss_kib for worker in nginx.workers()) - before
            closed = sum(connection.closed() for connection in [*sockets, *uploads])
            echoed = sum(socket.echo("still here") == "still here" for socket in sockets)
            for upload in uploads:
                upload.send(b"y" * 500)
            answered = sum(upload.answer().headers["X-Color"] == "blue" for upload in uploads)
            figures(connections=websockets + bodies, flips=flips, closed=closed, worker_pids_changed=int(
                nginx.workers() != workers), rss_growth_kib=growth)
            for connection in [*sockets, *uploads]:
                connection.close()
            assert closed == 0 and echoed == websockets and answered == bodies
            assert nginx.workers() == workers
            assert growth < 1024 or nginx.sanitized  # a sanitizer keeps what is freed
            until(lambda: nginx.in_flight() == (0, 0), "nothing is in flight any more")
