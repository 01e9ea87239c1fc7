"""What all pictures share."""

from ..errors import InputError


def require_matplotlib() -> None:
    """Raise `InputError` with the way to install it if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError("The figure needs matplotlib; install it with: pip install matplotlib") from error
