"""From confidences to a decision: assign the category, show a shortlist, or abstain and ask."""

from dataclasses import dataclass

import numpy as np

from productcat.notebook import badge, bars, card, note, percent

ASSIGN, SHORTLIST, ABSTAIN = "assign", "shortlist", "abstain"


@dataclass(frozen=True)
class Candidate:
    """A category that a listing may belong to. confidence: calibrated probability in [0, 1]."""

    category: str
    confidence: float


@dataclass(frozen=True)
class Prediction:
    """What to do with one listing.

    Attributes
    ----------
    decision : "assign" | "shortlist" | "abstain"
    category : str | None
        The category when the decision is "assign", else None.
    candidates : tuple of Candidate
        Best first. For "shortlist" the categories to show to the seller: those at or above the rule's
        `shortlist_at`. Otherwise the best ones, for information; empty where there is no evidence.
    id : str
        The listing's id.
    problems : tuple of str
        One line for each photo that could not be used.
    """

    decision: str
    category: str | None = None
    candidates: tuple[Candidate, ...] = ()
    id: str = ""
    problems: tuple[str, ...] = ()

    def _repr_html_(self):
        """What a notebook shows: the decision, its candidates with bars, and what is wrong with photos."""
        said = {ASSIGN: self.category, SHORTLIST: "let the seller choose"}.get(self.decision, "ask the seller")
        rows = [(each.category, each.confidence, percent(each.confidence)) for each in self.candidates]
        evidence = bars(rows) if rows else note("no evidence, neither a photo nor a word that is known")
        return card(badge(self.decision, said, self.id), evidence, *map(note, self.problems))


@dataclass(frozen=True)
class DecisionRule:
    """When to trust a confidence.

    The best category's confidence decides: at or above `assign_at` it is assigned, at or above `shortlist_at` the
    seller is shown a shortlist, and below that the decision is to abstain.

    Raises
    ------
    ValueError
        Unless 0 <= shortlist_at <= assign_at <= 1 and shortlist_size >= 1.
    """

    assign_at: float = 0.9
    shortlist_at: float = 0.5
    shortlist_size: int = 5

    def __post_init__(self):
        if not 0.0 <= self.shortlist_at <= self.assign_at <= 1.0:
            raise ValueError(
                f"shortlist_at={self.shortlist_at}, assign_at={self.assign_at}: "
                "expected 0 <= shortlist_at <= assign_at <= 1"
            )
        if self.shortlist_size < 1 or self.shortlist_size != int(self.shortlist_size):
            raise ValueError(f"shortlist_size={self.shortlist_size}: expected a whole number, at least 1")
        # as JSON knows them, where they are NumPy's
        object.__setattr__(self, "assign_at", float(self.assign_at))
        object.__setattr__(self, "shortlist_at", float(self.shortlist_at))
        object.__setattr__(self, "shortlist_size", int(self.shortlist_size))

    def decide(self, categories, confidences, id="", problems=()):
        """Turn one row of confidences into a Prediction.

        Parameters
        ----------
        categories : sequence of str, length n_categories
        confidences : ndarray of shape (n_categories,)
            A row of NaN (no evidence) abstains without candidates.
        """
        if np.isnan(confidences).any():
            return Prediction(ABSTAIN, id=id, problems=tuple(problems))
        best = np.argsort(-confidences, kind="stable")[: self.shortlist_size]
        candidates = tuple(Candidate(categories[i], float(confidences[i])) for i in best)
        top = candidates[0]
        if top.confidence >= self.assign_at:
            return Prediction(ASSIGN, top.category, candidates, id, tuple(problems))
        if top.confidence >= self.shortlist_at:
            shown = tuple(each for each in candidates if each.confidence >= self.shortlist_at)
            return Prediction(SHORTLIST, None, shown, id, tuple(problems))
        return Prediction(ABSTAIN, None, candidates, id, tuple(problems))
