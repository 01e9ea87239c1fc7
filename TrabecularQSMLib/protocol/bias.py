"""What the model of the fit leaves out and the protocol lets through: bone's own signal, and fields across a voxel."""

from dataclasses import dataclass

import numpy as np
import scipy

from ..fieldmap.refine import refine
from ..fieldmap.separation import fat_fraction
from ..fieldmap.signal import Model, synthesize
from ..simulation.settings import BONE_SIGNAL, BONE_T2_S


@dataclass(frozen=True)
class Bias:
    """By how much the fit is off: field in Hz, R2* in 1/s, fat fraction."""

    field_hz: float
    r2star: float
    pdff: float


def bone_signal_bias(model: Model, bvtv: float, pdff: float, r2star: float) -> Bias:
    """Return what bone's own signal does to the fit of marrow.

    Parameters
    ----------
    model : Model
        Echo times and fat signal.
    bvtv, pdff, r2star : float
        Of the marrow; R2* in 1/s.

    Notes
    -----
    The fit, without noise, of ``(1 − BV/TV)[W + F c(t)] e^{−R2* t} + 0.3 BV/TV e^{−t / 0.5 ms}``, less that without the
    second term.
    """
    time = model.echo_times[:, None]
    marrow = (1 - bvtv) * synthesize(1 - pdff, pdff, 0.0, r2star, model)
    bone = bvtv * BONE_SIGNAL * np.exp(-time / BONE_T2_S)
    return _difference(marrow + bone, marrow, model, r2star)


def gradient_bias(model: Model, gradient_hz_per_mm: float, edge_mm: float, pdff: float, r2star: float) -> Bias:
    """Return what a linear field across a voxel does to the fit, as `bone_signal_bias`.

    The signal of a voxel of `edge_mm` along the gradient is multiplied with ``sinc(G h t)``.
    """
    marrow = synthesize(1 - pdff, pdff, 0.0, r2star, model)
    dephased = marrow * np.sinc(gradient_hz_per_mm * edge_mm * model.echo_times)[:, None]
    return _difference(dephased, marrow, model, r2star)


def gradient_for(model: Model, added: float, edge_mm: float, pdff: float, r2star: float) -> float:
    """Return the gradient in Hz/mm across an edge of a voxel that adds so much R2* [1/s].

    It is looked for up to where the voxel's signal at the last echo is gone.
    """
    lacking = lambda gradient: gradient_bias(model, gradient, edge_mm, pdff, r2star).r2star - added  # noqa: E731
    most = 1 / (edge_mm * float(model.echo_times[-1]))
    return scipy.optimize.brentq(lacking, 0.0, most) if lacking(most) >= 0 else float("nan")


def _difference(signal, without, model, r2star):
    values = []
    for one in (signal, without):
        field, rate, water, fat, _ = refine(one, model, np.zeros(1), np.array([r2star]))
        values.append((float(field[0]), float(rate[0]), float(fat_fraction(water, fat)[0])))
    return Bias(*(a - b for a, b in zip(*values, strict=True)))
