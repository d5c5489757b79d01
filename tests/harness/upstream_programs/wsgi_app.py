"""A WSGI application under uwsgi: asks the gate (GATE) for the same path and hands its answer on."""

import os
import urllib.request


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    with urllib.request.urlopen(os.environ["GATE"] + environ["PATH_INFO"], data=body or None) as answer:
        start_response(f"{answer.status} OK", [("X-Color", os.environ["COLOR"])])
        return [answer.read()]
