"""Decoding a 12-megapixel JPEG: `read_photo` against a full decode with Pillow and a resize to the same size."""

import io
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from timing import arguments, compare, report, seconds, take_turns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTH, HEIGHT, QUALITY = 4000, 3000, 90
CALLS = 5
"""Number of decodes in one measurement."""


def phone_photo() -> bytes:
    """Make a JPEG with gradients, blurred shapes and sensor noise, as large as a phone's."""
    import numpy as np
    from PIL import Image, ImageFilter

    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(30, 220, (30, 40, 3), dtype=np.uint8))
    scene = coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    noise = rng.normal(0, 4, (HEIGHT, WIDTH, 1)).astype(np.float32)
    pixels = np.clip(np.asarray(scene, np.float32) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def full_decode(photo: bytes, size: tuple[int, int]) -> "NDArray[np.uint8]":
    """Read a photo the plain way: decode every pixel, then scale."""
    import numpy as np
    from PIL import Image

    height, width = size
    with Image.open(io.BytesIO(photo)) as image:
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))


def main() -> None:
    """Measure and report photos per second on one core."""
    from productcat.listings.photos import read_photo
    from productcat.models.bundle import Bundle

    options = arguments(__doc__, rounds=7).parse_args()
    size = tuple(Bundle.open(options.bundle).read_json("image/settings.json")["photo_size"])
    photo = phone_photo()

    def rate(decode: "Callable[[bytes, tuple[int, int]], NDArray[np.uint8]]") -> float:
        return CALLS / seconds(lambda: [decode(photo, size) for _ in range(CALLS)])

    rivals = {"productcat read_photo": partial(rate, read_photo), "full Pillow decode": partial(rate, full_decode)}
    measured = take_turns(rivals, options.rounds)
    what = f"decoding a 12-megapixel JPEG of {len(photo) / 1e6:.1f} MB to {size[0]}×{size[1]}"
    report([compare(what, "photos/s", measured, more_is_better=True)], options.to)


if __name__ == "__main__":
    main()
