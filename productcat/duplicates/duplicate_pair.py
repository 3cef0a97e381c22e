"""A pair of listings that may show the same item."""

from dataclasses import dataclass

from productcat.notebook import bars, card, headline, percent


@dataclass(frozen=True)
class DuplicatePair:
    """Two listings, by id, and the probability that they show the same item."""

    left: str
    right: str
    score: float

    def _repr_html_(self):
        """What a notebook shows: both ids and the score. Photos are in the evidence that `explain` gives."""
        same = bars([("the same item", self.score, percent(self.score))])
        return card(headline(f"{self.left} and {self.right}"), same)
