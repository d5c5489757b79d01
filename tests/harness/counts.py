"""How often a test repeats what it repeats: `scripts/test --full` asks for ten times as often."""

import os


def often(count: int) -> int:
    return count * 10 if os.environ.get("BLUEGREEN_FULL") else count


def times(normal: int, full: int) -> int:
    """For what takes long in full: both counts by name."""
    return full if os.environ.get("BLUEGREEN_FULL") else normal
