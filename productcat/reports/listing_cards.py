"""What a report of duplicates shows of a listing: its title, and its photos as small JPEGs."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from productcat.listings.listing import Listing
from productcat.listings.photo_limits import cores
from productcat.listings.photos import is_blank, name_of, thumbnail_or_reason
from productcat.reports.reported_groups import ReportedGroup, marked_matches, photos_each

SIDE = 320
"""Pixels of the longer side of a photo: what one can judge on a phone, two of them side by side."""

QUALITY = 80
"""JPEG quality of the photos."""


@dataclass(frozen=True)
class Photo:
    """A photo of the report. number: its place in the listing, from 1."""

    number: int
    name: str
    jpeg: bytes


@dataclass(frozen=True)
class ListingCard:
    """What the report shows of a listing.

    title : str
    photos : dict, number among the readable photos → Photo
        Those that match, and as many others as have a place.
    count : int
        Photos that can be read.
    """

    title: str
    photos: Mapping[int, Photo]
    count: int


GONE = ListingCard("", {}, 0)
"""The card of a listing that cannot be found any more."""


@dataclass(frozen=True)
class SharedPicture:
    """A picture that lies in so many listings that it says nothing about any of them.

    photos : sequence of (str, int)
        The listing and the number among its readable photos, for each place where the picture lies.
    """

    photos: Sequence[tuple[str, int]]


def draw(
    groups: Iterable[ReportedGroup], listings: Iterable[Listing], shared: Iterable[SharedPicture] = ()
) -> Iterator[tuple[str, ListingCard]]:
    """Yield the id and the card of each listing that the report shows.

    Parameters
    ----------
    groups : iterable of ReportedGroup
    listings : iterable of Listing
        May be longer than memory; those of no group are passed over.
    shared : iterable of SharedPicture
        Each is drawn from the first of its listings.
    """
    wanted: dict[str, set[int]] = {}
    room: dict[str, int] = {}
    for picture in shared:
        id, number = picture.photos[0]
        wanted.setdefault(id, set()).add(number)
    for group in groups:
        for id in group.shown:
            room[id] = max(room.get(id, 0), photos_each(len(group.shown)))
            wanted.setdefault(id, set())
        for left, right, matches in marked_matches(group):
            wanted[left].update(match.left for match in matches)
            wanted[right].update(match.right for match in matches)
    with ThreadPoolExecutor(cores()) as pool:
        for listing in listings:
            if listing.id in wanted:
                yield listing.id, _card(listing, wanted[listing.id], room.get(listing.id, 0), pool)


def _card(listing: Listing, wanted: Container[int], room: int, pool: ThreadPoolExecutor) -> ListingCard:
    photos: dict[int, Photo] = {}
    count = 0
    drawn = pool.map(lambda photo: thumbnail_or_reason(photo, SIDE, QUALITY)[0], listing.photos)
    for number, (photo, jpeg) in enumerate(zip(listing.photos, drawn, strict=True), 1):
        if jpeg is None or is_blank(jpeg):
            continue  # the detector does not number it either
        # another photo that matches may still come, so up to `room` others are kept beside those that match
        if count in wanted or sum(other not in wanted for other in photos) < room:
            photos[count] = Photo(number, name_of(photo), jpeg)
        count += 1
    return ListingCard(listing.title, photos, count)
