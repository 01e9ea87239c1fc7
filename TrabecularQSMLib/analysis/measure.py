"""Statistics of maps in regions, as rows of one tidy table."""

import numpy as np

from ..errors import InputError
from ..methods import Method
from ..quantities import ALL_QUANTITIES, Quantity

COLUMNS = (
    "case",
    "region",
    "quantity",
    "unit",
    "n",
    "mean",
    "sd",
    "median",
    "q25",
    "q75",
    "min",
    "max",
    "excluded",
    "se",
)

# Of a map that is no quantity of the table, such as one that a user loaded.
_OTHER = Quantity("", "", "", "", "")


def measure(
    maps: dict[str, np.ndarray],
    labels: np.ndarray,
    names: dict[int, str],
    *,
    case: str,
    units: dict[str, str] | None = None,
) -> list[dict]:
    """Return one row of statistics for each region and quantity.

    Parameters
    ----------
    maps : dict of str to (K, J, I) array
        Quantity name to map. ``reliability`` and ``mask``, where present, say which voxels count; maps of standard
        deviations give the standard errors.
    labels : (K, J, I) int array
        Region of each voxel, 0 for none.
    names : dict of int to str
        Label to region name.
    case : str
        First column.
    units : dict of str to str, optional
        Unit of each map whose name is no quantity of `ALL_QUANTITIES`.

    Returns
    -------
    list of dict
        With the keys of `COLUMNS`. `excluded` counts the region's voxels that are left out and not in `n`: those of
        reliability 0, those whose value is not finite, for χ and the fields in ppm those outside the mask, and those
        in which R2* of water or of fat is not determined.
        `sd` has n − 1 in the denominator. `se` is the standard error of the mean by noise, ``√(Σ σ²) / n`` over voxels
        whose noise is independent; how the tissue varies is in `sd`. Statistics that too few voxels leave undefined are
        None, as is `se` where no map holds σ.

    Raises
    ------
    InputError
        If there is no region, one is empty, none lies where the maps hold reliable values, or shapes differ.
    """
    for name, array in maps.items():
        if array.shape != labels.shape:
            raise InputError(f"`labels` has shape {labels.shape} but the map {name} has {array.shape}; give one grid.")
    if not names:
        raise InputError("The segmentation holds no region; draw at least one.")
    reliable = maps["reliability"] > 0 if "reliability" in maps else np.ones(labels.shape, bool)
    mask = maps["mask"] != 0 if "mask" in maps else np.ones(labels.shape, bool)
    measured = {name: quantity for name in maps if (quantity := ALL_QUANTITIES.get(name, _OTHER)).measured}
    rows = []
    for label, region in names.items():
        inside = labels == label
        size = int(np.count_nonzero(inside))
        if size == 0:
            raise InputError(f"The region {region!r} (label {label}) is empty; draw it or remove it.")
        for name, quantity in measured.items():
            values = maps[name][inside]
            counts = reliable[inside] & np.isfinite(values)
            if quantity.zero_is_unknown:
                counts &= values != 0
            if quantity.only_in_mask:
                counts &= mask[inside]
            statistics = _statistics(values[counts].astype(np.float64))
            unit = (units or {})[name] if quantity is _OTHER else quantity.unit
            row = {"case": case, "region": region, "quantity": name, "unit": unit, **statistics}
            sigma = maps[quantity.sigma][inside][counts] if quantity.sigma in maps else np.empty(0)
            error = float(np.linalg.norm(sigma.astype(np.float64)) / sigma.size) if sigma.size else None
            rows.append({**row, "excluded": size - statistics["n"], "se": error})
    if rows and not any(row["n"] for row in rows):
        raise InputError(
            f"All regions lie outside of where the maps of {case} hold reliable values; move them into the body."
        )
    return rows


def _statistics(values):
    keys = ("mean", "sd", "median", "q25", "q75", "min", "max")
    if values.size == 0:
        return {"n": 0, **dict.fromkeys(keys)}
    low, q25, median, q75, high = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist()
    deviation = float(values.std(ddof=1)) if values.size > 1 else None
    numbers = (float(values.mean()), deviation, median, q25, q75, low, high)
    return {"n": int(values.size), **dict(zip(keys, numbers, strict=True))}


METHOD = Method(
    measure,
    title="Statistics of regions",
    solves="mean, SD (n − 1), quartiles, extremes over voxels that count",
    test="test_analysis_measure.ArraysTest",
)
