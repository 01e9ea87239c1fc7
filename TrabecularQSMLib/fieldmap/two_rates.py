"""R2* of water and of fat, each its own, with one field for both."""

from dataclasses import dataclass

import numpy as np

from ..chunks import run_chunks
from ..methods import Method
from ..progress import Progress
from .fat_models import FatModel
from .groups import EchoGroups, positions_of
from .levenberg import invertible, minimize
from .signal import Model

CHUNK = 4096
# Complex W and F, the field and two rates are seven numbers, an echo gives two.
LEAST_ECHOES = 4
MAXIMUM_ITERATIONS = 40
R2STAR_TOLERANCE, FIELD_TOLERANCE_HZ = 1e-2, 1e-3
# A rate is told where its own signal is this part of both at least, and its standard deviation no larger than this.
LEAST_SHARE, LARGEST_SIGMA = 0.1, 50.0
TINY = np.finfo(float).tiny


@dataclass(frozen=True, eq=False)
class TwoRates:
    """R2* of water and of fat in 1/s and their standard deviations by noise, (K, J, I) float32.

    Both are zero outside the mask and where the rate is not determined: too little of that signal, or too much noise.
    """

    r2star_water: np.ndarray
    r2star_fat: np.ndarray
    sigma_water: np.ndarray
    sigma_fat: np.ndarray


def two_rates(
    echoes: np.ndarray,
    mask: np.ndarray,
    field_hz: np.ndarray,
    r2star: np.ndarray,
    *,
    echo_times: np.ndarray,
    imaging_frequency: float,
    fat_model: FatModel,
    sign: int = 1,
    groups: EchoGroups | None = None,
    noise: float = 0.0,
    progress: Progress | None = None,
) -> TwoRates:
    """Return R2* of water and of fat in every voxel of the mask that tells them.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
        At least `LEAST_ECHOES` of them.
    mask : (K, J, I) bool array
        Voxels to fit.
    field_hz, r2star : (K, J, I) arrays
        Field in Hz and R2* in 1/s of the fit with one rate, from which this one starts; a field that is off by whole
        periods will do.
    echo_times : (E,) array
        Seconds.
    imaging_frequency : float
        Hz.
    fat_model : FatModel
    sign, groups
        As in `separation.separate`.
    noise : float
        Standard deviation of the noise in the real channel; that of the fit's residuals counts if it is larger.

    Notes
    -----
    ``s(t) = [W e^{−R_w t} + F c(t) e^{−R_f t}] e^{2πi f t}`` with complex W and F (Chebrolu et al., MRM 2010, doi
    10.1002/mrm.22300), by Levenberg–Marquardt for f, R_w and R_f with W and F projected out. The standard deviations
    are the Cramér–Rao bound.
    """
    model = Model(np.asarray(echo_times, np.float64), fat_model.signal(echo_times, imaging_frequency))
    voxels = np.flatnonzero(mask)
    at = np.unravel_index(voxels, mask.shape)
    positions = None if groups is None else positions_of(mask.shape, voxels)
    rates, sigmas = (np.zeros((2, voxels.size), np.float32) for _ in range(2))
    shares, residual = np.zeros(voxels.size, np.float32), np.zeros(voxels.size, np.float32)

    def work(chunk):
        some = tuple(index[chunk] for index in at)
        signal = np.stack([echo[some] for echo in echoes]).astype(np.complex128)
        if groups is not None:
            signal = groups.corrected(signal, positions[:, chunk])
        signal = signal.conj() if sign < 0 else signal
        rates[:, chunk], sigmas[:, chunk], shares[chunk], residual[chunk] = fit_rates(
            signal, model, field_hz[some], r2star[some]
        )

    run_chunks(work, voxels.size, CHUNK, message="Fitting R2* of water and fat", progress=progress)
    left = 2 * len(model.echo_times) - 7
    if residual.size:
        # The median of χ², as in `uncertainty.noise_of_fit`.
        noise = max(noise, float(np.sqrt(np.median(residual**2) / (left * (1 - 2 / (9 * left)) ** 3))))
    sigmas *= np.float32(noise)
    of_signal = np.stack([1 - shares, shares])
    low, high = model.r2star_range
    inside = (rates > low) & (rates < high)
    known = inside & (of_signal > LEAST_SHARE) & (sigmas < LARGEST_SIGMA)
    result = np.zeros((4, *mask.shape), np.float32)
    for target, values in zip(result, (*np.where(known, rates, 0), *np.where(known, sigmas, 0)), strict=True):
        target[at] = values
    return TwoRates(*result)


def fit_rates(signal: np.ndarray, model: Model, field_hz: np.ndarray, r2star: np.ndarray):
    """Fit the model of two rates to the echoes of voxels.

    Parameters
    ----------
    signal : (E, V) complex array
    model : Model
        Echo times and fat signal.
    field_hz, r2star : (V,) arrays
        Start, Hz and 1/s.

    Returns
    -------
    rates : (2, V) array
        R2* of water and of fat in 1/s.
    deviations : (2, V) array
        Their standard deviations for noise of standard deviation 1.
    share : (V,) array
        ``|F| / (|W| + |F|)`` at echo time zero.
    residual : (V,) array
        Root sum of squares of the residual over echoes.
    """
    low, high = model.r2star_range
    start = np.clip(np.asarray(r2star, float), low / 2, high / 2)
    parameters = np.stack([2 * np.pi * np.asarray(field_hz, float), start, start], axis=1)

    def equations(some, at):
        return _normal_equations(signal[:, some], model, at)[:3]

    def is_moving(before, after):
        change = np.abs(after - before)
        return (change[:, 0] > 2 * np.pi * FIELD_TOLERANCE_HZ) | (change[:, 1:] > R2STAR_TOLERANCE).any(axis=1)

    parameters = minimize(
        equations,
        parameters,
        rates=slice(1, None),
        limits=(low, high),
        is_moving=is_moving,
        iterations=MAXIMUM_ITERATIONS,
    )
    cost, _, normal, water, fat = _normal_equations(signal, model, parameters)
    covariance = np.linalg.inv(invertible(normal))
    deviations = np.sqrt(np.maximum(np.stack([covariance[:, 1, 1], covariance[:, 2, 2]]), 0))
    rates = parameters[:, 1:].T
    back = np.abs(np.stack([water, fat])) * np.exp(np.clip(rates * model.echo_times[0], -50, 50))
    return rates, deviations, back[1] / np.maximum(back.sum(axis=0), TINY), np.sqrt(cost)


def _normal_equations(signal, model, parameters):
    """Cost, gradient (V, 3), Gauss–Newton matrix (V, 3, 3) of 2πf, R_w and R_f, and W and F at the first echo."""
    omega, rate_water, rate_fat = parameters.T
    time = (model.echo_times - model.echo_times[0])[:, None]
    a = np.exp(-time * rate_water)
    b = np.exp(-time * rate_fat) * model.fat[:, None]
    rotated = signal * np.exp(-1j * time * omega)
    g11, g12 = (a * a).sum(axis=0), (a * b).sum(axis=0)
    g22 = (b.real**2 + b.imag**2).sum(axis=0)
    determinant = np.maximum(g11 * g22 - np.abs(g12) ** 2, 1e-10 * g11 * g22 + TINY)

    def coefficients(vector):
        b1, b2 = (a * vector).sum(axis=0), (b.conj() * vector).sum(axis=0)
        return (g22 * b1 - g12 * b2) / determinant, (g11 * b2 - g12.conj() * b1) / determinant

    water, fat = coefficients(rotated)
    of_water, of_fat = a * water, b * fat
    residual = rotated - of_water - of_fat
    columns = []
    for vector in (1j * time * (of_water + of_fat), -time * of_water, -time * of_fat):
        along_water, along_fat = coefficients(vector)
        columns.append(vector - a * along_water - b * along_fat)
    columns = np.stack(columns)
    cost = (residual.real**2 + residual.imag**2).sum(axis=0)
    gradient = np.einsum("pev,ev->vp", columns.conj(), residual).real
    normal = np.einsum("pev,qev->vpq", columns.conj(), columns).real
    return cost, gradient, normal, water, fat


METHOD = Method(
    two_rates,
    title="R2* of water and of fat",
    solves="Σ |s(t) − (W e^{−R_w t} + c(t) F e^{−R_f t}) e^{2πi f t}|², from the fit with one rate",
    test="test_fieldmap_rates.TwoRatesTest",
    reference="Chebrolu et al., MRM 2010, doi 10.1002/mrm.22300",
    options={"fat_model": "fat_model"},
)
