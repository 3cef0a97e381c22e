"""What several messages say in the same words."""

import difflib
import re
import reprlib
from collections.abc import Iterable

ALIKE = 0.7
"""Share of the letters of two names that are in both, in order, from which one may be meant by the other."""

COMMANDS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys instead of showing them: control characters, and those that turn text around."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number of things: "1 pair", "2 pairs"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def about(share: float) -> str:
    """Return an estimated share: "about 97 %". Nothing is said to be certain."""
    return "more than 99.9 %" if share >= 0.9995 else f"about {100 * share:.{1 if share >= 0.995 else 0}f} %"


def either(names: Iterable[str]) -> str:
    """Return names of which one is wanted: "'title' or 'name'"."""
    return " or ".join(map(repr, names))


def shortened(text: str, most: int = 80) -> str:
    """Return text as it is, or the beginning of a longer one. Messages never have all of what a stranger wrote."""
    return text if len(text) <= most else f"{text[:most]}…"


def visible(text: str) -> str:
    """Return text that a terminal shows and does not obey; "\\u001b" stands for an escape. JSON stays the same JSON."""
    return COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def excerpt(value: object, most: int = 40) -> str:
    """Return the beginning of a value as Python writes it, however long or deep the value is."""
    return (repr(value[:most]) if isinstance(value, str) else reprlib.repr(value))[:most]


def perhaps(name: str, known: Iterable[str]) -> str:
    """Return a question for the name that was meant, "" where none is alike. Capitals do not matter."""
    folded = {each.casefold(): each for each in known}
    alike = difflib.get_close_matches(name.casefold(), list(folded), 1, ALIKE)
    return f"is it {folded[alike[0]]!r}?" if alike else ""


def is_unicode(text: str) -> bool:
    """Return whether text can be written as UTF-8; what was read from bytes that are not UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
