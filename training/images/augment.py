"""Random changes to training photos, so that a network fed on catalogue photos survives a phone.

`light` keeps to what catalogue photos do themselves: small shifts, scales, mirror images, a little
colour. `phone` adds, for some photos, what phone photos do: other backgrounds, low resolution, blur,
compression, tight crops, odd light. Every change is drawn from the generator that is passed in, so
an epoch can be repeated exactly.
"""

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

KINDS = ("none", "light", "phone")
PHONE_SHARE = 0.15
"""So many of the photos look as if by phone."""
WHITE_FROM = 238
"""Pixels at least this bright in all channels count as the white backdrop of a catalogue photo."""


def augment(photo, rng, kind, size):
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
    if kind not in KINDS:
        raise ValueError(f"augment={kind!r}: expected one of {', '.join(KINDS)}")
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


def _resize(image, size):
    height, width = size
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BICUBIC)


def _move(image, rng, size, wild):
    """Scale, stretch, shift, turn and mirror in one resampling."""
    height, width = size
    zoom = rng.uniform(0.75, 1.6) if wild else rng.uniform(0.88, 1.12)
    stretch = np.exp(rng.uniform(-0.15, 0.15) if wild else rng.uniform(-0.05, 0.05))
    angle = np.deg2rad(rng.normal(0, 10) if wild else rng.normal(0, 2.5))
    shift = rng.uniform(-0.12, 0.12, 2) if wild else rng.uniform(-0.05, 0.05, 2)
    mirror = -1 if rng.random() < 0.5 else 1
    # Pillow wants the map from output to input pixels: centre, turn and scale, back to the input's centre.
    across, down = image.width / width / zoom * stretch, image.height / height / zoom / stretch
    cos, sin = np.cos(angle), np.sin(angle)
    a, b, d, e = mirror * across * cos, mirror * across * sin, -down * sin, down * cos
    c = image.width * (0.5 + shift[0]) - a * width / 2 - b * height / 2
    f = image.height * (0.5 + shift[1]) - d * width / 2 - e * height / 2
    corner = image.getpixel((0, 0))
    affine = Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BICUBIC
    return image.transform((width, height), *affine, fillcolor=corner)


def _colour(image, rng, strength):
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        if rng.random() < 0.5:
            image = enhancer(image).enhance(1 + rng.uniform(-strength, strength))
    return image


def _other_background(photo, rng):
    """Put a two-colour gradient with grain where the backdrop is white."""
    height, width = photo.shape[:2]
    start, end = rng.uniform(40, 240, (2, 3))
    along = np.linspace(0, 1, height)[:, None] * rng.random() + np.linspace(0, 1, width)[None, :] * rng.random()
    scene = start + along[:, :, None] * (end - start)
    grain = rng.normal(0, rng.uniform(2, 25), (height // 4 + 1, width // 4 + 1))
    scene = scene + np.kron(grain, np.ones((4, 4)))[:height, :width, None]
    backdrop = (photo >= WHITE_FROM).all(axis=2, keepdims=True)
    return Image.fromarray(np.where(backdrop, np.clip(scene, 0, 255), photo).astype(np.uint8))


def _degrade(image, rng):
    """Lower the resolution, blur, warm or cool the light, recompress: each or none."""
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
