"""Phase as scanners store it: radians, degrees or a scale of integers."""

import numpy as np

from ..errors import InputError

# Ways in which scanners and converters store phase, as lowest and highest value of a whole turn. Only an image that
# reaches both ends to 2 % is taken for one of them: noise in air does so in every complete export.
_SCALES = (
    (-4096.0, 4096.0),
    (0.0, 4096.0),
    (-2048.0, 2048.0),
    (-3141.593, 3141.593),
    (0.0, 6283.185),
    (-180.0, 180.0),
    (0.0, 360.0),
    (-32768.0, 32768.0),
    (0.0, 65536.0),
)
_RADIANS_TOLERANCE = 0.01
_LEAST_RANGE = 0.05  # of a scan; noise in air alone fills a turn
_MOST_TURNS = 30  # of an unwrapped phase


def polar_to_complex(echoes: np.ndarray, source: str) -> str | None:
    """Turn magnitude and phase, held as real and imaginary part of `echoes`, into the complex signal in place.

    Parameters
    ----------
    echoes : (E, K, J, I) complex64 array
        Phase in radians or in a known integer scale, which is recognized and rescaled.
    source : str
        Name for messages.

    Returns
    -------
    str or None
        What was rescaled, if anything.

    Raises
    ------
    InputError
        If the magnitude is negative somewhere or the scale of the phase is not known.
    """
    low, high = float(echoes.imag.min()), float(echoes.imag.max())
    if float(echoes.real.min()) < -1e-3 * float(echoes.real.max()):
        raise InputError(
            f"The magnitude of {source} has negative values (down to {echoes.real.min():g}); "
            "check that it is not the real part."
        )
    _refuse_rounded(echoes, low, high, source)
    if _is_unwrapped(echoes, low, high):
        scale, middle = 1.0, 0.0
        note = f"The phase of {source} runs smoothly from {low:.3g} to {high:.3g}; it was taken for unwrapped radians."
    else:
        scale, middle, note = _phase_scale(low, high, source)
    for echo in echoes:
        for plane in echo:  # plane by plane: the copies stay small
            magnitude, phase = plane.real.copy(), (plane.imag - np.float32(middle)) * np.float32(scale)
            plane.real = magnitude * np.cos(phase)
            plane.imag = magnitude * np.sin(phase)
    return note


def _refuse_rounded(echoes, low, high, source):
    """Refuse a phase that a storage type or a scale has left nothing of."""
    if 0 < high - low < _LEAST_RANGE:
        raise InputError(
            f"The phase of {source} runs from {low:.3g} to {high:.3g} only, which is no turn: a scale was applied "
            "twice or is left in the header; export it again."
        )
    if 4 <= high - low <= 6.5 and all(np.all(echo.imag == np.round(echo.imag)) for echo in echoes):
        raise InputError(
            f"The phase of {source} holds only whole numbers from {low:g} to {high:g}: radians that were stored as "
            "integers; store them as float."
        )


def _is_unwrapped(echoes, low, high):
    """Whether a phase beyond one turn is smooth where there is signal, which no stored scale of a wrapped one is."""
    if high - low <= 2 * np.pi + 0.02 or high - low > _MOST_TURNS * 2 * np.pi:
        return False
    steps = []
    for echo in echoes:
        strong = echo.real > 0.3 * float(echo.real.max())
        both = strong[..., 1:] & strong[..., :-1]
        steps.append(np.abs(np.diff(echo.imag, axis=-1))[both])
    steps = np.concatenate(steps)
    return bool(steps.size >= 100 and np.mean(steps > np.pi) < 0.005 and float(np.median(steps)) < 1.0)


def _phase_scale(low, high, source):
    """Radians per stored unit, the stored value of zero, and a note if that is not plain radians."""
    near = lambda value, end: abs(value - end) <= 1e-3  # noqa: E731
    normalized = near(high, 1.0) and (near(low, -1.0) or near(low, 0.0))
    within = lambda first, last: first - _RADIANS_TOLERANCE <= low and high <= last + _RADIANS_TOLERANCE  # noqa: E731
    if near(low, -0.5) and near(high, 0.5):
        return 2 * np.pi, 0.0, f"The phase of {source} is stored as −0.5 to 0.5 and was taken for turns."
    if not normalized and (within(-np.pi, np.pi) or within(0.0, 2 * np.pi)):
        return 1.0, 0.0, None
    for first, last in _SCALES:
        turn = last - first
        slack = 0.01 * turn  # 2 % of half a turn
        if -1.5 <= low - first <= slack and -slack <= high - last <= 1.5:
            note = (
                f"The phase of {source} is stored as {low:g} to {high:g} and was rescaled to radians "
                f"(a whole turn is {turn:g})."
            )
            return 2 * np.pi / turn, 0.5 * (first + last), note
    raise InputError(
        f"The phase of {source} runs from {low:g} to {high:g}; expected radians (−π to π) or a known integer scale "
        "such as 0 to 4095, so convert it to radians."
    )
