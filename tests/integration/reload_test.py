"""Reloads: one telemetry, counters that run on, requests that end where they began."""

from pathlib import Path

from harness import AsyncBackend, Connection, Nginx, NginxBackend, Region, WebSocket, free_port, until, work_folder


def test_counters_run_on_through_reloads_and_old_workers_follow_flips() -> None:
    with work_folder() as folder, AsyncBackend("blue") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        more = """location /ws { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection upgrade;
                  proxy_set_header Upgrade $http_upgrade; }"""
        with Nginx(folder, region.http(free_port(), more=more), workers=2) as nginx:
            with WebSocket(nginx.port) as socket:
                for _ in range(3):
                    nginx.get("/")
                    nginx.reload()
                until(lambda: nginx.status()["workers"]["live"] == 3, "the WebSocket's worker and two new ones live")
                status = nginx.status()
                figures = status["apps"]["app"]["colors"]["blue"]
                assert (figures["release"], figures["in_flight"], figures["requests"]) == ("v1", 1, 4)
                region.switch("green")
                assert nginx.get("/").headers["X-Color"] == "green"
                assert socket.echo("still") == "still"
            until(lambda: nginx.status()["workers"]["live"] == 2, "the old worker ends with its WebSocket")
            assert nginx.in_flight() == (0, 0)


def test_application_added_by_a_reload_is_counted() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        with Nginx(folder, region.http(free_port(), blue.address)) as nginx:
            nginx.get("/")
            top = f"upstream more {{ bluegreen more; bluegreen_server blue {blue.address}; }}"
            more = "location /more { proxy_pass http://more; }"
            nginx.http = region.http(nginx.port, blue.address, top=top, more=more)
            nginx.reload()
            assert nginx.get("/more").status == 200
            apps = nginx.status()["apps"]
            assert [apps[name]["colors"]["blue"]["requests"] for name in ("app", "more")] == [1, 1]


# Without a reload: nginx itself does not serve after one in this mode.
def test_single_process_serves_too() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        with Nginx(folder, region.http(free_port()), main="master_process off;", workers=0) as nginx:
            assert nginx.get("/").headers["X-Color"] == "blue"
            region.switch("green")
            assert nginx.get("/").headers["X-Color"] == "green"
            assert nginx.status()["workers"] == {"live": 1, "attached": 1}


def test_reloads_leave_one_mapping_of_each_file_in_the_master_and_in_the_workers() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        with Nginx(folder, region.http(free_port())) as nginx:
            def mappings(pid: int) -> int:
                lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
                return sum(str(region.control) in line or str(region.telemetry) in line for line in lines)

            for _ in range(5):
                nginx.get("/")
                nginx.reload()
            until(lambda: len(nginx.workers()) == 1, "the old workers have gone")
            assert mappings(nginx.pid) == 1  # control, for the workers to inherit
            assert mappings(nginx.workers()[0].pid) == 2
