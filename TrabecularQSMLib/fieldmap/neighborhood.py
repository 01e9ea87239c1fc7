"""Choice among the candidate fields of each voxel with the help of its neighbors.

One voxel alone may fit water almost as well as fat at another field. The field is smooth, so each voxel takes the
candidate that minimizes its own misfit plus the distance to the field around it, where neighbors that are sure of
themselves count more (iterated conditional modes, Besag 1986, doi 10.1111/j.2517-6161.1986.tb01412.x). Patches that
this leaves behind move as a whole (`cuts`).
"""

import numpy as np

from ..chunks import run_chunks
from ..progress import Progress, part, report
from ..smoothing import gaussian
from .cuts import choose_globally

# Width of the neighborhood in mean voxel widths, and how far the field may stray from its mean there, as a part of the
# distance between fields that are taken for each other: first wide, so that a swapped island is seen from outside.
NEIGHBORHOODS = ((6.0, 0.28), (3.0, 0.19), (1.5, 0.12), (1.5, 0.12), (1.0, 0.09), (1.0, 0.09))
# Part of a voxel's energy that candidates may misfit for reasons other than noise (grid of R2*, spectrum of fat).
MODEL_ERROR = 0.004
# No distance to the neighbors counts more than this many units of log-likelihood: true jumps exist.
LARGEST_PENALTY = 12.0
# Voxels that choose at once.
CHUNK = 8192


def choose_candidates(
    field_hz: np.ndarray,
    cost: np.ndarray,
    power: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    period_hz: float,
    distance_hz: float,
    train: float,
    degrees_of_freedom: int,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the index of the chosen candidate for each voxel of the mask, and how sure the choice is.

    Parameters
    ----------
    field_hz, cost : (C, V) arrays
        Candidates in Hz, best first, and their residual as a fraction of `power`.
    power : (V,) array
        Sum of squares of the echoes.
    mask : (K, J, I) bool array
        Where the V voxels are.
    voxel_size : (3,) floats
        mm.
    period_hz : float
        Fields this far apart are the same to the echoes.
    distance_hz : float
        Fields this far apart are easily taken for each other.
    train : float
        Length of the echo train in s.
    degrees_of_freedom : int
        Of the residual of one voxel.

    Returns
    -------
    chosen : (V,) int array
    margin : (V,) array
        How much more the next best candidate would cost, in units of log-likelihood.
    own : (V,) array
        How much more one at a distance would cost by the voxel's own echoes alone.
    """
    noise = np.median(cost[0] * power) / max(degrees_of_freedom, 1)
    misfit = cost * (power / (2 * (noise + MODEL_ERROR * power) + np.finfo(np.float32).tiny))
    misfit = misfit - misfit[0]
    phasors = np.exp(2j * np.pi * field_hz / period_hz).astype(np.complex64)
    distinct = np.abs(phasors[1:] * phasors[0].conj() - 1) > 0.05
    runner_up = np.where(distinct, misfit[1:], np.inf).min(axis=0)
    weight = power * -np.expm1(-np.minimum(runner_up, 50.0)) + 1e-6 * power

    voxels = np.arange(power.size)
    chosen = np.zeros(power.size, np.intp)
    for step, (width, spread) in enumerate(NEIGHBORHOODS):
        current = phasors[chosen, voxels] * weight
        parts = [smoothed(one, mask, voxel_size, width) for one in (current.real, current.imag)]
        unit = period_hz / (2 * np.pi * spread * distance_hz)

        def choose(chunk, parts=parts, unit=unit):
            around = parts[0][chunk] + 1j * parts[1][chunk]
            around /= np.maximum(np.abs(around), np.finfo(np.float32).tiny)
            strayed = np.angle(phasors[:, chunk] * around.conj()) * unit
            penalty = np.minimum(0.5 * strayed**2, LARGEST_PENALTY)
            chosen[chunk] = np.argmin(misfit[:, chunk] + penalty, axis=0)

        run_chunks(choose, power.size, CHUNK)
        report(progress, 0.5 * (step + 1) / len(NEIGHBORHOODS), "Comparing fields with their neighbors")
    return choose_globally(
        chosen,
        field_hz,
        misfit,
        np.sqrt(noise / np.maximum(power, np.finfo(np.float32).tiny)) / train,
        mask,
        voxel_size,
        period_hz=period_hz,
        distance_hz=distance_hz,
        progress=part(progress, 0.5, 1.0),
    )


def smoothed(values: np.ndarray, mask: np.ndarray, voxel_size, width: float) -> np.ndarray:
    """Return the values (V,) of a mask after a Gaussian of a width in mean voxel widths; outside counts as zero."""
    mean_size = np.prod(voxel_size) ** (1 / 3)
    sigma = [width * mean_size / size if n > 1 else 0.0 for size, n in zip(voxel_size, mask.shape, strict=True)]
    volume = np.zeros(mask.shape, np.float32)
    volume[mask] = values
    return gaussian(volume, sigma, mode="constant", truncate=2.5)[mask]
