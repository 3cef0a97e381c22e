"""A space in which photos are compared: what all photos have in common counts for little.

Features of photos are centred and whitened (principal components scaled to unit variance; Jégou & Chum 2012,
"Negative evidences and co-occurrences in image retrieval"), so directions that many photos share, such as a studio's
backdrop, are no evidence, and what is rare is. What is common is known from the photos that the space was made of, and
can be learnt from a catalogue without any labels.
"""

from dataclasses import dataclass

import numpy as np

SETTLING = 20.0
"""Listings of a catalogue at which it counts as much as what was known before."""

RIDGE = 0.1
"""Share of the mean variance added to every direction, so that rare ones are not blown up without measure."""

ROWS = 4_096
"""Rows that are held in double precision at once."""


def known_share(listings):
    """How much a catalogue of so many listings counts, in [0, 1)."""
    return float(listings / (listings + SETTLING))


@dataclass(frozen=True)
class Background:
    """What photos look like in general.

    mean : ndarray of shape (n_features,)
    covariance : ndarray of shape (n_features, n_features)
    share : float in [0, 1)
        How much of it is of the catalogue that it was adapted to.
    """

    mean: np.ndarray
    covariance: np.ndarray
    share: float = 0.0

    @classmethod
    def of(cls, features, weights):
        """Mean and covariance of rows.

        features : ndarray of shape (n, n_features); weights : ndarray of shape (n,), such as 1 / photos of the listing
        """
        share = weights / weights.sum()
        mean, second = 0.0, 0.0
        for start in range(0, len(features), ROWS):
            part = features[start : start + ROWS].astype(np.float64)
            weighted = part * share[start : start + ROWS, None]
            mean, second = mean + weighted.sum(axis=0), second + weighted.T @ part
        return cls(mean, second - np.outer(mean, mean))

    def adapted(self, features, weights):
        """A mixture of this background and that of a catalogue, which counts the more the larger it is.

        Parameters
        ----------
        features : ndarray of shape (n_photos, n_features)
        weights : ndarray of shape (n_photos,)
            Summing to 1 for each listing, so that listings count alike.
        """
        catalogue, share = Background.of(features, weights), known_share(weights.sum())
        apart = catalogue.mean - self.mean
        return Background(
            self.mean + share * apart,
            # of a mixture: what each varies, and how far they are apart
            (1 - share) * self.covariance + share * catalogue.covariance + share * (1 - share) * np.outer(apart, apart),
            1 - (1 - share) * (1 - self.share),
        )

    def space(self, n_dimensions):
        """The whitened space of the directions that vary most. → Space"""
        ridge = RIDGE * np.trace(self.covariance) / len(self.covariance)
        variances, directions = np.linalg.eigh(self.covariance)
        variances, directions = variances[::-1][:n_dimensions], directions[:, ::-1][:, :n_dimensions]
        matrix = directions / np.sqrt(variances + ridge)
        return Space(self.mean.astype(np.float32), matrix.astype(np.float32))


@dataclass(frozen=True)
class Space:
    """Where photos are compared by the cosine.

    mean : ndarray of shape (n_features,); matrix : ndarray of shape (n_features, n_dimensions)
    """

    mean: np.ndarray
    matrix: np.ndarray

    def project(self, features):
        """Vectors of photos, shape (n_photos, n_dimensions), float32, not scaled to length 1."""
        return (features - self.mean) @ self.matrix
