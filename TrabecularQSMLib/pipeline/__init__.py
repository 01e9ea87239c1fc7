"""The one place that knows the order of the stages: from a multi-echo scan to maps."""

import contextlib
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..acquisition import Acquisition, MeasuredField
from ..chunks import on_threads
from ..errors import InputError, SolverWarning
from ..fieldmap.t1 import without_t1
from ..inversion import METHODS, lcurve
from ..inversion.grid import Grid
from ..progress import Progress, part, report
from ..settings import Settings, preset
from . import remarks
from .entry import fields_of
from .kept import KeptFields, inversion_settings
from .solving import cortex_apart, effort, inversion_options, share_before, solve

# Settings that the data decide: the kind of scan, the spectrum of fat, and what a field measured elsewhere leaves no
# choice of.
_FOUND = ("phase_sign", "readout", "trains", "fat_spectrum", "fat_model", "fat_shift", "background", "air_first",
          "edge_image")  # fmt: skip
# Values of λ of an L-curve whose values are not given.
LCURVE_COUNT = 16


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Maps of one scan.

    `maps` has the names of `quantities.QUANTITIES` that the stages run so far give, each (K, J, I) float32 in the
    order of the input; `settings` are those used, with phase sign and λ filled in; `notes` say what a user should
    know, `chi_noise` how the noise of χ averages over voxels (`inversion.noise.chi_noise`), where it was asked for,
    `found` the names of settings that were left to the data, and `fit_residual` the median over the mask of what the
    fit of the echoes leaves, as a part of the signal.
    """

    maps: dict[str, np.ndarray]
    settings: Settings
    notes: tuple[str, ...]
    chi_noise: dict[str, list[float]] | None = None
    found: tuple[str, ...] = ()
    fit_residual: float | None = None


def reconstruct(
    acquisition: Acquisition | MeasuredField,
    settings: Settings | None = None,
    *,
    mask: np.ndarray | None = None,
    threads: int | None = None,
    kept: KeptFields | None = None,
    progress: Progress | None = None,
) -> Reconstruction:
    """Return susceptibility, R2*, fat fraction and the fields on the way from a multi-echo scan.

    Parameters
    ----------
    acquisition : Acquisition or MeasuredField
        The echoes, or a field that other software has made of them: what follows it is then all that is done.
    settings : Settings, optional
        Default: the preset ``default``.
    mask : (K, J, I) array, optional
        Where susceptibility is solved, not zero inside; used as it is, but for slices in which background removal
        leaves no field at all. Default: the body, eroded.
    threads : int, optional
        Default: one per processor.
    kept : KeptFields, optional
        Fields of the run before, which are used where nothing but the inversion differs, and replaced otherwise.
    progress : callable, optional
        ``progress(fraction, message)``; what it raises stops the run.

    Returns
    -------
    Reconstruction

    Raises
    ------
    InputError
        If the mask does not fit or leaves nothing to solve, or the scan lacks the phase or echoes that the settings
        need.
    """
    return reconstruct_each(acquisition, [settings], mask=mask, threads=threads, kept=kept, progress=progress)[0]


def reconstruct_each(
    acquisition: Acquisition | MeasuredField,
    settings: Sequence[Settings | None],
    *,
    mask: np.ndarray | None = None,
    threads: int | None = None,
    kept: KeptFields | None = None,
    progress: Progress | None = None,
) -> list[Reconstruction]:
    """Return one reconstruction for each of several inversions, which share all stages before.

    Parameters
    ----------
    acquisition, mask, threads, kept, progress
        As for `reconstruct`.
    settings : sequence of Settings
        They may differ in `inversion_settings` only.

    Raises
    ------
    InputError
        Also if they differ in anything else.
    """
    settings = [_complete(one) for one in settings]
    if not settings:
        raise InputError("There are no settings to reconstruct with; give one for each inversion.")
    for name in Settings.__dataclass_fields__:
        if name not in inversion_settings() and len({getattr(one, name) for one in settings}) > 1:
            raise InputError(f"Inversions are compared on the same fields, but {name} differs; give it one value.")
    before = 1 / (1 + sum(map(effort, settings)))  # progress goes by time
    results, step = [], (1 - before) / len(settings)
    with on_threads(threads):
        fields = _fields(kept)(acquisition, settings[0], mask, part(progress, 0.0, before))
        for index, one in enumerate(settings):
            ending, shared = [], None
            if one.stop_after is None and acquisition.has_phase:
                grid = Grid.around(fields.mask, one.padding)
                with _solver_warnings() as ending:
                    where = part(progress, before + step * index, before + step * (index + 1))
                    said, shared = solve(fields, one, grid, where)
                ending += said
            found = {name: getattr(fields.settings, name) for name in _FOUND}
            if one.stop_after is None and acquisition.has_phase and METHODS[one.inversion].total:
                ending = [
                    f"The inversion {one.inversion} takes the background away itself: it used the total field, with "
                    "background none and mask erosion 0 mm, whatever else was chosen.",
                    *ending,
                ]
            left = tuple(name for name, value in found.items() if getattr(one, name) != value)
            results.append(_result(fields, replace(one, **found), ending, shared, left))
    report(progress, 1.0, "Done")
    return results


def sweep_regularization(
    acquisition: Acquisition | MeasuredField,
    settings: Settings | None = None,
    regularizations: Sequence[float] = (),
    *,
    mask: np.ndarray | None = None,
    regions: Mapping[str, np.ndarray] | None = None,
    keep: Collection[float] = (),
    threads: int | None = None,
    kept: KeptFields | None = None,
    progress: Progress | None = None,
) -> lcurve.LCurve:
    """Return the L-curve of the settings' inversion over values of λ, from the same fields for each.

    Where cortex is solved apart, misfit and edges are those of the rest, means of regions those of both.

    Parameters
    ----------
    acquisition, settings, mask, threads, kept, progress
        As for `reconstruct`.
    regularizations : sequence of floats
        λ; default: sixteen values from a hundredth to a hundred times the settings' own.
    regions : mapping of name to (K, J, I) bool array, optional
        In the order of the input; the mean χ of their voxels in the mask is followed over λ. One that has none is left
        out, with a note.
    keep : collection of floats, optional
        Those λ of which χ is returned too, relative to no reference, in the order of the input.

    Raises
    ------
    InputError
        If the settings stop before the inversion, or for fewer than three values of λ.
    """
    settings = _complete(settings)
    if settings.stop_after is not None:
        raise InputError("An L-curve needs the inversion; leave out the setting stop_after.")
    if not acquisition.has_phase:
        raise InputError(f"{acquisition.source} has no phase, which an L-curve needs; export the phase as well.")
    if not len(regularizations):
        regularizations = settings.regularization * np.logspace(-2, 2, LCURVE_COUNT)
    regularizations = lcurve.checked_regularizations(regularizations)  # before the minutes that the fields take
    runs = len(regularizations)
    before = 1 / (1 + effort(settings, runs))  # progress goes by time
    with on_threads(threads):
        fields = _fields(kept)(acquisition, settings, mask, part(progress, 0.0, before))
        grid = Grid.around(fields.mask, settings.padding)
        apply = fields.reorientation.apply
        begin = before + share_before(settings, runs) * (1 - before)
        apart, said = cortex_apart(fields, settings, grid, part(progress, before, begin))
        inside = {name: grid.put(apply(one) & fields.mask) for name, one in (regions or {}).items()}
        options = inversion_options(fields, settings, grid, apart)
        curve = lcurve.sweep(
            grid.put(apart.local),
            fields.voxel_size,
            regularizations,
            method=settings.inversion,
            regions=inside,
            keep=keep,
            whole=lambda chi: apart.whole(chi, "renewed" in options),
            progress=part(progress, begin, 1.0),
            **options,
        )
    undo = fields.reorientation.undo
    return replace(
        curve,
        maps={value: undo(np.where(fields.drawn, grid.take(chi), 0)) for value, chi in curve.maps.items()},
        notes=(*fields.notes, *said, *curve.notes, *remarks.on_lcurve(curve, settings.regularization)),
    )


def _fields(kept: KeptFields | None):
    """What gives the fields of a scan."""
    return fields_of if kept is None else kept.of


def _result(fields, settings, notes, shared, found) -> Reconstruction:
    undo = fields.reorientation.undo
    maps = fields.maps | without_t1(fields.maps, settings.t1_weighting)
    maps = {name: undo(array.astype(np.float32, copy=False)) for name, array in maps.items()}
    return Reconstruction(maps, settings, (*fields.notes, *notes), shared, found, fields.fit_residual)


def _complete(settings: Settings | None) -> Settings:
    """Settings with λ filled in, and without the stages that a total-field inversion does without."""
    if settings is None:
        return preset()
    if settings.stop_after is None and METHODS[settings.inversion].total:
        settings = replace(settings, background="none", air_first="off", mask_erosion=0.0)
    if settings.regularization is None:
        return replace(settings, regularization=preset(inversion=settings.inversion).regularization)
    return settings


@contextlib.contextmanager
def _solver_warnings() -> Iterator[list[str]]:
    """Collect what solvers say about their end, which belongs to the result; all other warnings go where they went."""
    said = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    for one in caught:
        if issubclass(one.category, SolverWarning):
            said.append(str(one.message))
        else:
            # In the whole process, such as from objects that another part of the application leaves behind.
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, source=one.source)
