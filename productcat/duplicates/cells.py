"""Cells of vectors: the nearest ones of a vector are looked for in its own cell and in a few beside it.

Comparing all with all costs N² steps. Here k-means divides vectors into cells of some hundred (an inverted file: Jégou,
Douze & Schmid 2011, "Product quantization for nearest neighbor search"; a tree of small k-means makes the cells: Nistér
& Stewénius 2006, "Scalable recognition with a vocabulary tree"). Each vector is compared with the members of a few
cells, whatever their number, so the cost grows as N does. Only one cell at a time is held in float32.

Nothing is drawn from the order of the vectors: what looks random is computed from the vectors themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit

COMPARED_WITH_ALL = 5_000
"""Number of vectors up to which each is compared with all others."""

MEMBERS = 800
"""Number of vectors in a cell, at most."""

PROBED = 8
"""Number of cells in which the nearest of a vector are looked for: its own and those beside it."""

BESIDE = 256
"""Number of cells, the nearest to a cell, from which each of its members chooses those."""

BRANCHES = 16
"""Number of parts into which k-means divides vectors at a time, at most."""

SAMPLED = 64
"""Number of vectors for each part from which k-means learns."""

ROUNDS = 8
"""Number of rounds of k-means."""

DEPTH = 12
"""Number of times that vectors are divided by k-means. What is still together then is hardly apart."""

VECTORS_AT_ONCE = 512
"""Number of vectors compared with a cell together."""

Rows: TypeAlias = NDArray[np.intp]
"""Numbers of vectors, shape (n,)."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Unit vectors of one or several spaces, side by side; their products are the sums of cosines.

    parts : sequence of ndarray of shape (n_vectors, n_dimensions), float32 or float16
    """

    parts: Sequence[NDArray[Any]]

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.parts[0])

    def at(self, rows: Rows) -> NDArray[np.float32]:
        """Return some vectors, shape (n_rows, n_dimensions of all parts)."""
        return np.concatenate([part[rows] for part in self.parts], axis=1, dtype=np.float32)

    @cached_property
    def lots(self) -> NDArray[np.float64]:
        """A number in [0, 1) for each vector, shape (n_vectors,): the same for the same vector, else as if drawn."""
        n_dimensions = sum(part.shape[1] for part in self.parts)
        direction = np.random.default_rng(0).normal(size=n_dimensions)
        found = np.empty(len(self))
        for some in _batches(np.arange(len(self))):
            # einsum, unlike a matrix product, gives a row the same bits whatever rows are beside it
            found[some] = np.einsum("nd,d->n", self.at(some), direction)
        lots: NDArray[np.float64] = np.abs(found) * 100 % 1.0
        return lots


@dataclass(frozen=True, eq=False)
class Cells:
    """Vectors in cells.

    vectors : Vectors
    members : list of ndarray of shape (n_members,), int
        The vectors of each cell. Each is in one.
    probed : ndarray of shape (n_vectors, n_probed), int
        The cells in which the nearest of each vector are looked for.
    """

    vectors: Vectors
    members: list[Rows]
    probed: NDArray[np.int32]

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """Divide vectors into cells; a few stay together in one."""
        if len(vectors) <= COMPARED_WITH_ALL:
            return cls(vectors, [np.arange(len(vectors))], np.zeros((len(vectors), 1), np.int32))
        members = _divided(vectors, np.arange(len(vectors)))
        # once more from where each is nearest: a wrong turn far up in the tree would part a photo from its copy
        nearest = _cells_beside(vectors, members, 1, own=False)[:, 0]
        ends = np.cumsum(np.bincount(nearest, minlength=len(members)))
        moved = np.split(np.argsort(nearest, kind="stable"), ends[:-1])
        members = [cell for rows in moved if len(rows) for cell in _divided(vectors, rows)]
        return cls(vectors, members, _cells_beside(vectors, members, PROBED, own=True))

    def nearest(self, rows: Rows, owners: Rows, k: int) -> Rows:
        """Find the nearest vectors of others.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), int
            The vectors whose nearest are looked for.
        owners : ndarray of shape (n_vectors,), int
            Whose each vector is.
        k : int

        Returns
        -------
        ndarray of shape (n_rows, k), int
            In no order; -1 where there are not so many.
        """
        found = np.full((len(rows), k), -1)
        cosines = np.full((len(rows), k), -np.inf, np.float32)
        cells = self.probed[rows]
        order = np.argsort(cells, axis=None, kind="stable")
        bounds = np.searchsorted(cells.ravel()[order], np.arange(len(self.members) + 1))
        for members, start, end in zip(self.members, bounds[:-1], bounds[1:], strict=True):
            if start == end:
                continue
            theirs = self.vectors.at(members).T
            for some in _batches(order[start:end] // cells.shape[1]):
                inner = self.vectors.at(rows[some]) @ theirs
                inner[owners[rows[some], None] == owners[members]] = -np.inf
                both = np.concatenate([cosines[some], inner], axis=1)
                best = np.argpartition(both, both.shape[1] - k, axis=1)[:, -k:]
                cosines[some] = np.take_along_axis(both, best, axis=1)
                earlier = np.take_along_axis(found[some], np.minimum(best, k - 1), axis=1)
                found[some] = np.where(best < k, earlier, members[np.maximum(best - k, 0)])
        return np.where(np.isfinite(cosines), found, -1)


def _batches(rows: Rows) -> list[Rows]:
    return [rows[start : start + VECTORS_AT_ONCE] for start in range(0, len(rows), VECTORS_AT_ONCE)]


def _divided(vectors: Vectors, rows: Rows) -> list[Rows]:
    """Divide some vectors into cells, each of at most MEMBERS."""
    cells, waiting = [], [(rows, 0)]
    while waiting:
        rows, depth = waiting.pop()
        if len(rows) <= MEMBERS:
            cells.append(rows)
            continue
        centres = _centres(vectors, rows)
        if depth == DEPTH or len(centres) == 1:  # no distances tell them apart
            rows = rows[np.argsort(vectors.lots[rows], kind="stable")]
            cells += np.array_split(rows, -(-len(rows) // MEMBERS))
            continue
        nearest = np.concatenate([(vectors.at(some) @ centres.T).argmax(axis=1) for some in _batches(rows)])
        parts = [rows[nearest == number] for number in range(len(centres))]
        waiting += [(part, depth + 1) for part in parts if len(part)]
    return cells


def _centres(vectors: Vectors, rows: Rows) -> NDArray[np.float32]:
    """Find centres of some vectors by k-means, shape (n_centres, n_dimensions), of length 1."""
    n = min(BRANCHES, -(-2 * len(rows) // MEMBERS))
    # repeats count once, so that what is posted most often does not take all centres
    sample = vectors.at(rows[np.unique(vectors.lots[rows], return_index=True)[1][: n * SAMPLED]])
    centres = sample[:n]
    for _ in range(ROUNDS):
        nearest = (sample @ centres.T).argmax(axis=1)
        there = np.equal.outer(np.arange(len(centres)), nearest).astype(np.float32)
        centres = np.where(there.any(axis=1, keepdims=True), unit(there @ sample), centres)
    return centres


def _cells_beside(vectors: Vectors, members: Sequence[Rows], n: int, own: bool) -> NDArray[np.int32]:
    """Choose the n cells with the nearest centres for each vector, or fewer if there are not so many.

    own : whether its own is always one of them → ndarray of shape (n_vectors, n)
    """
    centres = unit(np.stack([vectors.at(rows).mean(axis=0, dtype=np.float64) for rows in members])).astype(np.float32)
    n_beside, n = min(BESIDE, len(members)), min(n, len(members))
    found = np.empty((len(vectors), n), np.int32)
    for cell, rows in enumerate(members):
        likeness = centres @ centres[cell]
        likeness[cell] = np.inf
        beside = np.argpartition(-likeness, n_beside - 1)[:n_beside]
        inner = vectors.at(rows) @ centres[beside].T
        if own:
            inner[:, beside == cell] = np.inf
        found[rows] = beside[np.argpartition(-inner, n - 1, axis=1)[:, :n]]
    return found
