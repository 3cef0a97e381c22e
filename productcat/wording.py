"""What several messages say in the same words."""

import difflib


def counted(number, noun, plural=None):
    """A number of things: "1 pair", "2 pairs"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def either(names):
    """Names of which one is wanted: "'title' or 'name'"."""
    return " or ".join(map(repr, names))


def perhaps(name, known):
    """A question for the name that was meant, "" where none is alike."""
    alike = difflib.get_close_matches(name, known, 1)
    return f"is it {alike[0]!r}?" if alike else ""


def is_unicode(text):
    """Whether text can be written as UTF-8: what was read from bytes that are no UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
