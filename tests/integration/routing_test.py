"""Which color and endpoint a request goes to: the word decides, and every flip is seen at once."""

from harness import Nginx, NginxBackend, Region, free_port, work_folder


def test_request_goes_to_the_active_color_and_a_flip_is_seen_by_the_next_request() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address])
        with Nginx(folder, region.http(free_port(), listen="reuseport"), workers=2) as nginx:
            for _ in range(20):
                for color in ("green", "blue"):
                    region.switch(color)
                    assert nginx.get("/").headers["X-Color"] == color
