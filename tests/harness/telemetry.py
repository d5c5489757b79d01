"""A telemetry file's counters as anybody can read them, and a watch that they never go back.

The offsets are those of shm/telemetry_region.hpp, which pins them by static_assert.
"""

import dataclasses
import pathlib
import struct
import threading

SLOTS_AT, SLOT_SIZE, COUNTERS_AT, COUNTERS_SIZE, SLOTS = 1331200, 16512, 128, 128, 128
# in_flight, requests, responses 1xx to 5xx, no_response, tries, failures, withdrawn
FIELDS = struct.Struct("<11Q")


@dataclasses.dataclass
class Sums:
    """Of both colors of the first application, over all slots, dead ones included."""

    in_flight: int
    counters: list[int]
    used: int  # slots that ever had an owner


def read_sums(path: pathlib.Path) -> Sums:
    sums, used, in_flight = [0] * 10, 0, 0
    with open(path, "rb", buffering=0) as file:
        for slot in range(SLOTS):
            file.seek(SLOTS_AT + slot * SLOT_SIZE)
            data = file.read(COUNTERS_AT + 2 * COUNTERS_SIZE)
            used += struct.unpack_from("<I", data)[0] == 1
            for color in range(2):
                values = FIELDS.unpack_from(data, COUNTERS_AT + color * COUNTERS_SIZE)
                in_flight += values[0]
                sums = [total + value for total, value in zip(sums, values[1:])]
    return Sums(in_flight, sums, used)


class Watch:
    """Reads again and again while the block runs; `back` says where a counter went back."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path, self.back, self.looks = path, [], 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watch":
        self.last = read_sums(self.path)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(0.01):
            now = read_sums(self.path)
            self.looks += 1
            if any(new < old for new, old in zip(now.counters, self.last.counters)):
                self.back.append((self.last, now))
            self.last = now
