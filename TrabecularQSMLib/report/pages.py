"""Pages from templates: everything that comes from users is escaped, every picture is inside."""

import base64
import math
from dataclasses import dataclass
from importlib import resources

from ..errors import InputError
from ..quantities import ALL_QUANTITIES

# What regions are measured for, most wanted first; the titles of those that are no map.
SHOWN = ("chi", "r2star", "pdff", "bvtv", "ct", "bmd")
_TITLES = {"bvtv": "Apparent BV/TV", "ct": "CT attenuation", "bmd": "Bone mineral density"}


@dataclass(frozen=True)
class Figure:
    """A picture inside a page; `light` ones have a white ground, and `narrow` ones take two thirds of the width."""

    source: str
    caption: str
    light: bool = False
    narrow: bool = False


def title_of(name: str) -> str:
    """What a quantity of a table is called on a page."""
    return _TITLES.get(name) or (ALL_QUANTITIES[name].title if name in ALL_QUANTITIES else name)


def picture(content: bytes) -> str:
    """Return a PNG picture as the address of an image inside a page."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def require_jinja() -> None:
    """Raise `InputError` with the way to install it if Jinja2 is missing."""
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise InputError(
            "A report needs Jinja2 and matplotlib; install them with: pip install jinja2 matplotlib"
        ) from error


def page(name: str, **values) -> str:
    """Return the page of a template in ``data/`` with its values filled in.

    Raises
    ------
    InputError
        If Jinja2 is missing.
    """
    require_jinja()
    from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound

    class Ours(BaseLoader):
        def get_source(self, environment, template):
            """Read a template that lies with the data of this package."""
            file = resources.files("TrabecularQSMLib").joinpath("data", template)
            if not file.is_file():
                raise TemplateNotFound(template)
            return file.read_text(encoding="utf-8"), template, None

    environment = Environment(
        loader=Ours(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    return environment.get_template(name).render(**values)


def number(value) -> str:
    """Return a number of a table with four digits, a dash where there is none."""
    if value is None or value == "":
        return "–"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.0f}"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    return str(value)


def with_error(mean: float, error: float | None) -> str:
    """Return a mean with its standard error, both to the second digit of the error, at most four decimals.

    Alone it has three digits.
    """
    if not error:
        return number(float(f"{mean:.3g}"))
    digits = min(max(0, 1 - math.floor(math.log10(error))), 4)
    return f"{mean:.{digits}f} ± {error:.{digits}f}".replace("-", "−")
