"""Waiting for a condition where there is no event to wait for: polled, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, seconds: float = 10.0, every: float = 0.02) -> T:
    """The first true value of condition(); AssertionError naming `what` when the time is up."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what} (last value {value!r})")
        time.sleep(every)
