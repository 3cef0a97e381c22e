"""`python docs/picture.py` draws what productcat answers about samples, for README.md and the first page of the site.

The answers are those of the shipped bundles at the time of the run; `_static/answers.svg` is the result.
"""

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from productcat import Categorizer, DuplicateDetector, Listing

DOCS = Path(__file__).parent
SAMPLES = DOCS.parent / "data/samples"
PICTURE = DOCS / "_static/answers.svg"

LISTING = SAMPLES / "images/22276.jpg"
TITLE = "Inc.5 Women Black Casual Heels"
ITEM = SAMPLES / "user-photos/shoes/7f3c9738-92af-49a9-92de-b7e762a93e63.jpg"
OTHER = SAMPLES / "user-photos/shoes/54120c82-5bb7-4bba-a781-af18362eb24c.jpg"

ORANGE, BLUE, GREEN, BROWN = "#b4571a", "#2c5f93", "#1b7566", "#8a4a12"
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 484" font-family="system-ui, 'Segoe UI', Helvetica, Arial,\
 sans-serif" role="img">
<title>What productcat answers</title>
<!-- Drawn by docs/picture.py. Boxes carry their own background, so the picture reads on light and on dark pages. -->
"""


def main():
    """Write the picture."""
    PICTURE.write_text(drawn(), "utf-8")
    print(f"{PICTURE.relative_to(DOCS.parent)}: {PICTURE.stat().st_size / 1000:.0f} KB")


def drawn():
    """Return the picture as SVG."""
    return "".join([HEAD, *categories(), *duplicates(), "</svg>\n"])


def categories():
    """Yield the upper half: one listing, without its title and with it."""
    categorizer = Categorizer.load()
    shown = Image.open(LISTING).convert("RGB")
    for left, title in ((0, ""), (435, TITLE)):
        listing = Listing("heels", title, [LISTING])
        prediction, confidences = next(iter(categorizer.judge([listing])))
        best = sorted(zip(confidences, categorizer.categories, strict=True), reverse=True)[:2]
        rows = [*best, (1 - sum(share for share, _ in best), f"{len(confidences) - len(best)} others")]
        yield card(left, 0, 425, 212)
        yield photo(shown, left + 16, 16, 135, 180)
        yield text(left + 167, 36, "Photo and title" if title else "Photo alone", 17, bold=True)
        yield text(left + 167, 60, f"“{title}”" if title else "no title", 14)
        for row, (confidence, category) in enumerate(rows):
            yield bar(left + 167, 76 + 29 * row, category, confidence, BLUE if title else ORANGE)
        decisions = {
            "assign": (GREEN, f"Assign: {prediction.category}"),
            "shortlist": (BROWN, f"Ask the seller: {best[0][1]}?"),
            "abstain": (BROWN, "Abstain"),
        }
        yield pill(left + 167, 168, *decisions[prediction.decision])


def duplicates():
    """Yield the lower half: a copy as sellers make them, and another item."""
    detector = DuplicateDetector.load()
    item, other = (Image.open(path).convert("RGB") for path in (ITEM, OTHER))
    copy = posted_again(item)
    embeddings = detector.embed([Listing(photos=[np.asarray(each)]) for each in (item, copy, other)])
    scores = detector.score_matrix(embeddings[:1], embeddings[1:])[0]
    pairs = (
        (0, copy, "Posted again: cut, mirrored, brighter", scores[0]),
        (435, other, "Another pair of shoes", scores[1]),
    )
    for left, second, name, score in pairs:
        found = score >= detector.threshold
        yield card(left, 222, 425, 262)
        yield photo(item, left + 16, 238, 128, 171)
        yield photo(second, left + 160, 238, 128, 171)
        yield text(left + 356, 300, f"{100 * score:.1f} %", 27, bold=True, anchor="middle")
        yield text(left + 356, 322, "probability of", 14, anchor="middle")
        yield text(left + 356, 340, "the same item", 14, anchor="middle")
        yield text(left + 16, 435, name, 15)
        yield pill(left + 16, 444, *((GREEN, "Duplicate") if found else (BROWN, "Not a duplicate")))


def posted_again(image):
    """Return a photo as a seller may post it again."""
    width, height = image.size
    part = image.crop((width // 8, height // 10, width - width // 20, height - height // 12))
    return ImageEnhance.Brightness(ImageOps.mirror(part)).enhance(1.15)


def card(x, y, width, height):
    """Return the background of an answer."""
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="10" fill="#f0f3f6"/>\n'


def photo(image, x, y, width, height):
    """Return a photo on white, fitted into a frame without distortion."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    data = base64.b64encode(file.getvalue()).decode()
    frame = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    return f'<rect {frame} fill="#fff"/>\n<image {frame} href="data:image/jpeg;base64,{data}"/>\n'


def text(x, y, words, size, bold=False, anchor="start", colour="#1b2530"):
    """Return a line of text."""
    weight = 700 if bold else 400
    style = f'font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(words)}</text>\n'


def bar(x, y, name, share, colour):
    """Return a category with its confidence as a bar and as a number."""
    track = f'<rect x="{x}" y="{y + 17}" width="242" height="7" rx="3" fill="#d8e0e8"/>\n'
    filled = f'<rect x="{x}" y="{y + 17}" width="{242 * share:.1f}" height="7" rx="3" fill="{colour}"/>\n'
    return track + filled + text(x, y + 13, name, 14) + text(x + 242, y + 13, f"{100 * share:.1f} %", 14, anchor="end")


def pill(x, y, colour, words):
    """Return a decision."""
    width = 9 * len(words) + 24
    shape = f'<rect x="{x}" y="{y}" width="{width}" height="29" rx="14" fill="{colour}"/>\n'
    return shape + text(x + width / 2, y + 20, words, 16, bold=True, anchor="middle", colour="#fff")


if __name__ == "__main__":
    main()
