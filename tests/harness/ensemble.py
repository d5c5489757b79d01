"""Several things that are entered together and left together, as the stages of tests are."""

import contextlib
from collections.abc import Iterable


class Ensemble:
    """`parts` says what, in order; they are left in reverse, also when one of them cannot be entered."""

    def parts(self) -> Iterable[contextlib.AbstractContextManager]:
        raise NotImplementedError

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for part in self.parts():
                stack.enter_context(part)
            self._entered = stack.pop_all()
        return self

    def __exit__(self, *about: object) -> None:
        self._entered.__exit__(*about)
