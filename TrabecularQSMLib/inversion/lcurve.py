"""How the inversion changes with λ: discrepancy, L-curve and its corner."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..kernels import convolve, dipole_kernel, gradient
from ..methods import Method
from ..progress import Progress, part, report
from . import METHODS, invert


@dataclass(frozen=True, eq=False)
class LCurve:
    """Sweep over λ, all arrays (n,).

    `discrepancy` is ``‖Dχ − f‖²`` over the grid (the paper's Fig. S2), `data_term` ``‖W_d (Dχ − f)‖²`` and
    `regularizer` ``‖W_g ∇χ‖_p^p`` of the method; `curvature` is that of (log data term, log regularizer) and `best`
    the λ where it is largest; `region_means` holds the mean χ of each region in ppm. `inflection` is the λ below `best`
    where the curvature is zero, None where it is not in the sweep; the largest curvature over-regularizes (Milovic et
    al., MRM 2021, doi 10.1002/mrm.28957). `maps` holds χ in ppm by those λ of which it was asked for, (K, J, I) each;
    `notes` say what a user should know.
    """

    method: str
    regularization: np.ndarray
    discrepancy: np.ndarray
    data_term: np.ndarray
    regularizer: np.ndarray
    curvature: np.ndarray
    best: float
    region_means: dict[str, np.ndarray] = field(default_factory=dict)
    inflection: float | None = None
    maps: dict[float, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def columns(self) -> dict[str, np.ndarray]:
        """Return the sweep as columns of a table, by name, those of regions last."""
        names = ("regularization", "discrepancy", "data_term", "regularizer", "curvature")
        means = {f"chi {name}": values for name, values in self.region_means.items()}
        return {name: getattr(self, name) for name in names} | means


def sweep(
    local_field: np.ndarray,
    voxel_size,
    regularizations,
    *,
    method: str,
    b0_direction,
    data_weight: np.ndarray,
    edge_weight: np.ndarray,
    regions: dict[str, np.ndarray] | None = None,
    keep: Collection[float] = (),
    whole: Callable[[np.ndarray], np.ndarray] | None = None,
    progress: Progress | None = None,
    **options,
) -> LCurve:
    """Invert with each λ and return discrepancy, L-curve and region means.

    Parameters
    ----------
    local_field : (K, J, I) array
        ppm.
    voxel_size : (3,) floats
        mm.
    regularizations : sequence of floats
        At least three different values of λ.
    method : str
        Name in `METHODS`.
    regions : dict of name to (K, J, I) bool array, optional
        Those without a voxel are left out, with a note.
    keep : collection of floats, optional
        The λ of which χ is returned too.
    whole : callable, optional
        From χ as it is inverted to that of regions and of `keep`, which holds what is solved apart, too.
    **options
        Passed to `invert`.
    """
    values = checked_regularizations(regularizations)
    followed = {name: inside for name, inside in (regions or {}).items() if inside.any()}
    notes = tuple(
        f"The region {name} has no voxel where χ is solved, so it was left out; enlarge it, or the mask."
        for name in regions or {}
        if name not in followed
    )
    kernel = dipole_kernel(local_field.shape, voxel_size, b0_direction)
    chosen = METHODS[method]
    terms = np.zeros((3, values.size))
    means, maps = {name: np.zeros(values.size) for name in followed}, {}
    for index, regularization in enumerate(values):
        done = (index + 1) / values.size
        chi = invert(
            local_field,
            voxel_size,
            method=method,
            b0_direction=b0_direction,
            regularization=float(regularization),
            data_weight=data_weight,
            edge_weight=edge_weight,
            progress=part(progress, index / values.size, done),
            **options,
        )
        prior, renewed = options.get("prior"), options.get("renewed")
        field = local_field if renewed is None else renewed(chi, part(progress, done, done))
        misfit = (convolve(kernel, chi) - field).astype(np.float64)
        slopes = gradient(chi if prior is None else chi - prior, voxel_size).astype(np.float64)
        if chosen.weighted:
            slopes *= edge_weight
        terms[0, index] = np.sum(misfit**2)
        terms[1, index] = np.sum((misfit * data_weight) ** 2) if chosen.weighted else terms[0, index]
        terms[2, index] = np.sum(np.abs(slopes) ** chosen.power)
        if whole is not None:
            chi = whole(chi)
        for name, inside in followed.items():
            means[name][index] = chi[inside].mean(dtype=np.float64)
        if regularization in keep:
            maps[float(regularization)] = chi
        report(progress, done, f"λ {regularization:g}")
    bend = curvature(np.log(values), np.log(terms[1]), np.log(terms[2]))
    best = float(values[1 + np.argmax(bend[1:-1])])
    return LCurve(method, values, *terms, bend, best, means, zero_below_peak(values, bend), maps, notes)


def checked_regularizations(regularizations) -> np.ndarray:
    """Return the values of λ sorted, each once, after checking that they can give an L-curve."""
    values = np.unique(np.asarray(regularizations, np.float64))
    if values.size < 3 or not np.all(np.isfinite(values)) or values[0] <= 0:
        found = ", ".join(f"{value:g}" for value in values) or "none"
        raise InputError(f"An L-curve needs at least three different positive values of λ; found {found}.")
    return values


def curvature(parameter: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the signed curvature of the curve (x, y)(parameter) by finite differences; positive at an L's corner."""
    dx, dy = np.gradient(x, parameter), np.gradient(y, parameter)
    ddx, ddy = np.gradient(dx, parameter), np.gradient(dy, parameter)
    return (dx * ddy - dy * ddx) / (dx**2 + dy**2) ** 1.5


def zero_below_peak(regularizations: np.ndarray, bend: np.ndarray) -> float | None:
    """Return the largest λ below that of the largest curvature at which the curvature is zero, None if there is none.

    Linear in log λ between two values; the curvature of the first and the last value is one-sided and does not count.
    """
    inner, parameter = bend[1:-1], np.log(regularizations[1:-1])
    peak = int(np.argmax(inner))
    below = np.flatnonzero(inner[:peak] <= 0)
    if inner[peak] <= 0 or not below.size:
        return None
    at = below[-1]
    share = inner[at] / (inner[at] - inner[at + 1])
    return float(np.exp(parameter[at] + share * (parameter[at + 1] - parameter[at])))


METHOD = Method(
    sweep,
    title="Choice of λ: L-curve",
    solves="largest curvature, and zero curvature below it, of log ‖W_g ∇χ‖ₚᵖ over log ‖W_d (Dχ − f)‖²",
    test="test_inversion.LCurveTest",
    reference="Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531; Milovic et al., MRM 2021, doi 10.1002/mrm.28957",
)
