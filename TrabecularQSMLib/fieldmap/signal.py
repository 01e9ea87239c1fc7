"""The signal of water and fat with one R2* and one field, and what is left when water and fat are projected out.

``s(t) = [W + F c(t)] exp((2πi f − R2*) t)`` with complex W and F and the fat signal c(t) of a known spectrum. For
given f and R2* the best W and F are linear least squares; what remains is a problem in f and R2* alone (variable
projection: Golub & Pereyra, SIAM J Numer Anal 1973, doi 10.1137/0710036).
"""

from dataclasses import dataclass

import numpy as np

# R2* may come out below zero, by noise: cut at zero, the mean of a region would be biased. How far depends on what
# echoes tell: so many times one over the length of the train, at least so far in 1/s. Cut at -100, the mean of half and
# half in three echoes 1.15 ms apart (SNR 15) was 40 1/s too high, and 0.5 ms apart 140.
LOWEST_RATE, LOWEST_R2STAR, HIGHEST_R2STAR = 2.0, -100.0, 2000.0


@dataclass(frozen=True)
class Model:
    """Echo times in s, (E,) float64, and the fat signal at them, (E,) complex128."""

    echo_times: np.ndarray
    fat: np.ndarray

    @property
    def train(self) -> float:
        """Time in s from the first echo to the last: fields closer than a fraction of its inverse look alike."""
        return float(self.echo_times[-1] - self.echo_times[0])

    @property
    def r2star_range(self) -> tuple[float, float]:
        """Limits of R2* in 1/s."""
        return r2star_range(self.echo_times)

    @property
    def period_hz(self) -> float:
        """Field period that echoes at these times cannot tell apart: one over their largest common spacing."""
        return 1.0 / common_spacing(self.echo_times)


def r2star_range(echo_times: np.ndarray) -> tuple[float, float]:
    """Return the limits of R2* in 1/s of fits to echoes at these times in s."""
    return min(LOWEST_R2STAR, -LOWEST_RATE / float(echo_times[-1] - echo_times[0])), HIGHEST_R2STAR


def common_spacing(echo_times: np.ndarray) -> float:
    """Return the largest time in s of which all echo spacings are whole multiples, to 2 % of it.

    Scanners round echo times to about a microsecond. Spacings without a common divisor of at least a twelfth of the
    shortest one count as having that twelfth: the period is then far beyond any field in the body.
    """
    differences = np.asarray(echo_times)[1:] - echo_times[0]
    shortest = np.diff(echo_times).min()
    for divisor in range(1, 13):
        spacing = shortest / divisor
        # Fit the spacing to all echoes, since rounding of the shortest one adds up over long trains.
        multiples = np.round(differences / spacing)
        spacing = float(multiples @ differences / (multiples @ multiples))
        if np.all(np.abs(differences / spacing - multiples) < 0.02):
            return spacing
    return float(shortest / 12)


def within_period(difference, period):
    """Return differences of fields, which are known up to whole periods, as the least that they may be."""
    return difference - period * np.round(difference / period)


def mean_field(field: np.ndarray, period: float) -> tuple[float, float]:
    """Return the mean of fields that are known up to whole periods, and how alike they are, 0 to 1."""
    turn = np.exp(2j * np.pi * field / period).mean()
    return np.angle(turn) * period / (2 * np.pi), np.abs(turn)


@dataclass
class Projection:
    """Water, fat and residual at given fields and rates, for the echoes of many voxels.

    `water` and `fat` refer to the first echo time (the decay and phase up to there are not taken out), `cost` is the
    sum of squares of the residual, `slope` the projected gradient of the fit and `curvature` the Gauss–Newton
    curvature: the step of the complex rate ``2πi f − R2*`` is ``slope / curvature``.
    """

    water: np.ndarray
    fat: np.ndarray
    cost: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray


def project(signal: np.ndarray, model: Model, field_hz: np.ndarray, r2star: np.ndarray) -> Projection:
    """Fit W and F to the echoes (E, V) at given field and R2* (V,), and return the Gauss–Newton quantities.

    The Jacobian of the projected residual with respect to the complex rate z = 2πi f − R2* is ``−P⊥ (t m)``
    (Kaufman's approximation, BIT 1975, doi 10.1007/BF01932995) for the model signal m. As the two real parameters
    are the real and imaginary part of one complex one, their normal equations decouple.
    """
    real = signal.real.dtype
    fat = model.fat.astype(signal.dtype)[:, None]
    time = (model.echo_times - model.echo_times[0])[:, None]
    phase = (-2 * np.pi * time * field_hz).astype(real)
    decay = np.exp((-time * r2star).astype(real))
    rotated = np.empty(signal.shape, signal.dtype)
    np.cos(phase, out=rotated.real)
    np.sin(phase, out=rotated.imag)
    rotated *= signal

    energy = decay * decay
    a11 = energy.sum(axis=0)
    a12 = np.einsum("ev,e->v", energy, fat[:, 0])
    a22 = np.einsum("ev,e->v", energy, np.abs(fat[:, 0]) ** 2)
    determinant = a11 * a22 - np.abs(a12) ** 2
    # Fast decay leaves fewer than two useful echoes: keep the division finite, the fit is not believed there.
    np.maximum(determinant, 1e-10 * a11 * a22, out=determinant)

    def coefficients(vector):
        b1 = (decay * vector).sum(axis=0)
        b2 = np.einsum("ev,ev,e->v", decay, vector, fat[:, 0].conj())
        return (a22 * b1 - a12 * b2) / determinant, (a11 * b2 - a12.conj() * b1) / determinant

    water, fat_part = coefficients(rotated)
    modelled = decay * (water + fat * fat_part)
    residual = rotated - modelled
    weighted = time.astype(real) * modelled
    along_water, along_fat = coefficients(weighted)
    slope_vector = weighted - decay * (along_water + fat * along_fat)
    cost = np.einsum("ev,ev->v", residual.real, residual.real) + np.einsum("ev,ev->v", residual.imag, residual.imag)
    slope = np.einsum("ev,ev->v", slope_vector.conj(), residual)
    curvature = np.einsum("ev,ev->v", slope_vector.conj(), slope_vector).real
    return Projection(water, fat_part, cost, slope, curvature)


def fitted_echoes(at: Projection, model: Model, field_hz: np.ndarray, r2star: np.ndarray) -> np.ndarray:
    """Return the echoes (E, V) as fitted by a projection at these fields and R2*."""
    from_first = Model(model.echo_times - model.echo_times[0], model.fat)
    return synthesize(at.water, at.fat, field_hz, r2star, from_first)


def synthesize(water, fat, field_hz, r2star, model: Model) -> np.ndarray:
    """Return the echoes (E, V) of voxels with given water, fat (at time zero), field in Hz and R2* in 1/s."""
    time = model.echo_times[:, None]
    return (water + model.fat[:, None] * fat) * np.exp((2j * np.pi * np.asarray(field_hz) - np.asarray(r2star)) * time)
