"""From a cell of prices to a number: "1.299,00 €", "$12", "12,-"."""

import math
import re
import unicodedata

CURRENCY_WORD = r"[^\W\d_]{1,4}\.?"
"""What may stand before or after the number of a price beside a currency's sign, such as "EUR", "kr." or "VB"."""

LONGEST = 100
"""Number of characters above which a text is not a price, and is not looked into."""

SPACES = " \u00a0\u2009\u202f'’"
"""What may stand between thousands, beside a point or a comma."""


def price_of(value: object) -> float | None:
    """Read a price, whatever its currency.

    A point or comma before exactly three digits is ambiguous ("1.299" may be a thousand or one), unless both occur, it
    occurs twice, or what precedes it cannot be thousands ("0.299", "1299.125").

    Parameters
    ----------
    value : object
        A cell of a table: a number or text.

    Returns
    -------
    float or None
        None if it is not one number, or an ambiguous one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:
            return None
    if len(value := value.strip()) > LONGEST:
        return None
    bare = "".join(" " if unicodedata.category(each) == "Sc" else each for each in value).strip()
    found = re.fullmatch(rf"(?:{CURRENCY_WORD})?\s*(\d[\d.,{SPACES}]*?)(?:[.,]?[-–—])?\s*(?:{CURRENCY_WORD})?", bare)
    number = _number(found[1].strip(SPACES)) if found else None
    return number if number is not None and math.isfinite(number) else None


def _number(text: str) -> float | None:
    """Read digits with marks for thousands and decimals. None where there are two ways to read them, or none."""
    marks = re.findall("[.,]", text)
    if not marks or (len(marks) > 1 and len(set(marks)) == 1):  # 1 299 or 1.299.000: nothing but thousands
        return _whole(text)
    last = max(text.rfind("."), text.rfind(","))
    before, decimals = text[:last], text[last + 1 :]
    ambiguous = len(marks) == 1 and len(decimals) == 3 and re.fullmatch(r"[1-9]\d{0,2}", before)
    whole = _whole(before)
    if ambiguous or whole is None or text[last] in before or not re.fullmatch(r"\d+", decimals):
        return None
    return whole + float(f"0.{decimals}")


def _whole(text: str) -> float | None:
    """Read digits, plain or in threes with one kind of mark between."""
    if not re.fullmatch(rf"\d+|\d{{1,3}}([.,{SPACES}])\d{{3}}(?:\1\d{{3}})*", text):
        return None
    return float(re.sub(r"\D", "", text))
