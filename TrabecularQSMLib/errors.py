"""The two exceptions that a caller is meant to catch."""


class InputError(ValueError):
    """Wrong input, told in one sentence: what was found, what was expected and what to do."""


class Cancelled(Exception):
    """Raised by a progress callback to stop a run; not an error."""
