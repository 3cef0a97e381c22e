"""Remedies for class imbalance that the image model and the title model share: weights in the loss, repetition."""

import numpy as np


def loss_weights(labels, n_classes, power):
    """Weight of each class in the loss, n**-power scaled to a mean of 1 over the examples. → (n_classes,)"""
    weights = np.maximum(np.bincount(labels, minlength=n_classes), 1) ** -float(power)
    return (weights / weights[labels].mean()).astype(np.float32)


def repeat_factors(labels, n_classes, below):
    """How often an example of each class is shown per epoch, at least 1. → (n_classes,)"""
    share = np.maximum(np.bincount(labels, minlength=n_classes), 1) / len(labels)
    return np.maximum(1.0, np.sqrt(below / share))
