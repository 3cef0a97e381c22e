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

from productcat.set_metric import Head

FAR = -1e4
"""Stands for no photo where the greatest is sought."""


@dataclass(frozen=True)
class SiameseConfig:
    """Settings of the Siamese network; the `[siamese]` table of a training configuration.

    steps: batches, each of all pairs of `items` items of one domain. most_photos: of a set in training.
    prior: what the means of each level count before training, and copy_prior what copied photos count; with a low
    `learning_rate` training stays near them, which matters, since the domains to learn from are few.
    contrast: weight of the contrastive loss, in which each listing picks its twin among the others (InfoNCE, van den
    Oord et al. 2018); the rest is the cross-entropy of pairs.
    """

    steps: int = 200
    items: int = 64
    most_photos: int = 6
    prior: tuple[float, ...] = (10.0, 3.0)
    copy_prior: float = 3.0
    learning_rate: float = 3e-3
    contrast: float = 0.9


class Siamese(keras.Model):
    """Two batches of sets → logits of all pairs.

    Takes a dict: "left/<level>" and "right/<level>" of shape (n, most_photos, n_dimensions), zeros where there is no
    photo, "left/photos" and "right/photos" of shape (n,), "copies" of shape (n, n), "share" of shape (). Gives
    ndarray of shape (n, n, 1).
    """

    def __init__(self, levels, config):
        super().__init__()
        self.levels = list(levels)
        # of each level the means, the best photos, all photos; then copies, the numbers of photos, the share
        start = np.array([value for each in config.prior for value in (each, 0.0, 0.0)], np.float32)
        start = np.append(start, np.float32([config.copy_prior, 0.0, 0.0]))
        self.counting = self.add_weight(shape=start.shape, initializer="zeros", name="counting")
        self.counting.assign(start)
        self.bias = self.add_weight(shape=(), initializer=keras.initializers.Constant(-6.0), name="bias")

    def call(self, inputs):
        return self.evidence(inputs) @ self.counting[:, None] + self.bias

    def evidence(self, inputs):
        """Evidence of all pairs, shape (n, n, n_evidence), in the order of `productcat.photo_evidence.evidence`."""
        ops = keras.ops
        counts = [ops.cast(inputs[f"{side}/photos"], "float32") for side in ("left", "right")]
        columns = []
        for level in self.levels:
            left, right = (inputs[f"{side}/{level}"] for side in ("left", "right"))
            means = [_unit(ops.sum(each, axis=1)) for each in (left, right)]
            columns.append(means[0] @ ops.transpose(means[1]))
            columns += _matches(left, right, counts)
        sizes = ops.log(counts[0])[:, None] + ops.log(counts[1])[None]
        columns += [inputs["copies"], sizes, ops.zeros_like(sizes) + inputs["share"]]
        return ops.stack(columns, axis=-1)

    def head(self):
        """What was learnt, for `productcat`. → Head"""
        return Head(np.asarray(self.counting, np.float64), float(self.bias))


def _unit(vectors):
    return vectors * keras.ops.rsqrt(keras.ops.maximum(keras.ops.sum(vectors**2, axis=-1, keepdims=True), 1e-12))


def _matches(left, right, counts):
    """The cosine of the best photos, and the mean best of all photos, of all pairs of sets. → two of shape (n, n)"""
    ops = keras.ops
    cosines = ops.einsum("ipd,jqd->ijpq", left, right)
    here, there = (ops.cast(ops.any(each != 0, axis=-1), "float32") for each in (left, right))
    known = here[:, None, :, None] * there[None, :, None, :]
    cosines = cosines * known + FAR * (1 - known)
    by_left = ops.sum(ops.max(cosines, axis=3) * here[:, None], axis=2)
    by_right = ops.sum(ops.max(cosines, axis=2) * there[None], axis=2)
    everything = (by_left + by_right) / (counts[0][:, None] + counts[1][None])
    return [ops.max(cosines, axis=(2, 3)), everything]
