"""Which photos of two listings match and what their titles say, to explain the score of a pair."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.titles import TitleWord, said_of_titles
from productcat.listings.photo_kinds import Photo
from productcat.listings.photos import name_of, thumbnail_or_reason
from productcat.notebook import SIDE, bars, card, figure, note

SHOWN = 3
"""Number of matches that a notebook shows."""


@dataclass(frozen=True)
class PhotoMatch:
    """Two photos and how alike they are.

    left, right: the number of each photo among the readable photos of its listing.
    levels: cosine on each level of the image model. Higher levels see objects, lower ones scenes and surfaces.
    copy: correlation of the two as thumbnails, however turned or mirrored; 1 for the same picture.
    """

    left: int
    right: int
    levels: dict[str, float]
    copy: float


class PhotoMatches(list[PhotoMatch]):
    """A list of PhotoMatch, best first, that a notebook shows as photos side by side, and what the titles did.

    left_photos, right_photos : sequence
        The photos of both listings, as the listings have them; empty where they are no longer known, as in an
        embedding. They are opened only when they are shown.
    title_words : sequence of TitleWord
        What each word of the titles counts. Empty where the detector knows nothing of titles, or one is missing.
    """

    def __init__(
        self,
        matches: Iterable[PhotoMatch] = (),
        left_photos: Sequence[Photo] = (),
        right_photos: Sequence[Photo] = (),
        title_words: Sequence[TitleWord] = (),
    ) -> None:
        super().__init__(matches)
        self.left_photos, self.right_photos = left_photos, right_photos
        self.title_words = title_words

    def _repr_html_(self) -> str:
        """Show the best matches in a notebook, each as two photos with bars between them."""
        said = said_of_titles(self.title_words)
        titles = [note(f"The title {said}.")] if said else []
        if not self:
            return card(note("no photos to compare"), *titles)
        shown = self[:SHOWN]
        lefts = _figures(self.left_photos, {match.left for match in shown})
        rights = _figures(self.right_photos, {match.right for match in shown})
        rows = (_row(match, lefts.get(match.left), rights.get(match.right)) for match in shown)
        more = [note(f"+ {len(self) - SHOWN} more")] if len(self) > SHOWN else []
        return card(*rows, *more, *titles)


def _figures(photos: Sequence[Photo], wanted: set[int]) -> dict[int, str]:
    """Make figures of some photos, by their numbers among those that can be read."""
    found: dict[int, str] = {}
    readable = 0
    for number, photo in enumerate(photos, 1):
        if len(found) == len(wanted):
            break
        jpeg, _ = thumbnail_or_reason(photo, SIDE)
        if jpeg is None:
            continue
        if readable in wanted:
            found[readable] = figure(jpeg, name_of(photo) or f"photo {number}")
        readable += 1
    return found


def _row(match: PhotoMatch, left: str | None, right: str | None) -> str:
    levels = zip(level_names(match.levels), match.levels.values(), strict=True)
    drawn = bars((name, value, f"{value:.2f}") for name, value in (*levels, ("copy", match.copy)))
    sides = [side or note(f"photo {number + 1}") for side, number in ((left, match.left), (right, match.right))]
    return f'<div class="match">{sides[0]}{drawn}{sides[1]}</div>'


def level_names(levels: Iterable[str]) -> list[str]:
    """Name the levels of an image model for people, lowest first.

    Of two levels, the lower one sees scenes and surfaces, and the higher one objects. Others are named by their layers.
    """
    names = [level.removeprefix("embedding_").replace("_", " ") for level in levels]
    return ["background", "object"] if len(names) == 2 else names


@dataclass(frozen=True)
class ReportedPair:
    """A pair of the report. matches: the best first. title_words: what each word of the titles counts."""

    pair: DuplicatePair
    matches: Sequence[PhotoMatch]
    title_words: Sequence[TitleWord] = ()
