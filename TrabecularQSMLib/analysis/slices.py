"""Slices of an image that were lost on the way: copies of their neighbors, or of one value among others."""

import numpy as np

# So many slices without content were lost where those beside them vary by more than this share of what slices do in the
# median; more lie between two legs.
_MOST_LOST, _FULL = 3, 0.5


def on_slices(image: np.ndarray, source: str) -> list[str]:
    """Say which slices along any axis hold one value between others that do not, or are copies of the slice before.

    Parameters
    ----------
    image : (K, J, I) array
        Slices of one value, or of no number, at the ends are padding.
    source : str
        Name for messages.

    Returns
    -------
    list of str
        One note, or none.
    """
    for axis, name in enumerate("kji"):
        slices = np.moveaxis(np.asarray(image), axis, 0)
        spread = np.array([_spread(one) for one in slices])
        filled = np.flatnonzero(spread != 0)
        if not filled.size:
            continue
        full = _FULL * np.median(spread[filled])
        lost = [
            n
            for before, after in zip(filled, filled[1:], strict=False)
            if after - before <= _MOST_LOST + 1 and min(spread[before], spread[after]) > full
            for n in range(before + 1, after)
        ]
        for found, what in (
            (lost, "hold one value between others"),
            (copies(slices), "are copies of the slice before"),
        ):
            if found:
                return [
                    f"{len(found)} of {len(slices)} slices along {name} of {source} (first {found[0] + 1}) {what}, as "
                    "where slices were lost: check the image, and measure nothing there."
                ]
    return []


def copies(slices: np.ndarray) -> list[int]:
    """Return which slices, along the first axis, hold several values and are copies of the slice before."""
    return [
        n
        for n in range(1, len(slices))
        if np.array_equal(slices[n], slices[n - 1]) and np.any(slices[n] != slices[n].flat[0])
    ]


def _spread(values):
    """Standard deviation of what is a number; zero if nothing is."""
    if not np.isfinite(values).all():
        values = values[np.isfinite(values)]
    return float(values.std(dtype=np.float64)) if values.size else 0.0
