"""Real status documents satisfy docs/status.schema.json, which names every field of them."""

import json
from pathlib import Path

import jsonschema

from harness import Nginx, NginxBackend, Region, free_port, request, work_folder

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "status.schema.json").read_text())


def closed(schema: object) -> object:
    """The same, without room for fields that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {name: closed(part) for name, part in schema.items()}
    if "properties" in out and isinstance(out["properties"], dict):
        out["additionalProperties"] = False
    return out


def check(document: dict) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(document)


def test_documents_of_a_running_nginx_satisfy_the_schema() -> None:
    with work_folder() as folder, NginxBackend("blue", "v1") as blue, NginxBackend("green", "v2") as green:
        region = Region(folder)
        region.init()
        region.publish("blue", "v1", [blue.address])
        region.publish("green", "v2", [green.address, "unix:/run/none.sock"])
        region.switch("green")
        with Nginx(folder, region.http(free_port())) as nginx:
            for _ in range(3):
                nginx.get("/")
            check(nginx.status())
            check(nginx.status("/bluegreen/status?app=app"))


def test_document_without_regions_satisfies_the_schema() -> None:
    with work_folder() as folder:
        region = Region(folder)
        region.init()
        region.telemetry.write_bytes(b"foreign" * 1000)
        region.control.write_bytes(b"foreign")
        with Nginx(folder, region.http(free_port())) as nginx:
            answer = request(nginx.port, "/bluegreen/status")
            assert answer.status == 503
            check(json.loads(answer.body))
