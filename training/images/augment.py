"""Changes training photos at random, so that a network trained on catalogue photos can read phone photos too.

`light` makes changes that occur among catalogue photos: small shifts, scales, mirror images, a little
colour. `phone` adds to some photos what phone photos have: other backgrounds, low resolution, blur,
compression, tight crops, odd light. Every change is drawn from the generator that is passed in, so
an epoch can be repeated exactly.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

AUGMENTATIONS = ("none", "light", "phone")
PHONE_SHARE = 0.15
"""Share of the photos that are changed to look like phone photos."""

WHITE_FROM = 238
"""Threshold for the white backdrop of a catalogue photo: its pixels are at least this bright in all channels."""


def augment(photo: NDArray[np.uint8], rng: np.random.Generator, kind: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Change one photo at random.

    Parameters
    ----------
    photo : ndarray of shape (h, w, 3), dtype uint8
    rng : numpy.random.Generator
    kind : "none" | "light" | "phone"
    size : (height, width) of the result

    Returns
    -------
    ndarray of shape (height, width, 3), dtype uint8
    """
    if kind not in AUGMENTATIONS:
        raise ValueError(f"augment={kind!r}: expected one of {', '.join(AUGMENTATIONS)}")
    image = Image.fromarray(photo)
    if kind == "none":
        return np.asarray(_resize(image, size))
    phone = kind == "phone" and rng.random() < PHONE_SHARE
    if phone and rng.random() < 0.5:
        image = _other_background(photo, rng)
    image = _move(image, rng, size, wild=phone)
    image = _colour(image, rng, strength=0.35 if phone else 0.1)
    if phone:
        image = _degrade(image, rng)
    return np.asarray(image)


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    height, width = size
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BICUBIC)


def _move(image: Image.Image, rng: np.random.Generator, size: tuple[int, int], wild: bool) -> Image.Image:
    """Scale, stretch, shift, turn and mirror in one resampling."""
    height, width = size
    zoom = rng.uniform(0.75, 1.6) if wild else rng.uniform(0.88, 1.12)
    stretch = np.exp(rng.uniform(-0.15, 0.15) if wild else rng.uniform(-0.05, 0.05))
    angle = np.deg2rad(rng.normal(0, 10) if wild else rng.normal(0, 2.5))
    shift = rng.uniform(-0.12, 0.12, 2) if wild else rng.uniform(-0.05, 0.05, 2)
    mirror = -1 if rng.random() < 0.5 else 1
    # Pillow takes the map from output to input pixels: centre, turn and scale, back to the input's centre.
    across, down = image.width / width / zoom * stretch, image.height / height / zoom / stretch
    cos, sin = np.cos(angle), np.sin(angle)
    a, b, d, e = mirror * across * cos, mirror * across * sin, -down * sin, down * cos
    c = image.width * (0.5 + shift[0]) - a * width / 2 - b * height / 2
    f = image.height * (0.5 + shift[1]) - d * width / 2 - e * height / 2
    corner = image.getpixel((0, 0))
    matrix = a, b, c, d, e, f
    return image.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=corner)


def _colour(image: Image.Image, rng: np.random.Generator, strength: float) -> Image.Image:
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        if rng.random() < 0.5:
            image = enhancer(image).enhance(1 + rng.uniform(-strength, strength))
    return image


def _other_background(photo: NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """Replace a white backdrop with a two-colour gradient with grain."""
    height, width = photo.shape[:2]
    start, end = rng.uniform(40, 240, (2, 3))
    along = np.linspace(0, 1, height)[:, None] * rng.random() + np.linspace(0, 1, width)[None, :] * rng.random()
    scene = start + along[:, :, None] * (end - start)
    grain = rng.normal(0, rng.uniform(2, 25), (height // 4 + 1, width // 4 + 1))
    scene = scene + np.kron(grain, np.ones((4, 4)))[:height, :width, None]
    backdrop = (photo >= WHITE_FROM).all(axis=2, keepdims=True)
    return Image.fromarray(np.where(backdrop, np.clip(scene, 0, 255), photo).astype(np.uint8))


def _degrade(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Lower the resolution, blur, warm or cool the light, recompress: each one or not, at random."""
    size = image.size
    if rng.random() < 0.4:
        scale = rng.uniform(0.35, 0.9)
        small = (max(8, int(size[0] * scale)), max(8, int(size[1] * scale)))
        image = image.resize(small, Image.Resampling.BILINEAR).resize(size, Image.Resampling.BICUBIC)
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.4:
        gains = rng.uniform(0.8, 1.2, 3)
        image = image.point([int(min(255, value * gain)) for gain in gains for value in range(256)])
    if rng.random() < 0.4:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.integers(25, 85)))
        image = Image.open(buffer).convert("RGB")
    return image


def mixed(
    photos: NDArray[np.uint8], targets: NDArray[np.float32], alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Mix each photo of a batch with another one, and their labels in the same proportion; its own part is the larger.

    photos : ndarray of shape (n, height, width, 3), uint8; targets : ndarray of shape (n, n_classes)
    """
    own = rng.beta(alpha, alpha)
    own = max(own, 1 - own)
    order = rng.permutation(len(photos))
    blend = own * photos.astype(np.float32) + (1 - own) * photos[order]
    return np.round(blend).astype(np.uint8), own * targets + np.float32(1 - own) * targets[order]
