"""Whether the labels of listings have anything to do with what a bundle says of the same listings.

Hard categories and wrong labels both give few right answers. The difference is what chance would give: if the labels
were dealt out to the listings at random, how many would still be those that the bundle thinks most probable? With hard
categories more are, and clearly so among some dozens of listings. With the labels of other rows, another column or
another set of categories, no more are. That says little where the bundle is unsure itself, or where nearly all labels
are one. So it counts only if the bundle is much surer of its answers than chance.
"""

from collections import Counter
from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np
from numpy.typing import NDArray

SPREADS = 2.5
"""Number of standard deviations above chance from which on right answers are no chance."""

SURER = 0.2
"""Share of the listings by which answers have to be able to beat chance, so that few right ones mean something."""


@dataclass(frozen=True)
class Agreement:
    """How often a bundle and the labels agree.

    n_listings : int
    right : int
        Number of listings whose label the bundle thinks most probable.
    by_chance : float
        How many there would be if the same labels were dealt out at random.
    spread : float
        Standard deviation of that number.
    believed : float
        How many there would be if the bundle were right as often as its confidences say.
    mistaken : (str, str, int) or None
        The label, and what the bundle says instead, of the most listings; and how many they are.
    """

    n_listings: int
    right: int
    by_chance: float
    spread: float
    believed: float
    mistaken: tuple[str, str, int] | None

    @classmethod
    def of(cls, confidences: NDArray[np.float64], labels: NDArray[np.intp], categories: list[str]) -> Self:
        """Compare confidences of shape (n_listings, n_categories) with labels, the numbers of categories."""
        said = confidences.argmax(axis=1)
        n = len(labels)
        ours, theirs = (np.bincount(each, minlength=len(categories)).astype(float) for each in (said, labels))
        by_chance = float(ours @ theirs) / n
        # The variance of the number of fixed points of a random assignment (Hoeffding 1951, "A combinatorial central
        # limit theorem"), of which most terms are equal.
        squares = n * by_chance - (ours @ theirs**2 + ours**2 @ theirs) / n + by_chance**2
        spread = sqrt(max(float(squares), 0.0) / max(n - 1, 1))
        if np.minimum(ours, theirs).sum() - by_chance < SURER * n:
            # Labels or answers are nearly all the same, so their order tells little: guess each category alike.
            share = 1 / len(categories)
            by_chance, spread = n * share, sqrt(n * share * (1 - share))
        wrong = Counter((categories[label], categories[each]) for label, each in zip(labels, said, strict=True))
        mistaken = next(((*pair, count) for pair, count in wrong.most_common() if pair[0] != pair[1]), None)
        right, believed = int((said == labels).sum()), float(confidences.max(axis=1).sum())
        return cls(n, right, by_chance, spread, believed, mistaken)

    @property
    def is_chance(self) -> bool:
        """Whether no more labels are right than by chance, though the bundle is surer than that."""
        return (
            self.believed - self.by_chance >= max(SURER * self.n_listings, SPREADS * self.spread)
            and self.right <= self.by_chance + SPREADS * self.spread
            and 2 * self.right < self.by_chance + self.believed
        )

    def doubt(self) -> str | None:
        """Return one line on labels that are probably wrong, None where there is no doubt."""
        if not self.is_chance:
            return None
        said = (
            f"labels and bundle disagree: it thinks the label of {self.right} of {self.n_listings} listings most "
            f"probable, by chance it would be about {self.by_chance:.0f}"
        )
        if self.mistaken:
            label, other, count = self.mistaken
            said += f" (labelled {label!r}, it says {other!r}: {count} times)"
        return (
            f"{said}; probably the labels are of another set of categories, in another column (--label), or shifted "
            "against their listings, or the listings are unlike all that the models learnt"
        )
