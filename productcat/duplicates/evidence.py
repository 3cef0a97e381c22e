"""What two sets of photos say about being of one item: numbers that neither the order of the photos nor that of the
two sets can change."""

import numpy as np

from productcat.duplicates.leave_out import cosines_without
from productcat.duplicates.thumbnails import copy_evidence, correlations

CHUNK = 16_384
"""Pairs of photos compared at once, which bounds the memory."""


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
