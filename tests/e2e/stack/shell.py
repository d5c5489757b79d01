"""Running programs and awaiting conditions, for the end-to-end tests.

A failed program's output is in the AssertionError: nobody has to run it again to see why.
"""

import subprocess
import time


def run(*command, check=True, timeout=120, **options):
    """One program to its end; text output, both streams kept."""
    words = [str(word) for word in command]
    done = subprocess.run(words, text=True, capture_output=True, timeout=timeout,
                          stdin=options.pop("stdin", subprocess.DEVNULL), **options)
    if check:
        assert done.returncode == 0, (
            f"{' '.join(words)} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done


def await_condition(what, condition, seconds=60.0):
    """Returns the condition's first true value; for what has no event to wait on."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
