"""A space in which photos are compared: what all photos have in common counts for little.

Features of photos are centred and whitened (principal components scaled to unit variance; Jégou & Chum 2012,
"Negative evidences and co-occurrences in image retrieval"). So directions that many photos share, such as a studio's
backdrop, count for nothing, and what is rare counts. What is common is known from the photos that the space was made
of, and can be learnt from a catalogue without any labels.
"""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from productcat.errors import BundleError

SETTLING = 20.0
"""Number of listings at which a catalogue counts as much as what was known before."""

RIDGE = 0.1
"""Share of the mean variance added to every direction, so that rare ones are not blown up without measure."""

ROWS_AT_ONCE = 4_096
"""Number of rows held in double precision together."""


def known_share(listings: float) -> float:
    """Return how much a catalogue of so many listings counts, in [0, 1)."""
    return float(listings / (listings + SETTLING))


class Rows(Protocol):
    """Features of photos, shape (n_photos, n_features), that are read a slice at a time."""

    @property
    def shape(self) -> Any: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Background:
    """What photos look like in general.

    mean : ndarray of shape (n_features,)
    covariance : ndarray of shape (n_features, n_features)
    share : float in [0, 1)
        Share of it that comes from the catalogue that it was adapted to.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    share: float = 0.0

    @classmethod
    def of(cls, features: Rows, weights: NDArray[np.float64]) -> Self:
        """Measure the mean and the covariance of rows.

        features : array of shape (n, n_features); weights : ndarray of shape (n,), such as 1 / photos of the listing
        """
        share = weights / weights.sum()
        n_features = features.shape[1]
        mean, second = np.zeros(n_features), np.zeros((n_features, n_features))
        for start in range(0, len(features), ROWS_AT_ONCE):
            part = features[start : start + ROWS_AT_ONCE].astype(np.float64)
            weighted = part * share[start : start + ROWS_AT_ONCE, None]
            mean, second = mean + weighted.sum(axis=0), second + weighted.T @ part
        return cls(mean, second - np.outer(mean, mean))

    def adapted(self, features: Rows, weights: NDArray[np.float64], share: float) -> "Background":
        """Mix this background with that of a catalogue, which counts more when it is larger.

        Parameters
        ----------
        features : array of shape (n_photos, n_features)
        weights : ndarray of shape (n_photos,)
            They sum to 1 for each listing, so that listings count alike.
        share : float in [0, 1)
            That of the catalogue in the mixture, such as `known_share` says.
        """
        catalogue = Background.of(features, weights)
        apart = catalogue.mean - self.mean
        return Background(
            self.mean + share * apart,
            # of a mixture: what each varies, and how far they are apart
            (1 - share) * self.covariance + share * catalogue.covariance + share * (1 - share) * np.outer(apart, apart),
            1 - (1 - share) * (1 - self.share),
        )

    def space(self, n_dimensions: int) -> "Space":
        """Make the whitened space of the directions that vary most."""
        ridge = RIDGE * np.trace(self.covariance) / len(self.covariance)
        variances, directions = np.linalg.eigh(self.covariance)
        variances, directions = variances[::-1][:n_dimensions], directions[:, ::-1][:, :n_dimensions]
        if not (variances + ridge > 0).all():
            raise BundleError("the covariance of a level has variances far below 0; get the bundle again")
        matrix = directions / np.sqrt(variances + ridge)
        return Space(self.mean.astype(np.float32), matrix.astype(np.float32))


@dataclass(frozen=True)
class Space:
    """A space in which photos are compared by the cosine.

    mean : ndarray of shape (n_features,); matrix : ndarray of shape (n_features, n_dimensions)
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def project(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return vectors of photos, shape (n_photos, n_dimensions), not scaled to length 1."""
        centred: NDArray[np.float32] = features - self.mean
        return centred @ self.matrix
