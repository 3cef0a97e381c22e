"""A progress bar with rate and time left. It is silent when standard error is not a terminal."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Item = TypeVar("Item")

WINDOW = 30
"""Number of last pieces of work from which the rate is measured."""


class Progress:
    """Use it as a context manager, and call `advance` after each piece of work. It is shown on standard error.

    title: what is being done. total: how much of it, in `unit`; None if unknown. done: how much an earlier,
    interrupted run did.
    """

    def __init__(self, title: str, total: int | None, unit: str, done: int = 0) -> None:
        self.title, self.total, self.unit, self.done = title, total, unit, done
        self.bar: Bar | None = None
        self.moments = deque([(monotonic(), done)], maxlen=WINDOW)

    def __enter__(self) -> Self:
        if sys.stderr is not None and sys.stderr.isatty():
            self.bar = _bar()
            self.task = self.bar.add_task(
                self.title, total=self.total, completed=self.done, amount="", rate="", note=""
            )
            self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar:
            self.bar.stop()

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """Hand items on. Each counts as done when the next one is wanted."""
        for item in items:
            yield item
            self.advance(1)

    def advance(self, amount: int, note: str = "") -> None:
        """Report `amount` more units done, with a word on how it goes."""
        self.done += amount
        self.moments.append((monotonic(), self.done))
        if not self.bar:
            return
        (before, at_first), (now, at_last) = self.moments[0], self.moments[-1]
        rate = (at_last - at_first) / (now - before) if now > before else 0.0
        of_total = "" if self.total is None else f" of {self.total}"
        text = f"{self.done}{of_total} {self.unit}"
        self.bar.update(self.task, completed=self.done, amount=text, note=note, rate=f"{rate:.3g}/s" if rate else "")


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    amount, rate, note = (TextColumn("{task.fields[" + name + "]}") for name in ("amount", "rate", "note"))
    columns = (TextColumn("{task.description}"), BarColumn(), amount, rate, TimeRemainingColumn(), note)
    return Progress(*columns, console=Console(stderr=True), transient=True)
