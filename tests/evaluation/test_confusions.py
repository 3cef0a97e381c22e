"""The order of the categories in a matrix of confusions."""

import numpy as np

from productcat.evaluation.confusions import chain


def test_categories_confused_with_each_other_stand_together():
    matrix = np.array([[5, 0, 9, 0], [0, 5, 0, 2], [9, 0, 5, 0], [0, 2, 0, 5]])
    assert chain(matrix) == [0, 2, 1, 3]
