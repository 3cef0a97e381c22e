"""From confidences to a decision: assign the category, show a shortlist, or abstain and ask."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from productcat.notebook import badge, bars, card, note, percent

Decision = Literal["assign", "shortlist", "abstain"]

ASSIGN: Decision = "assign"
SHORTLIST: Decision = "shortlist"
ABSTAIN: Decision = "abstain"


@dataclass(frozen=True)
class Candidate:
    """A category that a listing may belong to.

    Attributes
    ----------
    category : str
    confidence : float
        Calibrated probability, in [0, 1].
    divergence : float, optional
        KL(listing‖projection) in nats: how far the listing's distribution is from the category's projection. None
        where it is not known, as in a prediction read from a file. It does not count when candidates are compared.
    """

    category: str
    confidence: float
    divergence: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Prediction:
    """What to do with one listing.

    Attributes
    ----------
    decision : "assign" | "shortlist" | "abstain"
    category : str | None
        The category when the decision is "assign", else None.
    candidates : tuple of Candidate
        Best first. For "shortlist" the categories to show to the seller: those at or above the rule's `shortlist_at`.
        Otherwise the best ones, for information. Empty where there is no evidence.
    id : str
        The listing's id.
    problems : tuple of str
        One line for each photo that could not be used.
    """

    decision: Decision
    category: str | None = None
    candidates: tuple[Candidate, ...] = ()
    id: str = ""
    problems: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the decision, its candidates with bars, and what is wrong with photos."""
        meaning = {ASSIGN: self.category, SHORTLIST: "let the seller choose"}.get(self.decision, "ask the seller")
        rows = [
            (each.category, each.confidence, percent(each.confidence) + _nats(each.divergence))
            for each in self.candidates
        ]
        evidence = bars(rows) if rows else note("no evidence, neither a photo nor a word that is known")
        return card(badge(self.decision, str(meaning), self.id), evidence, *map(note, self.problems))


def _nats(divergence: float | None) -> str:
    return "" if divergence is None else f", {divergence:.2f} nats"


@dataclass(frozen=True)
class DecisionRule:
    """When to trust a confidence.

    The best category's confidence decides. At or above `assign_at` the category is assigned. At or above `shortlist_at`
    the seller is shown a shortlist. Below that the decision is to abstain.

    Raises
    ------
    ValueError
        Unless 0 <= shortlist_at <= assign_at <= 1 and shortlist_size >= 1.
    """

    assign_at: float = 0.9
    shortlist_at: float = 0.5
    shortlist_size: int = 5

    def __post_init__(self) -> None:
        if not 0.0 <= self.shortlist_at <= self.assign_at <= 1.0:
            raise ValueError(
                f"shortlist_at={self.shortlist_at}, assign_at={self.assign_at}: "
                "expected 0 <= shortlist_at <= assign_at <= 1"
            )
        if self.shortlist_size < 1 or self.shortlist_size != int(self.shortlist_size):
            raise ValueError(f"shortlist_size={self.shortlist_size}: expected a whole number, at least 1")
        # NumPy's numbers become Python's, which JSON knows
        object.__setattr__(self, "assign_at", float(self.assign_at))
        object.__setattr__(self, "shortlist_at", float(self.shortlist_at))
        object.__setattr__(self, "shortlist_size", int(self.shortlist_size))

    def decide(
        self,
        categories: Sequence[str],
        confidences: NDArray[np.float64],
        id: str = "",
        problems: Iterable[str] = (),
        divergences: NDArray[np.float64] | None = None,
    ) -> Prediction:
        """Turn one row of confidences into a Prediction.

        Parameters
        ----------
        categories : sequence of str, length n_categories
        confidences : ndarray of shape (n_categories,)
            A row of NaN (no evidence) abstains without candidates.
        divergences : ndarray of shape (n_categories,), optional
            In nats, for the candidates.
        """
        if np.isnan(confidences).any():
            return Prediction(ABSTAIN, id=id, problems=tuple(problems))
        best = np.argsort(-confidences, kind="stable")[: self.shortlist_size]
        nats = [None if divergences is None else float(divergences[i]) for i in best]
        candidates = tuple(
            Candidate(categories[i], float(confidences[i]), each) for i, each in zip(best, nats, strict=True)
        )
        top = candidates[0]
        if top.confidence >= self.assign_at:
            return Prediction(ASSIGN, top.category, candidates, id, tuple(problems))
        if top.confidence >= self.shortlist_at:
            shown = tuple(each for each in candidates if each.confidence >= self.shortlist_at)
            return Prediction(SHORTLIST, None, shown, id, tuple(problems))
        return Prediction(ABSTAIN, None, candidates, id, tuple(problems))
