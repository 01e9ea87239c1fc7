"""Lists of numbers and words as the text of a line edit."""

import math
import re

from slicer.i18n import tr as _

from ...errors import InputError

# Together they are decimal commas, or an oversight.
_COMMA_INSIDE, _SPACE_BETWEEN = re.compile(r"\d,\d"), re.compile(r"[^\s,]\s+[^\s,]")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def numbers(text: str, what: str, unit: str = "") -> list[float]:
    """Read numbers separated by spaces, commas, semicolons, tabs or lines, as they are typed or pasted.

    Commas are decimal ones where every number has one and something else separates the numbers.

    :param text: what the user entered.
    :param what: what the numbers are, for the error.
    :param unit: a unit that may stand behind the numbers.
    """
    bare = text.strip().strip("[]()")
    if unit:
        bare = re.sub(rf"(?<=[\d.])\s*{unit}\b", " ", bare)
    bare = _pointed(bare)
    if _COMMA_INSIDE.search(bare) and _SPACE_BETWEEN.search(bare):
        raise InputError(
            _("The {what} are {text!r}; write decimals with a point, and separate numbers by spaces.").format(
                what=what, text=text
            )
        )
    sentence = _("The {what} are {text!r}; give numbers separated by spaces.").format(what=what, text=text)
    try:
        values = [float(word) for word in bare.replace(",", " ").split()]
    except ValueError:
        raise InputError(sentence) from None
    if not all(map(math.isfinite, values)):
        raise InputError(sentence)
    return values


def _pointed(text):
    """A list with points for decimal commas, where that is what its commas are, and spaces for semicolons."""
    found = [word.strip().removesuffix(",") for word in re.split(r"[;\s]+", text) if word.strip(" ,")]
    if len(found) > 1 and all(map(_DECIMAL_COMMA.fullmatch, found)):
        return " ".join(found).replace(",", ".")
    return text.replace(";", " ")


def wholeNumbers(text: str, what: str) -> list[int]:
    """Read whole numbers separated by spaces or commas.

    :param text: what the user entered.
    :param what: what the numbers are, for the error.
    """
    values = numbers(text, what)
    # Three digits behind a comma may be thousands as well as decimals.
    if any(value != round(value) for value in values) or "." in _pointed(text):
        raise InputError(_("The {what} are {text!r}; give whole numbers.").format(what=what, text=text))
    return [int(value) for value in values]


def oneNumber(text: str, what: str) -> float | None:
    """Read a number; None of empty text.

    :param text: what the user entered.
    :param what: what the number is, for the error.
    """
    try:
        values = numbers(text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text.strip()) else text, what)
        if len(values) < 2:
            return values[0] if values else None
    except InputError:
        pass
    raise InputError(_("The {what} is {text!r}; give one number.").format(what=what, text=text))


def echoTimesText(echoTimes) -> str:
    """Echo times as text in ms.

    :param echoTimes: seconds, or None.
    """
    return "" if echoTimes is None else " ".join(f"{1e3 * time:.9g}" for time in echoTimes)


def shortNumber(value: float) -> str:
    """Return a number as people write it: ``1e-6``, ``0.0001``.

    :param value: any number.
    """
    return re.sub(r"e-0*(\d)", r"e-\1", f"{value:.6g}")


def words(text: str) -> list[str]:
    """Split text at commas.

    :param text: what the user entered.
    """
    return [word.strip() for word in text.split(",") if word.strip()]
