"""How often a test repeats what it repeats: `scripts/test --full` asks for ten times as often."""

import os


def often(count: int) -> int:
    return count * 10 if os.environ.get("BLUEGREEN_FULL") else count
