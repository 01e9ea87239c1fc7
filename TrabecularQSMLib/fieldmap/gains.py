"""Gains that single echoes have all over the image, and which of two minima they let pass for the right one.

Where echoes are off by some percent each, everywhere alike, the misfit is the same error in every voxel: thousands of
voxels say no more than one. A tissue that fills an organ may then fit as water almost as well as at its own place as
fat, and either can be made perfect by gains. Two things that the fit of single voxels leaves free tell more: water and
fat start with one phase and R2* is not negative; and a scanner is tuned to the water, rarely to the fat, of what lies
in it.
"""

from dataclasses import dataclass

import numpy as np

from ..methods import Method
from .refine import MAXIMUM_ITERATIONS, refine
from .search import FINEST_MISFIT
from .signal import Model, mean_field, project, synthesize, within_period

# Voxels that the fields which a whole scan could have are compared in, with their steps as parts of one over the
# length of the train, the largest, and the values of R2* in the first units.
FEW_VOXELS = 100
FIELD_STEPS = 24
SHIFTS_PPM = 8.0
RATES = np.array([0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.4, 2.0, 3.0, 5.0])
# Only a minimum below all fields this close, in the same units, is another one.
APART = 0.8
# The field of a whole scan: how far off a scanner is tuned, in ppm, and how often to the fat.
TUNING_PPM = 1.0
TUNED_TO_FAT = 0.05
# Ways to see a scan that are tried with gains of their own, and how much more may be left of its misfit by one of them.
HYPOTHESES = 8
UNEXPLAINED = 2.0
# The sign of the phase is ruled out by so much more of the misfit left, if the fields say no other.
RULED_OUT = 1.6
# Fat is rare up to this share of voxels, and tells the sign from so many on, if the logarithm of its misfit falls by so
# much in the middle (and in standard errors).
RARE_FAT, FEWEST_OF_FAT, LEAST_OF_FAT = 0.2, 20, 0.2
# The difference in log-likelihood below which two ways to see a scan are told to be alike.
ALIKE = 3.0
# Changes of gains that the data hardly tell, as a part of those that they tell best, stay at zero.
RIDGE = 1e-3
STEPS = 6
LARGEST_STEP = 0.3
ON_THE_WAY = 5
# Each voxel's six numbers leave nothing over of fewer echoes. Gains count from this root mean square of their
# logarithms on, if the misfit falls by this logarithm and so many standard errors.
FEWEST_ECHOES = 5
FEWEST_VOXELS = 50
SMALLEST = 0.03
LEAST_GAINED = 0.1
SURE = 5.0


@dataclass(frozen=True)
class EchoGains:
    """Gains of echoes, (E,) complex, and what speaks for them.

    `errors` says by how many standard errors the misfit without gains is larger, `alike` whether other fields, where
    water is taken for fat or fat for water, do nearly as well.
    """

    gains: np.ndarray
    errors: float
    alike: bool


def echo_gains(
    signal: np.ndarray,
    model: Model,
    field_hz: np.ndarray,
    r2star: np.ndarray,
    organ: np.ndarray,
    *,
    fat_hz: float,
    ppm_hz: float,
) -> EchoGains | None:
    """Return the smallest gains of echoes that explain what the fit leaves over everywhere, or None if it is little.

    Parameters
    ----------
    signal : (E, V) complex array
        Of voxels drawn at random.
    model : Model
    field_hz, r2star : (V,) arrays
        Each voxel's fit, in each organ with the right field or shifted alike.
    organ : (V,) int array
        Number of the connected part of the image that the voxel lies in.
    fat_hz : float
        Shift of fat against water.
    ppm_hz : float
        One millionth of the imaging frequency.
    """
    if not asked_for(signal, model, field_hz, r2star):
        return None
    before = _fit(signal, model, field_hz, r2star, steps=0)
    best = explained(signal, model, field_hz, r2star, organ, fat_hz=fat_hz, ppm_hz=ppm_hz)
    gained = np.log(before.misfit) - np.log(best.fit.misfit)
    # A wrong spectrum of fat is no gain: what belongs to the echoes helps water and fat alike.
    fatty = best.fit.fatty
    parts = [gained[part] for part in (fatty, ~fatty) if part.sum() >= min(50, part.size // 2)]
    if _size(best.fit.gains) < SMALLEST or min(map(mean_in_errors, parts)) < SURE or gained.mean() < LEAST_GAINED:
        return None
    return EchoGains(best.fit.gains, mean_in_errors(gained), best.alike)


def asked_for(signal: np.ndarray, model: Model, field_hz: np.ndarray, r2star: np.ndarray) -> bool:
    """Return whether a first step of the gains leads away from none."""
    if model.echo_times.size < FEWEST_ECHOES or field_hz.size < FEWEST_VOXELS:
        return False
    return _size(_fit(signal, model, field_hz, r2star, steps=1).gains) >= SMALLEST


def in_large_parts(organ: np.ndarray) -> np.ndarray:
    """Return whether voxels lie in parts of the image of which there are enough, (V,) bool: specks have no say."""
    names, counts = np.unique(organ, return_counts=True)
    return np.isin(organ, names[counts >= FEWEST_VOXELS])


@dataclass(frozen=True)
class Explained:
    """The best way to see a scan with gains.

    Its fit, what that leaves over in the worst organ, minus the log-likelihood of its fields as seen without gains, and
    whether other fields do nearly as well.
    """

    fit: "_Fit"
    left: float
    score: float
    alike: bool

    def beats(self, other: "Explained", *, by_tuning: bool = True) -> bool:
        """Return whether the other one can be ruled out beside this one.

        By what it leaves over, by fat that is rare, or (`by_tuning`) by fields that a scanner is hardly tuned to.
        """
        ratio, ahead = other.left / self.left, other.score - self.score
        tuned = by_tuning and ratio > 1 / RULED_OUT and ahead > ALIKE
        return ratio > RULED_OUT and ahead > 0 or tuned or self._fits_rare_fat(other)

    def _fits_rare_fat(self, other):
        """Whether fat among much water fits better: the gains are then those of water, which tells nothing else.

        If it is water: where fat, taken for water, does nearly as well, the few may be water themselves.
        """
        fatty = self.fit.fatty | other.fit.fatty
        if self.alike or np.count_nonzero(fatty) < FEWEST_OF_FAT or fatty.mean() > RARE_FAT:
            return False
        gained = np.log(other.fit.misfit[fatty]) - np.log(self.fit.misfit[fatty])
        return mean_in_errors(gained) > SURE and float(np.median(gained)) > LEAST_OF_FAT


def explained(signal, model, field_hz, r2star, organ, *, fat_hz, ppm_hz, gains=None) -> Explained:
    """Return how gains explain echoes best, over shifts of the field.

    Arguments are those of `echo_gains`, and gains to begin with that belong to these fields.
    """
    shifts, scores = _hypotheses(signal, model, field_hz, organ, fat_hz, ppm_hz)
    fits = [_fit(signal, model, field_hz + shift, r2star, gains=gains) for shift in shifts]
    # What gains common to all cannot explain decides first: an image of water and fat shows it.
    left = np.array([max(np.median(fit.misfit[organ == one]) for one in np.unique(organ)) for fit in fits])
    scores = np.where(left <= UNEXPLAINED * left.min(), scores, np.inf)
    order = scores.argsort()
    best = order[0]
    alike = order.size > 1 and bool(scores[order[1]] - scores[best] < ALIKE)
    return Explained(fits[best], float(left[best]), float(scores[best]), alike)


def mean_in_errors(difference: np.ndarray) -> float:
    """Return the mean of paired differences in standard errors; zero where nothing differs."""
    if difference.size < 10:
        return 0.0
    spread = difference.std() / np.sqrt(max(difference.size - 1, 1))
    return float(difference.mean() / spread) if spread > 0 else 0.0


def normal_equations(signal, model, field_hz, r2star, directions):
    """Return normal matrix and right side of the best changes of gains along directions (P of (E, V) or (E, 1)).

    Voxels count by their misfit.
    """
    changes, rest = beyond_own(
        signal, model, field_hz, r2star, lambda modelled, _: [modelled * direction for direction in directions]
    )
    energy = (rest**2).sum(axis=1)
    weight = 1 / (energy + np.median(energy) + np.finfo(float).tiny)
    weighted, changes = weight[:, None, None] * changes, changes.reshape(-1, len(directions))
    weighted = weighted.reshape(changes.shape).T
    return weighted @ changes, weighted @ rest.ravel()


def beyond_own(signal, model, field_hz, r2star, changes_of):
    """Return changes of the echoes (V, 2E, P) and what is left over (V, 2E), real parts before imaginary ones.

    `changes_of` gives the former (P of (E, V)) from the modelled echoes and the part of fat in them, as F at the first
    echo decays. What each voxel's own six parameters can make of them is projected out.
    """
    at = project(signal.astype(np.complex128), model, field_hz, r2star)
    time, fat = (model.echo_times - model.echo_times[0])[:, None], model.fat[:, None]
    decay = np.exp((2j * np.pi * field_hz - r2star) * time)
    modelled = decay * (at.water + fat * at.fat)
    own = [decay, 1j * decay, fat * decay, 1j * fat * decay, 1j * time * modelled, time * modelled]

    def real(vectors):
        stacked = np.stack([np.concatenate([v.real, v.imag]) for v in vectors])
        return stacked.transpose(2, 1, 0)

    q, _ = np.linalg.qr(real(own))
    changes = real(changes_of(modelled, decay * at.fat))
    return changes - q @ (q.transpose(0, 2, 1) @ changes), real([signal - modelled])[..., 0]


@dataclass(frozen=True)
class _Fit:
    gains: np.ndarray
    misfit: np.ndarray
    fatty: np.ndarray


def _size(gains):
    return float(np.sqrt(np.mean(np.abs(np.log(gains)) ** 2)))


def _fit(signal, model, field, rate, steps=STEPS, gains=None):
    """Gains from fields nearby, and what they leave over as a part of the energy."""
    echoes = model.echo_times.size
    alone = np.eye(echoes)[:, :, None]
    logarithm = np.zeros(2 * echoes) if gains is None else np.concatenate([np.log(np.abs(gains)), np.angle(gains)])
    for step in range(steps + 1):
        gains = np.exp(logarithm[:echoes] + 1j * logarithm[echoes:])
        data = signal / gains[:, None]
        last = step == steps
        # On the way, fields need not be better known than gains.
        field, rate, water, fat, _ = refine(
            data, model, field, rate, iterations=MAXIMUM_ITERATIONS if last else ON_THE_WAY
        )
        if last:
            break
        normal, right = normal_equations(data, model, field, rate, [*alone, *(1j * alone)])
        ridge = RIDGE * np.linalg.eigvalsh(normal)[-1]
        change = np.linalg.solve(normal + ridge * np.eye(2 * echoes), right - ridge * logarithm)
        logarithm += np.clip(change, -LARGEST_STEP, LARGEST_STEP)
    # In the echoes as they are: gains that only enlarge strong echoes and shrink noisy ones explain nothing.
    rest = np.abs(signal - gains[:, None] * synthesize(water, fat, field, rate, model)) ** 2
    power = np.maximum((np.abs(signal) ** 2).sum(axis=0), np.finfo(np.float32).tiny)
    return _Fit(gains, rest.sum(axis=0) / power + FINEST_MISFIT, np.abs(fat) > np.abs(water))


def _hypotheses(signal, model, field, organ, fat_hz, ppm_hz):
    """Shifts (H, V) of the fields of organs, in Hz, and minus the log-likelihood of each as seen without gains."""
    shifts, scores = np.zeros((1, field.size)), np.zeros(1)
    names, counts = np.unique(organ, return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")]:
        inside = organ == name
        few = np.flatnonzero(inside)[:FEW_VOXELS]
        found, cost = _shifts(signal[:, few], model, field[few], fat_hz, ppm_hz)
        shifts = (shifts[:, None] + found[None, :, None] * inside).reshape(-1, field.size)
        scores = (scores[:, None] + cost).ravel()
        best = scores.argsort(kind="stable")[:HYPOTHESES]
        shifts, scores = shifts[best], scores[best]
    return shifts, scores


def _shifts(signal, model, field, fat_hz, ppm_hz):
    """Shifts of all fields, in Hz, at which a scan as a whole fits, and minus the log-likelihood of each."""
    period, train = model.period_hz, model.train
    width = min(period, 2 * SHIFTS_PPM * ppm_hz)
    count = int(np.ceil(width * train * FIELD_STEPS))
    shifts = (np.arange(count) - count // 2) * width / count
    costs = np.stack([_in_phase(signal, model, field + shift) for shift in shifts])
    # Noise is in all of them alike.
    cost = np.median(costs, axis=1)
    reach = int(np.ceil(APART * FIELD_STEPS / 2))
    around = np.stack([np.roll(cost, by) for by in range(-reach, reach + 1)]).min(axis=0)
    minima = np.flatnonzero(cost <= around)
    # Each voxel's own minimum may lie beside that of all.
    nearby = np.arange(-reach, reach + 1)
    cost = np.array([np.median(costs.take(m + nearby, axis=0, mode="wrap").min(axis=0)) for m in minima])
    score = (model.echo_times.size - 2.5) * np.log(cost + FINEST_MISFIT)
    center, _ = mean_field(field, period)
    return shifts[minima], score + tuning_cost(center + shifts[minima], period, fat_hz, ppm_hz)


def tuning_cost(field, period, fat_hz, ppm_hz):
    """Return minus the logarithm of how likely the mean field of a scan is, known up to whole periods; all in Hz."""
    likelihood = 0.0
    for center, share in ((0.0, 1 - TUNED_TO_FAT), (-fat_hz, TUNED_TO_FAT)):
        off = within_period(field - center, period) / (TUNING_PPM * ppm_hz)
        likelihood = likelihood + share * np.exp(-(off**2) / 2)
    return -np.log(likelihood + TUNED_TO_FAT / 10)


def _in_phase(signal, model, field):
    """Misfit (V,) as a part of the energy of water and fat with one phase and an R2* of `RATES`, at given fields."""
    times = model.echo_times - model.echo_times[0]
    rotated = signal * np.exp(-2j * np.pi * np.outer(times, field))
    best = np.zeros(field.size)
    for rate in RATES / model.train:
        decay = np.exp(-rate * times)
        a11, a22 = (decay**2).sum(), (decay**2 * np.abs(model.fat) ** 2).sum()
        a12 = (decay**2 * model.fat.real).sum()
        b1, b2 = decay @ rotated, (decay * model.fat.conj()) @ rotated
        determinant = a11 * a22 - a12**2
        # The energy explained is quadratic in b e^{−iφ}; its largest value over the common phase φ.
        square = (a22 * b1**2 + a11 * b2**2 - 2 * a12 * b1 * b2) / determinant
        mixed = (a22 * np.abs(b1) ** 2 + a11 * np.abs(b2) ** 2 - 2 * a12 * (b1 * b2.conj()).real) / determinant
        turn = np.exp(-0.5j * np.angle(square))
        first, second = (b1 * turn).real, (b2 * turn).real
        # Water and fat of opposite sign are none: one of them alone.
        both = (a22 * first - a12 * second) * (a11 * second - a12 * first) >= 0
        alone = np.maximum(np.abs(b1) ** 2 / a11, np.abs(b2) ** 2 / a22)
        best = np.maximum(best, np.where(both, (np.abs(square) + mixed) / 2, alone))
    power = np.maximum((np.abs(signal) ** 2).sum(axis=0), np.finfo(np.float32).tiny)
    return np.maximum(1 - best / power, 0)


METHOD = Method(
    echo_gains,
    title="Errors of single echoes",
    solves="smallest complex gains of echoes, one for the whole image, that explain what the fit leaves everywhere",
    test="test_fieldmap_kind.GainsTest",
)
