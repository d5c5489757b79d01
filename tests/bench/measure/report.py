"""A figure against its limit: as a row of the table, and as a JSON file."""

import dataclasses
import json
import os
import pathlib
import platform
import time


@dataclasses.dataclass
class Row:
    """`figure` and `limit` as people read them; `data` has everything that was measured."""

    name: str
    what: str
    figure: str
    limit: str
    passed: bool
    notes: list[str]
    data: dict[str, object]


def write_json(folder: pathlib.Path, row: Row) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = {"name": row.name, "what": row.what, "figure": row.figure, "limit": row.limit, "passed": row.passed,
                **row.data}
    (folder / f"bench-{row.name}.json").write_text(json.dumps(document, indent=1) + "\n")


def verdict(row: Row) -> str:
    if row.limit == "none":
        return ""
    return "pass" if row.passed else "FAIL"


def table(rows: list[Row]) -> str:
    lines = ["", "| | measured | limit | |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {row.what} | {row.figure} | {row.limit} | {verdict(row)} |" for row in rows]
    for row in rows:
        if row.notes:
            lines += ["", f"{row.name}:"] + [f"  {note}" for note in row.notes]
    return "\n".join(lines)


def machine() -> str:
    """One line about where and when: no figure of time means anything without it."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {model}, {os.cpu_count()} cores, "
            f"Linux {platform.release()}, load of the last 1, 5, 15 minutes {load}")
