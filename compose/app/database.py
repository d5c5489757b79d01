"""The application's database: MySQL by pymysql, or SQLite for a host without a server.

Threads share a small pool of connections; one that failed is thrown away. Every failure comes out
as DatabaseError. The table is made when it is first needed.

The column `note` becomes `message` in three releases (docs/migrations.md), told apart by their schema:
1 knows `note` alone, 2 writes both and reads either, 3 knows `message` alone.
"""

import queue
import sqlite3
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

POOL = 8
TIMEOUT_SECONDS = 3
CREATE = {1: "CREATE TABLE IF NOT EXISTS visits (color VARCHAR(8), note VARCHAR(255))",
          2: "CREATE TABLE IF NOT EXISTS visits (color VARCHAR(8), note VARCHAR(255), message VARCHAR(255))",
          3: "CREATE TABLE IF NOT EXISTS visits (color VARCHAR(8), message VARCHAR(255))"}
WRITTEN = {1: ("note",), 2: ("note", "message"), 3: ("message",)}
READ = {1: "note", 2: "COALESCE(message, note)", 3: "message"}


class DatabaseError(Exception):
    """The database did not do what was asked; the text says why."""


class Database:
    def __init__(self, url, schema=1):
        self._connect, self._errors, mark = driver_for(url)
        self._schema = schema
        columns = WRITTEN[schema]
        self._insert = (f"INSERT INTO visits (color, {', '.join(columns)}) "
                        f"VALUES ({', '.join([mark] * (1 + len(columns)))})")
        self._idle = queue.LifoQueue()
        self._permits = queue.LifoQueue()
        for _ in range(POOL):
            self._permits.put(None)
        self._has_table = False

    def ping(self):
        with self._cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()

    def add_visit(self, color, note):
        with self._cursor(needs_table=True) as cursor:
            cursor.execute(self._insert, (color, *[note] * len(WRITTEN[self._schema])))

    def count_visits(self):
        with self._cursor(needs_table=True) as cursor:
            cursor.execute("SELECT COUNT(*) FROM visits")
            return cursor.fetchone()[0]

    def notes(self):
        """How often each was left."""
        with self._cursor(needs_table=True) as cursor:
            cursor.execute(f"SELECT {READ[self._schema]}, COUNT(*) FROM visits GROUP BY 1 ORDER BY 1")
            return {str(note): count for note, count in cursor.fetchall()}

    @contextmanager
    def _cursor(self, needs_table=False):
        try:
            permit = self._permits.get(timeout=TIMEOUT_SECONDS)
        except queue.Empty:
            raise DatabaseError(f"all {POOL} database connections are in use") from None
        connection = None
        try:
            connection = self._take()
            cursor = connection.cursor()
            if needs_table and not self._has_table:
                cursor.execute(CREATE[self._schema])
                self._has_table = True
            yield cursor
            connection.commit()
            self._idle.put(connection)
        except self._errors as error:
            if connection is not None:
                connection.close()
            raise DatabaseError(f"database: {error}") from error
        finally:
            self._permits.put(permit)

    def _take(self):
        """An idle connection that still answers, else a new one (the server may have restarted)."""
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return self._connect()
            try:
                connection.ping(reconnect=True) if hasattr(connection, "ping") else None
                return connection
            except self._errors:
                connection.close()


def driver_for(url):
    """(connect, exception classes, parameter mark) for a URL; ValueError says what was expected."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and parts.path:
        path = unquote(parts.path)
        return (lambda: sqlite3.connect(path, timeout=TIMEOUT_SECONDS, check_same_thread=False),
                (sqlite3.Error,), "?")
    if parts.scheme == "mysql" and parts.hostname and parts.path.strip("/"):
        import pymysql  # only a host with MySQL needs it

        settings = {"host": parts.hostname, "port": parts.port or 3306,
                    "user": unquote(parts.username or "root"), "password": unquote(parts.password or ""),
                    "database": parts.path.strip("/"), "connect_timeout": TIMEOUT_SECONDS,
                    "read_timeout": TIMEOUT_SECONDS, "write_timeout": TIMEOUT_SECONDS}
        return lambda: pymysql.connect(**settings), (pymysql.Error, OSError), "%s"
    raise ValueError(f"{parts.scheme or url!r}: expected mysql://user:password@host:port/name "
                     "or sqlite:///absolute/path")
