"""The sample application: an echo, a visit counter in a database, a health check.

One process, one thread a connection (the standard library's server), HTTP/1.1 with keep-alive, so
that NGINX can keep its upstream connections. On SIGTERM it stops accepting, lets running requests
finish and closes idle connections; it exits 0 when the last one is done. Every request is one JSON
line on stdout, written before the answer: whoever asks "did a request reach this color?" finds the
answer there.

Settings come from the command line, else from the environment: PORT, COLOR, APP_VERSION,
DATABASE_URL, APP_SCHEMA (1 to 3, see database.py). A version that starts with "broken" is never
healthy; one that starts with "crash" exits at once; one that starts with "inside" listens where only
its own container's check reaches it: the tests need all three.
"""

import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from database import Database, DatabaseError

IDLE_SECONDS = 120  # longer than NGINX's keepalive_timeout for upstreams (60 s): NGINX closes first
MAX_BODY = 16 * 1024 * 1024
REQUEST_QUEUE = 512


class Server(ThreadingHTTPServer):
    """Accepts connections and knows which of them are idle."""

    daemon_threads = True  # `drain` waits for the busy ones itself, with a deadline
    request_queue_size = REQUEST_QUEUE

    def __init__(self, port, color, version, database):
        super().__init__(("127.0.0.1" if version.startswith("inside") else "", port), Handler)
        self.color = color
        self.version = version
        self.database = database
        self.draining = False
        self._open = set()
        self._changed = threading.Condition()

    def opened(self, connection):
        with self._changed:
            self._open.add(connection)
            if self.draining:
                stop_reading(connection)

    def closed(self, connection):
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def drain(self, seconds):
        """Ends every connection after the request that it has sent. True when all are gone."""
        with self._changed:
            self.draining = True
            for connection in self._open:
                stop_reading(connection)
            return self._changed.wait_for(lambda: not self._open, timeout=seconds)


def stop_reading(connection):
    """Makes the next read see the end; what has been received already is still read and served.

    A request whose body is still under way would be cut: it gets its answer as soon as its body is
    whole or cut, which the drain of the load balancer makes impossible (it waits for the answer).
    """
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # the peer was faster


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    wbufsize = -1  # head and body leave in one segment
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.opened(self.connection)

    def finish(self):
        try:
            super().finish()
        finally:
            self.server.closed(self.connection)

    def do_GET(self):
        self.route({"/": self.home, "/health": self.health, "/version": self.about, "/visits": self.visits})

    def do_POST(self):
        self.route({"/": self.echo, "/visits": self.add_visit})

    def route(self, handlers):
        path = self.path.partition("?")[0]
        self.log_line(path)
        try:
            body = self.read_body()
            handler = handlers.get(path)
            if handler is None:
                self.answer(404, {"error": f"no such page: {self.command} {path}"})
            else:
                handler(body)
        except BadRequest as error:
            self.close_connection = True
            self.answer(400, {"error": str(error)})
        except DatabaseError as error:
            self.answer(503, {"error": str(error)})

    def home(self, _body):
        self.answer(200, {**self.identity(), "visits": self.server.database.count_visits()})

    def visits(self, _body):
        self.answer(200, {**self.identity(), "notes": self.server.database.notes()})

    def about(self, _body):
        self.answer(200, self.identity())

    def health(self, _body):
        if self.server.version.startswith("broken"):
            self.answer(503, {"status": "broken on purpose", **self.identity()})
            return
        self.server.database.ping()
        self.answer(200, {"status": "ok", **self.identity()})

    def echo(self, body):
        self.send_body(200, self.headers.get("Content-Type", "application/octet-stream"), body)

    def add_visit(self, body):
        self.server.database.add_visit(self.server.color, body.decode("utf-8", "replace")[:255])
        self.answer(201, self.identity())

    def identity(self):
        return {"color": self.server.color, "version": self.server.version}

    def read_body(self):
        if self.headers.get("Transfer-Encoding"):
            raise BadRequest("a body needs Content-Length; chunked ones are not taken")
        text = self.headers.get("Content-Length", "0")
        if not text.isdigit() or int(text) > MAX_BODY:
            raise BadRequest(f"Content-Length {text!r}: expected 0 to {MAX_BODY}")
        body = self.rfile.read(int(text))
        if len(body) != int(text):
            raise BadRequest(f"the body ended after {len(body)} of {text} bytes")
        return body

    def answer(self, status, document):
        self.send_body(status, "application/json", json.dumps(document).encode() + b"\n")

    def send_body(self, status, content_type, body):
        if self.server.draining:
            self.close_connection = True
        self.send_response_only(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Color", self.server.color)
        self.send_header("X-Release", self.server.version)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_line(self, path):
        line = {"time_ns": time.time_ns(), **self.identity(), "method": self.command, "path": path}
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    def log_message(self, format, *args):  # the base class's name for its own complaints
        sys.stderr.write(f"{self.address_string()} {format % args}\n")


class BadRequest(Exception):
    """What the client sent cannot be served."""


def parse_arguments(argv):
    environment = os.environ.get
    parser = argparse.ArgumentParser(description="blue/green sample application")
    parser.add_argument("--port", type=int, default=environment("PORT", "8000"))
    parser.add_argument("--color", default=environment("COLOR", "blue"), choices=["blue", "green"])
    parser.add_argument("--version", default=environment("APP_VERSION", "dev"))
    parser.add_argument("--database", metavar="URL",
                        default=environment("DATABASE_URL", "sqlite:////tmp/bluegreen-app.db"),
                        help="mysql://user:password@host:port/name or sqlite:///path")
    parser.add_argument("--schema", type=int, default=environment("APP_SCHEMA", "1"), choices=[1, 2, 3],
                        help="which columns this release knows (migrate.py brings them)")
    parser.add_argument("--drain-seconds", type=float, default=8.0,
                        help="how long SIGTERM waits for running requests")
    return parser.parse_args(argv)


def main(argv=None):
    options = parse_arguments(argv)
    if options.version.startswith("crash"):
        sys.exit(f"version {options.version}: told to crash at start")
    try:
        database = Database(options.database, options.schema)
    except ValueError as error:
        sys.exit(f"DATABASE_URL: {error}")
    server = Server(options.port, options.color, options.version, database)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))
    print(f"{options.color} {options.version} listens on {server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever(poll_interval=0.05)
    server.socket.close()
    if not server.drain(options.drain_seconds):
        sys.exit("connections were still open when the time to drain was up")


if __name__ == "__main__":
    main()
