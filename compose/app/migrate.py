"""Brings the database to the schema that this release of the sample application needs.

    python3 migrate.py up        the expand part: what older releases do not notice
    python3 migrate.py contract  what they would not survive: once none of them runs

migrations/N-NAME.sql belongs to schema N (APP_SCHEMA is this release's), N-NAME.contract.sql to its
contract part. Each is run once, in the order of its name, and then remembered in the table `migrations`.
The database commits a change of a table by itself, so a kill between the two leaves it unremembered: a
column that is there already, or gone already, counts as done. Anything else ends with 1 and the reason.
"""

import os
import re
import sys
from pathlib import Path

from database import CREATE, driver_for

FOLDER = Path(__file__).parent / "migrations"
DONE_ALREADY = re.compile(r"duplicate column|no such column|check that (it|column/key) exists", re.IGNORECASE)


def wanted(phase, schema):
    """The files of this phase, up to this release's schema, in their order."""
    files = sorted(FOLDER.glob("*.sql"), key=lambda path: (int(path.name.partition("-")[0]), path.name))
    return [path for path in files
            if path.name.endswith(".contract.sql") == (phase == "contract")
            and int(path.name.partition("-")[0]) <= schema]


def statement_of(path):
    return "\n".join(line for line in path.read_text().splitlines() if not line.startswith("--"))


def migrate(url, phase, schema, say=print):
    connect, errors, mark = driver_for(url)
    connection = connect()
    cursor = connection.cursor()
    cursor.execute(CREATE[1])
    cursor.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR(100) PRIMARY KEY)")
    cursor.execute("SELECT name FROM migrations")
    known = {name for name, in cursor.fetchall()}
    for path in wanted(phase, schema):
        if path.name in known:
            say(f"{path.name}: done before")
            continue
        try:
            cursor.execute(statement_of(path))
            say(f"{path.name}: done, {max(cursor.rowcount, 0)} rows changed")
        except errors as error:
            if not DONE_ALREADY.search(str(error)):
                raise
            say(f"{path.name}: was done: {error}")
        cursor.execute(f"INSERT INTO migrations (name) VALUES ({mark})", (path.name,))
        connection.commit()
    connection.close()


def main(argv):
    if len(argv) != 2 or argv[1] not in ("up", "contract"):
        sys.exit(f"usage: {argv[0]} up|contract")
    url = os.environ.get("DATABASE_URL", "sqlite:////tmp/bluegreen-app.db")
    try:
        migrate(url, argv[1], int(os.environ.get("APP_SCHEMA", "1")))
    except Exception as error:  # whatever it is, the deploy's trace shall have it in one line
        sys.exit(f"migrate {argv[1]}: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv)
