"""Exits 0 when the application in this container answers 200 on /health; prints why when not."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=2)
try:
    connection.request("GET", "/health")
    answer = connection.getresponse()
    print(answer.status, answer.read(500).decode("utf-8", "replace").strip())
    sys.exit(0 if answer.status == 200 else 1)
except OSError as error:
    sys.exit(f"no answer on /health: {error}")
