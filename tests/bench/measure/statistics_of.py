"""The middle of a sample and how sure it is: the median, with a 95 % interval by bootstrap.

A busy machine gives a few runs that are off by a third, which a mean and its t interval would follow; the
median does not. The resampling is seeded: the same sample has the same interval.
"""

import dataclasses
import random
import statistics

RESAMPLES = 4000


@dataclasses.dataclass
class Middle:
    median: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.low:.3f}-{self.high:.3f}]"


def middle(sample: list[float]) -> Middle:
    source = random.Random(20260101)
    medians = sorted(statistics.median(source.choices(sample, k=len(sample))) for _ in range(RESAMPLES))
    return Middle(statistics.median(sample), medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1],
                  len(sample))
