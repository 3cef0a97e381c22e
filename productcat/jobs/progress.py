"""A progress bar with rate and time left; silent when the output is not a terminal."""

import sys
from collections import deque
from time import monotonic

WINDOW = 30
"""The rate is that of so many last pieces of work."""


class Progress:
    """Use as a context manager; `advance` after each piece of work. It is shown on standard error.

    title: what is being done. total: how much of it, in `unit`; None where unknown. done: how much an earlier,
    interrupted run did.
    """

    def __init__(self, title, total, unit, done=0):
        self.title, self.total, self.unit, self.done = title, total, unit, done
        self.bar = None
        self.moments = deque([(monotonic(), done)], maxlen=WINDOW)

    def __enter__(self):
        if sys.stderr is not None and sys.stderr.isatty():
            self.bar = _bar()
            self.task = self.bar.add_task(
                self.title, total=self.total, completed=self.done, amount="", rate="", note=""
            )
            self.bar.start()
        return self

    def __exit__(self, *exception):
        if self.bar:
            self.bar.stop()

    def each(self, items):
        """Hand items on, each reported as done when the next one is wanted."""
        for item in items:
            yield item
            self.advance(1)

    def advance(self, amount, note=""):
        """Report `amount` more units done, with a word on how it goes."""
        self.done += amount
        self.moments.append((monotonic(), self.done))
        if not self.bar:
            return
        (before, at_first), (now, at_last) = self.moments[0], self.moments[-1]
        rate = (at_last - at_first) / (now - before) if now > before else 0.0
        of_total = "" if self.total is None else f" of {self.total}"
        amount = f"{self.done}{of_total} {self.unit}"
        self.bar.update(self.task, completed=self.done, amount=amount, note=note, rate=f"{rate:.3g}/s" if rate else "")


def _bar():
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    texts = [TextColumn("{task.fields[" + name + "]}") for name in ("amount", "rate", "note")]
    columns = (TextColumn("{task.description}"), BarColumn(), *texts[:2], TimeRemainingColumn(), texts[2])
    return Progress(*columns, console=Console(stderr=True), transient=True)
