"""The two exceptions that a caller is meant to catch, and what a solver has to say about its end."""


class InputError(ValueError):
    """Wrong input, told in one sentence: what was found, what was expected and what to do."""


class Cancelled(Exception):
    """Raised by a progress callback to stop a run; not an error."""


class SolverWarning(RuntimeWarning):
    """A solver stopped before it was done; told in one sentence, which becomes a note of the result."""
