"""What two sets of photos say about being of one item: numbers that neither the order of the photos nor that of the
two sets can change."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from productcat.duplicates.borders import without_border, without_frame
from productcat.duplicates.leave_out import OwnShares, cosines_without
from productcat.duplicates.whitening import unit
from productcat.listings.photos import fit

SIDE = 16
"""Thumbnails have this many pixels a side."""

CHUNK = 16_384
"""Pairs of photos compared at once, which bounds the memory."""

ALIKE = 0.02
"""From a correlation of 1 - ALIKE on, thumbnails are evidence of a copy: below, photos of two items of one kind are."""

SHARP = 5e-4
"""Thumbnails of one photo may differ by as much from rounding."""

_GRID = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
TURNS = np.stack([np.rot90(grid, k).ravel() for grid in (_GRID, _GRID.T) for k in range(4)])
"""The eight ways to turn and mirror a thumbnail, as orders of its pixels."""


@dataclass(frozen=True)
class PhotoSets:
    """The photos of many listings, one below the other.

    vectors : dict, level → ndarray of shape (n_photos, n_dimensions), float32
        Unit vectors in the space of each level.
    lengths : dict, level → ndarray of shape (n_photos,), float32
        What they were before they were scaled to unit length.
    thumbnails : ndarray of shape (n_photos, SIDE * SIDE), int8
        As `thumbnails` makes them.
    counts : ndarray of shape (n_listings,), int
        Photos of each listing.
    own : OwnShares, optional
        Where the spaces were adapted to a catalogue, which may hold these photos.
    """

    vectors: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    thumbnails: np.ndarray
    counts: np.ndarray
    own: OwnShares | None = None

    @property
    def starts(self):
        """The row of each listing's first photo, shape (n_listings,)."""
        return np.cumsum(self.counts) - self.counts

    def means(self, level):
        """The mean vector of each listing, scaled to length 1; zeros without photos. (n_listings, n_dimensions)"""
        sums = np.zeros((len(self.counts), self.vectors[level].shape[1]), np.float32)
        some = self.counts > 0
        if some.any():
            sums[some] = np.add.reduceat(self.vectors[level], self.starts[some])
        return unit(sums)


def unframed(photos):
    """Photos without the frames that sellers put around them, scaled to what they were. (n, height, width, 3), uint8"""
    inside = [without_frame(each) for each in photos]
    if all(each is photo for each, photo in zip(inside, photos, strict=True)):
        return photos
    return np.stack([fit(Image.fromarray(each), photos.shape[1:3]) for each in inside])


def thumbnails(photos):
    """Gray thumbnails without brightness, contrast, and borders of one colour (frames, backdrops, filled-up frames).

    photos : ndarray of shape (n, height, width, 3), dtype uint8 → ndarray of shape (n, SIDE * SIDE), int8
    """
    size = photos.shape[1:3]
    inside = [fit(Image.fromarray(each), size) for each in map(without_border, photos)]
    gray = np.stack(inside).mean(axis=3, dtype=np.float32)
    for axis in (1, 2):
        edges = np.linspace(0, gray.shape[axis], SIDE + 1).astype(int)
        gray = np.add.reduceat(gray, edges[:-1], axis) / np.diff(edges).reshape(
            [-1 if i == axis else 1 for i in range(3)]
        )
    flat = gray.reshape(len(gray), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.round(flat * (127 / np.maximum(np.abs(flat).max(axis=1, keepdims=True), 1.0))).astype(np.int8)


def evidence(left, right, pairs):
    """Compare pairs of listings.

    Parameters
    ----------
    left, right : PhotoSets
    pairs : ndarray of shape (n_pairs, 2), int
        Numbers of listings that have photos, in `left` and in `right`.

    Returns
    -------
    ndarray of shape (n_pairs, 3 * n_levels + 2), float32
        For each level the cosine of the mean vectors, that of the two most similar photos, and the mean over all photos
        of both sets of the best in the other set; then how surely two photos are copies, by `copy_evidence`; then the
        logarithm of the number of pairs of photos.
    """
    means = {} if left.own else {level: (left.means(level), right.means(level)) for level in left.vectors}
    sizes = left.counts[pairs[:, 0]] * right.counts[pairs[:, 1]]
    ends = np.searchsorted(np.cumsum(sizes), np.arange(CHUNK, sizes.sum() + CHUNK, CHUNK), side="right")
    parts, begin = [], 0
    for end in [*ends, len(pairs)]:
        end = min(max(end, begin + 1), len(pairs))
        if begin < end:
            parts.append(_chunk(left, right, pairs[begin:end], means))
        begin = end
    return np.concatenate(parts) if parts else np.empty((0, 3 * len(left.vectors) + 2), np.float32)


def _chunk(left, right, pairs, means):
    first, second = pairs.T
    grid = _Grid(left.counts[first], right.counts[second])
    i, j = left.starts[first][grid.pair] + grid.row, right.starts[second][grid.pair] + grid.column
    columns = []
    for level in left.vectors:
        if left.own:
            of_means, cosines = _cosines_without(left, right, pairs, level, grid)
        else:
            ours, theirs = means[level]
            of_means = np.einsum("nd,nd->n", ours[first], theirs[second])
            cosines = np.einsum("nd,nd->n", left.vectors[level][i], right.vectors[level][j])
        columns += [of_means, grid.best(cosines), grid.mean_of_best(cosines)]
    columns.append(copy_evidence(grid.best(correlations(left.thumbnails[i], right.thumbnails[j]))))
    columns.append(np.log(grid.sizes))
    return np.stack(columns, axis=1).astype(np.float32)


def _cosines_without(left, right, pairs, level, grid):
    """As `leave_out.cosines_without`. → of the means of each pair of listings, of all their pairs of photos"""
    of_means, cosines = np.empty(len(pairs)), np.empty(len(grid.pair))
    shapes = np.stack([left.counts[pairs[:, 0]], right.counts[pairs[:, 1]]], axis=1)
    for shape in np.unique(shapes, axis=0):
        some = np.flatnonzero((shapes == shape).all(axis=1))
        photos = []
        for side, column in ((left, 0), (right, 1)):
            rows = side.starts[pairs[some, column], None] + np.arange(shape[column])
            photos.append((side.vectors[level][rows] * side.lengths[level][rows][:, :, None], *side.own.at(rows)))
        both = (np.concatenate(each, axis=1) for each in zip(*photos, strict=True))
        found, of_means[some] = cosines_without(*both, shape[0])
        cosines[grid.starts[some, None] + np.arange(shape.prod())] = found.reshape(len(some), -1)
    return of_means, cosines


def photo_cosines(left, right, level):
    """Cosines of all photos of one listing with all of another. left, right : PhotoSets → (n_left, n_right)"""
    if not left.own or not len(left.thumbnails) or not len(right.thumbnails):
        return left.vectors[level] @ right.vectors[level].T
    grid, shape = _Grid(left.counts, right.counts), (len(left.thumbnails), len(right.thumbnails))
    return _cosines_without(left, right, np.zeros((1, 2), int), level, grid)[1].reshape(shape)


def correlations(first, second):
    """Greatest correlation of aligned thumbnails over the eight turns, in whole numbers and so alike both ways.

    first, second : ndarray of shape (n, SIDE * SIDE), int8 → ndarray of shape (n,), 0 where one has no contrast
    """
    # float32 holds whole numbers up to 2**24 exactly, these stay below 127 * 127 * 256, and its products are fast
    first, second = first.astype(np.float32), second.astype(np.float32)
    best = np.max([np.einsum("nd,nd->n", first, second[:, turn]) for turn in TURNS], axis=0)
    lengths = np.sqrt(np.einsum("nd,nd->n", first, first)) * np.sqrt(np.einsum("nd,nd->n", second, second))
    return np.where(lengths > 0, best / np.maximum(lengths, 1.0), 0.0)


def copy_evidence(correlations):
    """What a correlation of thumbnails says of two photos being one picture: 0 up to 1 - ALIKE, then the logarithm.

    Between a correlation of 0.96 and one of 0.99 lies more than between 0.1 and 0.9.
    """
    return np.maximum(np.log((ALIKE + SHARP) / (1.0 - np.minimum(correlations, 1.0) + SHARP)), 0.0)


class _Grid:
    """All pairs of photos of many pairs of listings, as flat arrays: listing pair by listing pair, row by row.

    pair, row, column : ndarray of shape (n_photo_pairs,), int
    """

    def __init__(self, rows, columns):
        self.rows, self.columns, self.sizes = rows, columns, rows * columns
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.pair = np.repeat(np.arange(len(rows)), self.sizes)
        place = np.arange(len(self.pair)) - self.starts[self.pair]
        self.row, self.column = np.divmod(place, columns[self.pair])
        self.by_column = self.starts[self.pair] + (place % rows[self.pair]) * columns[self.pair]
        self.by_column += place // rows[self.pair]

    def best(self, values):
        """The greatest value of each pair of listings."""
        return np.maximum.reduceat(values, self.starts)

    def mean_of_best(self, values):
        """Mean over all photos, of both listings, of the best value with a photo of the other listing."""
        rows = self._sum_of_best(values, self.rows, self.columns)
        return (rows + self._sum_of_best(values[self.by_column], self.columns, self.rows)) / (self.rows + self.columns)

    def _sum_of_best(self, values, segments, length):
        """values lie in `segments` runs of `length` each."""
        runs = np.repeat(length, segments)
        best = np.maximum.reduceat(values, np.cumsum(runs) - runs)
        return np.add.reduceat(best, np.cumsum(segments) - segments)
