"""How long a flip takes to be obeyed: store to the first request admitted to the new color, in-process.

The measuring is flip_latency's (see there): processes that do the request path's steps over a real mapped
file, on a core each. On two cores that is one reader and the writer.
"""

import argparse
import json
import subprocess

from harness import program, work_folder

from .report import Row

LIMIT_US = 5.0


def measure_visibility(options: argparse.Namespace) -> list[Row]:
    notes, data, worst = [], {}, 0.0
    with work_folder() as folder:
        for endpoints in (1, 32):
            said = subprocess.run([program("flip_latency"), "--flips", str(options.flips), "--endpoints",
                                   str(endpoints), "--folder", folder], capture_output=True, text=True, timeout=300,
                                  check=True).stdout
            found = json.loads(said)
            data[f"endpoints_{endpoints}"] = found
            worst = max(worst, found["all"]["p99_us"])
            for name in ("all", "undisturbed"):
                of = found[name]
                notes.append(f"{endpoints} endpoint(s) a color, {name}: {of['flips']} flips, p50 {of['p50_us']:.2f} us, "
                             f"p99 {of['p99_us']:.2f} us, p99.9 {of['p999_us']:.2f} us, most {of['max_us']:.1f} us")
    notes.append(f"{found['readers']} reader(s) and the writer on {found['cores']} cores; \"undisturbed\" leaves out "
                 "flips during which the kernel took the core from one of them")
    return [Row("visibility", "store of a flip to the first request admitted to the new color, in-process: p99",
                f"{worst:.2f} us", f"< {LIMIT_US:.0f} us", worst < LIMIT_US, notes, data)]
