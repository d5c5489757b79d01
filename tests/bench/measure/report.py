"""A figure against its limit: as a row of the table, and as a JSON file."""

import dataclasses
import json
import pathlib


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


def table(rows: list[Row]) -> str:
    lines = ["", "| | measured | limit | |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {row.what} | {row.figure} | {row.limit} | {'pass' if row.passed else 'FAIL'} |" for row in rows]
    for row in rows:
        lines += ["", f"{row.name}:"] + [f"  {note}" for note in row.notes]
    return "\n".join(lines)
