"""Prints what the clients saw of the quick start's second deploy: quickstart_report.py STATE.

Reads load.json and judged.json (loadgen), the deploy's verdict.json (bgctl); exits 1 when a request failed or
was served by the old color after the deploy had returned.
"""

import json
import sys
from pathlib import Path


def main():
    state = Path(sys.argv[1])
    load = json.loads((state / "load.json").read_text(encoding="utf-8"))
    judged = json.loads((state / "judged.json").read_text(encoding="utf-8"))
    verdict = json.loads((state / "traces/app/under-load/verdict.json").read_text(encoding="utf-8"))
    print("\nWhat the clients saw:")
    rows = [("requests", load["requests"]),
            ("failed", load["failed"]),
            ("stale (old color after the deploy returned)", judged["stale"]),
            ("connections that the proxy closed", load["reconnects"]),
            ("slowest", f"{load['slowest_ms']:.1f} ms"),
            ("answered by", ", ".join(f"{color} {count}" for color, count in load["by_color"].items()))]
    rows += [(f"step: {step['name']}", f"{step['ms']} ms {step['status']}") for step in verdict["steps"]]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")
    return 1 if load["failed"] or judged["stale"] else 0


if __name__ == "__main__":
    sys.exit(main())
