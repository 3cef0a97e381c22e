"""The Siamese network of the duplicate detector, as it is trained; `productcat/set_metric.py` runs what it learnt.

Both sides go through the same layers, and only symmetric evidence of the two sets leaves them, so neither the order of
the photos nor that of the listings can matter. After Bromley et al. 1993, "Signature verification using a Siamese time
delay neural network"; sets as in Zaheer et al. 2017, "Deep Sets". The towers are the whitened spaces. To learn a
weight for each of their dimensions too, or a hidden layer, was no better on unseen domains, so what is learnt is how
much each piece of evidence counts.
"""

from dataclasses import dataclass

import keras
import numpy as np

from productcat.leave_out import without_own
from productcat.set_metric import Head

FAR = -1e4
"""Stands for no photo where the greatest is sought."""


@dataclass(frozen=True)
class SiameseConfig:
    """Settings of the Siamese network; the `[siamese]` table of a training configuration.

    catalogues: drawn of each domain, each of two listings of `items` items at most. most_photos: of a listing there.
    prior: what the means of each level count before training, and copy_prior what copied photos count, which is not
    learnt: items are shown in two ways there, seldom copied. l2: times half the squared distance from these priors is
    added to the mean cross-entropy, which matters where the domains to learn from are few.
    """

    catalogues: int = 6
    items: int = 300
    most_photos: int = 4
    prior: tuple[float, ...] = (10.0, 3.0)
    copy_prior: float = 3.0
    l2: float = 3e-6


class Siamese(keras.Model):
    """Two batches of sets → logits of all pairs.

    Takes a dict: "left/<level>" and "right/<level>" of shape (n, most_photos, n_dimensions), zeros where there is no
    photo, "left/shares" and "right/shares" of shape (n, most_photos), what each photo is of the background, "copies" of
    shape (n, n), "share" of shape (). Gives ndarray of shape (n, n, 1).
    """

    def __init__(self, levels, config):
        super().__init__()
        self.levels = list(levels)
        # of each level the means, the best photos, all photos; then copies, the numbers of photos, the share
        start = np.array([value for each in config.prior for value in (each, 0.0, 0.0)], np.float32)
        self.learnt = np.append(np.ones(len(start)), [0.0, 1.0, 0.0])
        start = np.append(start, np.float32([config.copy_prior, 0.0, 0.0]))
        self.counting = self.add_weight(shape=start.shape, initializer="zeros", name="counting")
        self.counting.assign(start)
        self.bias = self.add_weight(shape=(), initializer=keras.initializers.Constant(-6.0), name="bias")

    def call(self, inputs):
        return self.evidence(inputs) @ self.counting[:, None] + self.bias

    def evidence(self, inputs):
        """Evidence of all pairs, shape (n, n, n_evidence), in the order of `productcat.photo_evidence.evidence`."""
        ops, columns = keras.ops, []
        shares = [inputs[f"{side}/shares"] for side in ("left", "right")]
        for level in self.levels:
            left, right = (inputs[f"{side}/{level}"] for side in ("left", "right"))
            here = [ops.cast(ops.any(each != 0, axis=-1), "float32") for each in (left, right)]
            columns += _cosines(_without_own(left, right, *shares), *here)
        counts = [ops.sum(each, axis=1) for each in here]
        sizes = ops.log(counts[0])[:, None] + ops.log(counts[1])[None]
        columns += [inputs["copies"], sizes, ops.zeros_like(sizes) + inputs["share"]]
        return ops.stack(columns, axis=-1)

    def head(self):
        """What was learnt, for `productcat`. → Head"""
        return Head(np.asarray(self.counting, np.float64), float(self.bias))


def _without_own(left, right, left_shares, right_shares):
    """Inner products of the photos of all pairs of sets, as `productcat.leave_out` has them. → (n, n, 2p, 2p)"""
    ops = keras.ops
    n, m = ops.shape(left)[0], ops.shape(right)[0]
    across = ops.einsum("ipd,jqd->ijpq", left, right)
    inside = [ops.einsum("ipd,iqd->ipq", each, each) for each in (left, right)]
    above = ops.concatenate([ops.repeat(inside[0][:, None], m, axis=1), across], axis=3)
    below = ops.concatenate([ops.swapaxes(across, 2, 3), ops.repeat(inside[1][None], n, axis=0)], axis=3)
    shares = [ops.repeat(left_shares[:, None], m, axis=1), ops.repeat(right_shares[None], n, axis=0)]
    return without_own(ops.concatenate([above, below], axis=2), ops.concatenate(shares, axis=2), ops)


def _cosines(products, here, there):
    """Evidence of one level: the cosines of means, of the best photos, and the mean best. → three of shape (n, n)

    products : (n, n, 2p, 2p); here, there : (n, p), 1 where there is a photo, else 0
    """
    ops = keras.ops
    most = ops.shape(here)[1]
    squares = ops.maximum(ops.diagonal(products, axis1=2, axis2=3), 1e-12)
    cosines = products * ops.rsqrt(squares[..., :, None] * squares[..., None, :])
    inside, across = (cosines[:, :, :most, :most], cosines[:, :, most:, most:]), cosines[:, :, :most, most:]
    sides = here[:, None, :, None], there[None, :, None, :]
    known = sides[0] * sides[1]
    lengths = [
        ops.sum(each * side * ops.swapaxes(side, 2, 3), axis=(2, 3)) for each, side in zip(inside, sides, strict=True)
    ]
    means = ops.sum(across * known, axis=(2, 3)) * ops.rsqrt(ops.maximum(lengths[0] * lengths[1], 1e-12))
    across = across * known + FAR * (1 - known)
    by_left = ops.sum(ops.max(across, axis=3) * here[:, None], axis=2)
    by_right = ops.sum(ops.max(across, axis=2) * there[None], axis=2)
    counts = ops.sum(here, axis=1)[:, None] + ops.sum(there, axis=1)[None]
    return [means, ops.max(across, axis=(2, 3)), (by_left + by_right) / counts]
