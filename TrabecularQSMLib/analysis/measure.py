"""Statistics of maps in regions, as rows of one tidy table."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import InputError
from ..methods import Method
from ..quantities import ADDED_MAPS, ALL_QUANTITIES, Quantity, unit_in_words

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

# What the whole mask is called among the regions.
MASK = "mask"
# Statistics that move with the reference.
_PLACES = ("mean", "median", "q25", "q75", "min", "max")
# What the variance that balls tell of a region's mean counts, as draws of that mean itself would.
_BALLS_COUNT = 3
# A region of which this share is excluded lies elsewhere.
_MOSTLY = 0.5
# Between these, in their units, are the quartiles of a map in the region that has most of it.
_SIZES = {"chi": (1e-3, 20.0), "r2star": (0.5, np.inf), "pdff": (0.0, 1.5)}
# Masks that differ by less of their voxels are as large.
_AS_LARGE = 0.02
# How voxels share noise that is their own.
_INDEPENDENT = {"Voxels": [1.0], "VarianceRatio": [1.0]}
# Of a map that is no quantity of the table, such as one that a user loaded.
_OTHER = Quantity("", "", "", "", "")


def measure(
    maps: dict[str, np.ndarray],
    labels: np.ndarray,
    names: dict[int, str],
    *,
    case: str,
    units: dict[str, str] | None = None,
    chi_noise: dict[str, list[float]] | None = None,
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
    chi_noise : dict of str to list, optional
        How noise of χ averages over voxels, as `inversion.noise.chi_noise` returns it.

    Returns
    -------
    list of dict
        With the keys of `COLUMNS`. `excluded` counts the region's voxels that are left out and not in `n`: those of
        reliability 0, those whose value is not finite, for χ and the fields in ppm those outside the mask, and those
        in which R2* of water or of fat is not determined.
        `sd` has n − 1 in the denominator. `se` is the standard error of the mean by noise, ``√(Σ σ²) / n`` over voxels
        whose noise is independent; of χ, whose noise neighbors share, see Notes; how the tissue varies is in `sd`.
        Statistics that too few voxels leave undefined are None, as is `se` where no map holds σ.

    Raises
    ------
    InputError
        If there is no region, one is empty, none lies where the maps hold reliable values, or shapes differ.

    Notes
    -----
    The variance of a mean of χ is taken from two sides. Balls of n voxels all over the mask (`chi_noise`, without which
    there is no `se`) tell it well for a ball, but a region is none, and lies at one place; the maps of draws of the
    noise tell it of the region itself, but they are two. Both are averaged, balls as three draws.
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
            draws = [maps[one][inside][counts] for one in quantity.draws if one in maps]
            error = _standard_error(sigma, chi_noise if quantity.draws else _INDEPENDENT, draws)
            rows.append({**row, "excluded": size - statistics["n"], "se": error})
    if rows and not any(row["n"] for row in rows):
        raise InputError(
            f"All regions lie outside of where the maps of {case} hold reliable values; move them into the body."
        )
    return rows


def _standard_error(sigma, shared, draws):
    """Standard error of a mean by noise, from σ of its voxels, how they share it, and draws of it; None if unknown."""
    if not sigma.size or shared is None:
        return None
    # Linear in the logarithms; that of the largest ball beyond it.
    ratio = np.exp(np.interp(np.log(sigma.size), *(np.log(shared[name]) for name in ("Voxels", "VarianceRatio"))))
    variance = ratio * np.square(sigma, dtype=np.float64).sum() / sigma.size**2
    own = sum(float(draw.mean(dtype=np.float64)) ** 2 for draw in draws)
    return float(np.sqrt((_BALLS_COUNT * variance + own) / (_BALLS_COUNT + len(draws))))


def on_excluded(rows: Sequence[Mapping]) -> list[str]:
    """Say of which regions no map holds a reliable value in most voxels; rows are those of `measure`."""
    least = {}
    for row in rows:
        share = row["excluded"] / max(row["n"] + row["excluded"], 1)
        least[row["region"]] = min(share, least.get(row["region"], 1.0))
    lost = [f"{share:.0%} of the region {region}" for region, share in least.items() if share > _MOSTLY]
    if not lost:
        return []
    return [
        f"{', '.join(lost)} hold no reliable value of any map: they lie in air or outside of the mask, as skin does. "
        "Regions of bone should not: check that they lie on their bones, and left and right."
    ]


def on_sizes(rows: Sequence[Mapping]) -> list[str]:
    """Say which maps are too large or too small for their unit in all regions, or zero; rows are those of `measure`."""
    sizes: dict[str, float] = {}
    for row in rows:
        if row["quantity"] in _SIZES and row["n"] and row["region"] != MASK:
            size = max(abs(row["q25"]), abs(row["q75"]), abs(row["mean"]))
            sizes[row["quantity"]] = max(size, sizes.get(row["quantity"], 0.0))
    notes = []
    for name, size in sizes.items():
        (least, most), quantity = _SIZES[name], ALL_QUANTITIES[name]
        if size == 0 < least:
            notes.append(f"{quantity.title} is 0 in all regions: the map holds nothing there.")
        elif not least <= size <= most:
            unit = unit_in_words(quantity.unit)
            notes.append(
                f"{quantity.title} reaches {size:.3g} in the regions, too {'much' if size > most else 'little'} for "
                f"{unit}, which the table says: the map is in another unit (such as ppb, percent or 1/ms); bring it to "
                f"{unit}."
            )
    return notes


def on_support(maps: Mapping[str, np.ndarray]) -> list[str]:
    """Say which maps that are zero outside of the mask have as many other voxels as that, but elsewhere."""
    notes, mask = [], maps.get("mask")
    for name in (name for name in maps if mask is not None and name in ALL_QUANTITIES):
        if not ALL_QUANTITIES[name].only_in_mask:
            continue
        known, inside = np.isfinite(maps[name]) & (maps[name] != 0), mask != 0
        counts = [np.count_nonzero(one) for one in (known, inside, known & inside)]
        if counts[1] and abs(counts[0] / counts[1] - 1) < _AS_LARGE and counts[2] < (1 - 2 * _AS_LARGE) * counts[1]:
            notes.append(
                f"{ALL_QUANTITIES[name].title} has as many voxels as its mask, but {1 - counts[2] / counts[1]:.0%} lie "
                "elsewhere: the map was turned round or moved, or is of another run; reconstruct it again."
            )
    return notes


def whole_mask(
    maps: dict[str, np.ndarray], *, case: str, chi_noise: dict[str, list[float]] | None = None
) -> list[dict]:
    """Return the row of χ over the whole mask, as the region `MASK`; none without χ or where none is reliable."""
    used = {name: maps[name] for name in ("chi", "mask", "reliability", *ADDED_MAPS["chi_sigma"]) if name in maps}
    if not {"chi", "mask"} <= used.keys() or not np.any((used["mask"] != 0) & (used.get("reliability", 1) > 0)):
        return []
    return measure(used, (used["mask"] != 0).astype(np.int8), {1: MASK}, case=case, chi_noise=chi_noise)


def referenced(rows: list[dict], region: str) -> list[dict]:
    """Return rows of which those of χ are relative to the mean of a region of the same case.

    `se` is that of the difference of two means whose noise is taken to be independent, and 0 of the region itself.

    Raises
    ------
    InputError
        If a case has no χ in the region.
    """
    means = {row["case"]: row for row in rows if row["quantity"] == "chi" and row["region"] == region}
    result = []
    for row in rows:
        if row["quantity"] == "chi":
            own = means.get(row["case"])
            if own is None or own["mean"] is None:
                raise InputError(f"{row['case']} has no χ in the region {region!r}, the reference; choose another one.")
            shifted = {key: row[key] - own["mean"] for key in _PLACES if row[key] is not None}
            both = (row["se"], own["se"])
            error = None if None in both else 0.0 if row is own else float(np.hypot(*both))
            row = {**row, **shifted, "se": error}
        result.append(row)
    return result


def reference_notes(rows: list[dict], region: str | None) -> list[str]:
    """Return what a publication has to say of the reference of χ, from rows before `referenced`: one note a case."""
    chi = {(row["case"], row["region"]): row for row in rows if row["quantity"] == "chi" and row["mean"] is not None}
    notes = []
    for case in dict.fromkeys(row["case"] for row in rows):
        mask, own = chi.get((case, MASK)), chi.get((case, region))
        over = f"{_mean_and_deviation(mask)} over the mask" if mask else "not known over the mask"
        if own:
            notes.append(
                f"{case}: χ is relative to {region}, whose χ in the map is {_mean_and_deviation(own)}; {over}."
            )
        elif mask and region is None:
            notes.append(f"{case}: χ is as the map has it, {over} (mean ± SD).")
    return notes


def _mean_and_deviation(row):
    deviation = "" if row["sd"] is None else f" ± {row['sd']:.3f}"
    return f"{row['mean']:.3f}{deviation} ppm"


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
