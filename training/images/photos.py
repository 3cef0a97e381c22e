"""The photos that training and export take."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Photos(Protocol):
    """Photos of shape (n, height, width, 3), dtype uint8: an array, or rows of one on disk, read when indexed."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: Any, /) -> NDArray[np.uint8]: ...


LabelledPhotos = tuple[Photos, NDArray[np.intp]]
"""Photos, and the number of each photo's class, of shape (n,)."""
