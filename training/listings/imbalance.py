"""Remedies for class imbalance, for the image model and the title model: weights in the loss, and repetition."""

import numpy as np
from numpy.typing import NDArray


def loss_weights(labels: NDArray[np.intp], n_classes: int, power: float) -> NDArray[np.float32]:
    """Return the weight of each class in the loss: n**-power, scaled to a mean of 1 over the examples. (n_classes,)"""
    weights = np.maximum(np.bincount(labels, minlength=n_classes), 1) ** -float(power)
    return (weights / weights[labels].mean()).astype(np.float32)


def repeat_factors(labels: NDArray[np.intp], n_classes: int, below: float) -> NDArray[np.float64]:
    """Return how often an example of each class is shown in an epoch, at least 1. (n_classes,)"""
    share = np.maximum(np.bincount(labels, minlength=n_classes), 1) / len(labels)
    return np.maximum(1.0, np.sqrt(below / share))
