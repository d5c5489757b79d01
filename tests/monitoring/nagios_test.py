"""docs/monitoring/nagios: the command that it names, run beside a real NGINX, ends with Nagios' codes."""

import re
import subprocess

from harness import Nginx, NginxBackend, Region, free_port, program, until, work_folder
from monitoring import kit


def nagios(region: Region) -> subprocess.CompletedProcess[str]:
    """The command line of the example, with our program and our files instead of the host's."""
    (line,) = re.findall(r"command\[check_bluegreen\]=(.*)", (kit.KIT / "nagios" / "bluegreen.cfg").read_text())
    words = line.split()
    assert words[0].endswith("/bgctl") and words[1] == "check" and words[2:3] == ["--config"]
    config = region.control.parent / "bgctl.json"
    text = (kit.KIT.parents[1] / "compose" / "bgctl.json").read_text()
    for ours, here in (("/var/lib/bluegreen/control", region.control), ("/run/bluegreen/telemetry", region.telemetry)):
        assert ours in text
        text = text.replace(ours, str(here))
    config.write_text(text)
    return kit.run(program("bgctl"), "check", "--config", config)


def test_the_example_says_ok_then_critical_without_nginx_and_with_a_damaged_file() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.switch("blue")
        with Nginx(folder, region.http(free_port())) as nginx:
            nginx.get("/")
            done = nagios(region)
            assert (done.returncode, done.stderr) == (0, ""), done
            assert done.stdout.count("\n") == 1 and "OK" in done.stdout and " | " in done.stdout
            before = region.damage("header")
            assert nagios(region).returncode == 2
            region.restore(before)
            until(lambda: nagios(region).returncode == 0, "all is well again")
        done = nagios(region)
        assert done.returncode == 2 and "CRITICAL" in done.stdout, done
