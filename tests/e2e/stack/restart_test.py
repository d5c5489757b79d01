"""The engine stops under a staging host, or is not there: who serves afterwards."""

import http.client

from shell import await_condition


def ask(host):
    """(status, color, release) of one request through NGINX, or None."""
    connection = http.client.HTTPConnection(host.nginx_address, 80, timeout=5)
    try:
        connection.request("GET", "/version")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["X-Color"], answer.headers["X-Release"]
    except OSError:
        return None
    finally:
        connection.close()


def served_again(host, seconds=90):
    return await_condition("the site answers after the engine's start",
                           lambda: (lambda got: got if got and got[0] == 200 else None)(ask(host)), seconds)


def test_an_engine_restart_comes_back_on_the_color_it_left(host):
    for version in ("v2", "v3"):  # once from each color
        host.deploy(version)
        before, address = ask(host), host.started(f"app_{host.active()}")[0]
        host.engine.stop()
        assert ask(host) is None
        host.engine.start()
        after = served_again(host)
        print(f"before {before}, after {after}")
        assert after == before
        assert host.started(f"app_{host.active()}")[0] == address
        assert not host.running(f"app_{host.idle()}")
    host.await_healthy("mysql", 90)


def test_a_deploy_without_an_engine_is_20_and_the_color_serves_on(host, untouched):
    with untouched(), host.engine.unreachable():
        done = host.bgctl("deploy", host.image("v1"))
    print(done.stdout, done.stderr)
    assert done.returncode == 20
    assert "docker.sock" in done.stdout + done.stderr
