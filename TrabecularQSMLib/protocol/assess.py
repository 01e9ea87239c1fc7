"""All that can be told of a protocol, as one record and as the rows of a table."""

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from ..analysis.studies.design import ALPHA, POWER
from ..errors import counted
from ..fieldmap.t1 import seen_with_t1, t1_of
from ..methods import Method
from ..progress import Progress, part, report
from ..simulation.settings import BONE_SIGNAL, BONE_T2_S
from .ankle import AnkleSettings, Measured, run_ankle
from .bias import Bias, bone_signal_bias, gradient_for
from .bounds import Bounds, bounds
from .region import ball_name, ball_of_chi
from .settings import ProtocolSettings
from .subjects import subjects
from .train import Train, closest_spacing, given_train, recommend

COLUMNS = ("part", "quantity", "value", "unit", "of", "rests_on")
# A field across the voxel is named that adds so much R2*, in 1/s.
ADDED_R2STAR = 10.0
BIAS_BVTV = tuple(np.linspace(0, 0.5, 11).tolist())


@dataclass(frozen=True)
class Region:
    """A ball or a bone, its χ, and the subjects that a study of it needs.

    `sigma_chi` is the σ of its mean χ in ppm by noise, `share` how much of its χ is given back, `sigma_bvtv` the σ of
    BV/TV by noise and repetition; `between` are the subjects in each of two groups, `within` those scanned twice.
    `in_ankle` tells whether it was measured in the digital ankle; otherwise noise is alike in all voxels.
    """

    name: str
    radius_mm: float | None
    in_ankle: bool
    voxels: int
    sigma_chi: float
    share: float
    sigma_bvtv: float
    between: int | None
    within: int | None


@dataclass(frozen=True, eq=False)
class Assessment:
    """What is told of a protocol.

    `given` and `recommended` trains; `marrow` the bounds at the one fat fraction and R2* that the settings name;
    `regions` by radius; `bias` by bone's own signal over `BIAS_BVTV`, and at the settings' BV/TV `bone_bias`;
    `gradient` the field across a voxel's longest edge in Hz/mm that adds `ADDED_R2STAR`; `closest_spacing` of two
    echoes of a train in s; `ankle` how regions were measured in the digital ankle, if they were, and `notes` what its
    reconstruction says.
    """

    settings: ProtocolSettings
    ankle: AnkleSettings | None
    given: Train
    recommended: Train
    marrow: Bounds
    regions: tuple[Region, ...]
    bias: tuple[Bias, ...]
    bone_bias: Bias
    gradient: float
    closest_spacing: float
    notes: tuple[str, ...] = ()

    @property
    def ratios(self) -> tuple[float, float, float]:
        """Noise of field, R2* and fat fraction with the recommended train over that with the given one."""
        pairs = zip(self.recommended.bounds.typical(), self.given.bounds.typical(), strict=True)
        return tuple(new / old for new, old in pairs)

    @property
    def is_best(self) -> bool:
        """Whether no better train was found than the given one."""
        return self.recommended.echo_times == self.given.echo_times and self.recommended.trains == self.given.trains


def assess(
    settings: ProtocolSettings,
    ankle: AnkleSettings | None = None,
    *,
    executors: Callable[[], Executor] | None = None,
    progress: Progress | None = None,
) -> Assessment:
    """Return all that can be told of a protocol before anybody is scanned.

    Parameters
    ----------
    settings : ProtocolSettings
    ankle : AnkleSettings, optional
        How χ of regions is measured in the digital ankle, which takes minutes. Without it their noise is that of
        balls by the closed form, alike in all voxels.
    executors : callable, optional
        Gives an executor for what the ankle needs in other processes; the numbers are the same.
    progress : callable, optional

    Returns
    -------
    Assessment
    """
    model, rate = settings.model(), settings.middle_r2star
    # The ankle takes nearly all of the time.
    start, stop = (0.1, 0.3) if ankle is None else (0.01, 0.97)
    report(progress, 0.0, "Noise and second minima")
    given = given_train(settings)
    marrow = bounds(model, settings.noise, (rate,), (settings.pdff,))
    report(progress, start, "Regions")
    measured = ankle and run_ankle(settings, ankle, executors=executors, progress=part(progress, start, stop))
    places, notes = measured or ([], ())
    regions = _regions(settings, float(marrow.field_hz[0, 0]) * 1e6 / settings.imaging_frequency, places)
    report(progress, stop, "Bias")
    bias = tuple(bone_signal_bias(model, bvtv, settings.pdff, rate) for bvtv in BIAS_BVTV)
    edge = max(settings.voxel_size)
    gradient = gradient_for(model, ADDED_R2STAR, edge, settings.pdff, rate)
    report(progress, stop + 0.3 * (1 - stop), "A better echo train")
    recommended = recommend(settings)
    report(progress, 1.0, "Done")
    return Assessment(
        settings,
        ankle,
        given,
        recommended,
        marrow,
        regions,
        bias,
        bone_signal_bias(model, settings.bvtv, settings.pdff, rate),
        gradient,
        closest_spacing(settings),
        notes,
    )


def _regions(settings, sigma_field, measured: list[Measured]) -> tuple[Region, ...]:
    """Balls of each radius, and bones, as measured; balls that were not are in noise alike in all voxels."""
    found = {one.name: one for one in measured}
    balls = {ball_name(radius): radius for radius in settings.region_radii_mm}
    alike = {
        name: _in_alike_noise(settings, name, radius, sigma_field)
        for name, radius in balls.items()
        if name not in found
    }
    return tuple(_region(settings, (alike | found)[name], name in found) for name in balls | found)


def _in_alike_noise(settings, name, radius, sigma_field) -> Measured:
    """A ball by the closed form, in noise alike in all voxels."""
    voxels, error, share = ball_of_chi(
        settings.voxel_size, radius, b0_direction=(1.0, 0.0, 0.0), regularization=settings.regularization
    )
    return Measured(name, radius, voxels, sigma_field * error, share)


def _region(settings, one: Measured, in_ankle) -> Region:
    # Where nothing of χ comes back, as in a region of a few voxels, it tells nothing of BV/TV.
    back = max(one.share, 0.0) * abs(settings.chi_slope)
    sigma_bvtv = math.hypot(one.sigma_chi, settings.repeat_sd) / back if back else math.inf
    return Region(
        one.name,
        one.radius_mm,
        in_ankle,
        one.voxels,
        one.sigma_chi,
        one.share,
        sigma_bvtv,
        subjects(settings.bvtv_difference, math.hypot(settings.subject_sd, sigma_bvtv)),
        subjects(settings.bvtv_difference, math.sqrt(2) * sigma_bvtv, groups=1),
    )


def rows(found: Assessment) -> list[dict]:
    """Return the numbers of an assessment with the keys of `COLUMNS`; a value of None is one that could not be told."""
    parts = (_noise_rows(found), _swap_rows(found), _region_rows(found), _bias_rows(found), _train_rows(found))
    return [dict(zip(COLUMNS, row, strict=True)) for part in parts for row in part]


def _noise_rows(found):
    settings, given = found.settings, found.given
    low, high = settings.r2star_range
    one = f"fat fraction {settings.pdff:g}, R2* {settings.middle_r2star:.3g} 1/s"
    all_of = f"worst of fat fractions 0 to 1, R2* {low:.3g} to {high:.3g} 1/s"
    basis = "Cramér–Rao bound of our fit's model, at the SNR given"
    names = (("σ of the field", "Hz"), ("σ of R2*", "1/s"), ("σ of fat fraction", ""))
    for of, values in ((one, found.marrow.worst()), (all_of, given.bounds.worst())):
        for (name, unit), value in zip(names, values, strict=True):
            yield "noise", name, value, unit, of, basis
    hz = 1e-6 * settings.imaging_frequency
    yield "noise", "σ of the field", found.marrow.worst()[0] / hz, "ppm", one, basis


def _swap_rows(found):
    swaps, hz = found.given.swaps, 1e-6 * found.settings.imaging_frequency
    of = f"fat fractions 0 to 1, R2* {found.settings.middle_r2star:.3g} 1/s"
    basis = "search and spatial step of our fit, without noise; six neighbors that agree"
    spacing = "common spacing of the echoes"
    yield "swaps", "field period", swaps.period_hz, "Hz", "", spacing
    yield "swaps", "field period", swaps.period_hz / hz, "ppm", "", spacing
    distance = swaps.distance_hz[np.isfinite(swaps.distance_hz)]
    nearest = float(distance.min()) if distance.size else None
    yield "swaps", "nearest second minimum", nearest, "Hz", of, basis
    yield "swaps", "least margin of the right minimum", swaps.least_margin, "log-likelihood", of, basis
    yield "swaps", "how far one voxel's field may stray", swaps.least_stray_hz, "Hz", of, basis
    yield "swaps", "how far one voxel's field may stray", swaps.least_stray_hz / hz, "ppm", of, basis


def _region_rows(found):
    settings = found.settings
    study = (
        f"t-test at {ALPHA:.0%}, power {POWER:.0%}; {settings.chi_slope:g} ppm per BV/TV, SD {settings.subject_sd:g} "
        f"between subjects and {settings.repeat_sd:g} ppm between scans are assumed"
    )
    for one in found.regions:
        noise, share = _region_bases(found, one)
        of = f"{one.name}, {counted(one.voxels, 'voxel')}"
        yield "regions", "σ of mean χ by noise", one.sigma_chi, "ppm", of, noise
        yield "regions", "share of its χ given back", one.share, "", of, share
        sigma_bvtv = one.sigma_bvtv if math.isfinite(one.sigma_bvtv) else None
        yield "regions", "σ of BV/TV from χ", sigma_bvtv, "", of, "σ of χ over share and slope"
        wanted = f"{of}, difference of BV/TV {settings.bvtv_difference:g}"
        yield "subjects", "subjects in each of two groups", one.between, "", wanted, study
        yield "subjects", "subjects scanned twice", one.within, "", wanted, study


def _region_bases(found, one) -> tuple[str, str]:
    """What σ of χ of a region and its share rest on."""
    settings, ankle = found.settings, found.ankle
    if not one.in_ankle:
        noise = f"closed form at λ = {settings.regularization:g} mm², field noise alike in all voxels, B0 along K"
        return noise, "closed form of the ball's own field, B0 along K"
    used = ankle.reconstruction
    noise = (
        f"{ankle.draws} draws of noise in a digital ankle (seed {ankle.seed}), which tell it to {ankle.precision:.0%}; "
        f"{used.background} and {used.inversion} at λ = {used.regularization:g}"
    )
    return noise, f"the same ankle with BV/TV there higher by {settings.bvtv_difference:g}"


def _bias_rows(found):
    settings, bias = found.settings, found.bone_bias
    of = f"BV/TV {settings.bvtv:g}, fat fraction {settings.pdff:g}, R2* {settings.middle_r2star:.3g} 1/s"
    bone = f"density {BONE_SIGNAL:g}, T2* {1e3 * BONE_T2_S:g} ms"
    basis = f"fit of marrow with bone's water beside it ({bone})"
    yield "bias", "R2* by bone's own signal", bias.r2star, "1/s", of, basis
    yield "bias", "fat fraction by bone's own signal", bias.pdff, "", of, basis
    yield "bias", "field by bone's own signal", bias.field_hz, "Hz", of, basis
    yield from _t1_rows(settings)
    gradient = None if math.isnan(found.gradient) else found.gradient
    edge = f"voxel edge of {max(settings.voxel_size):g} mm"
    name = f"field across a voxel that adds {ADDED_R2STAR:g} 1/s to R2*"
    yield "bias", name, gradient, "Hz/mm", edge, "fit of a signal dephased by a linear field"
    if (voxels := settings.displaced_voxels) is not None:
        yield "bias", "displacement of fat along the read-out", voxels, "voxels", "", "bandwidth and main peak of fat"


def _t1_rows(settings):
    weighting, basis, bias, middle = settings.t1_weighting, "flip angle and repetition time are not given", None, None
    if weighting is not None:
        water, fat = t1_of(settings.field_strength)
        basis = f"T1 of {water:.2g} s of water and {fat:.2g} s of fat are assumed; a t1_weighting of {weighting:.3g}"
        bias, middle = (seen_with_t1(pdff, weighting) - pdff for pdff in (settings.pdff, 0.5))
    yield "bias", "fat fraction by T1", bias, "", f"fat fraction {settings.pdff:g}", basis
    yield "bias", "fat fraction by T1, of one half", middle, "", "fat fraction 0.5", basis


def _train_rows(found):
    train, settings = found.recommended, found.settings
    basis = "least of the largest ratio of the three bounds; same scan time, bandwidth and voxel"
    of = f"{len(train.echo_times)} echoes in {counted(train.trains, 'train')}"
    closest = 1e3 * found.closest_spacing
    yield "train", "closest echoes of one train", closest, "ms", settings.readout, _spacing_basis(settings)
    yield "train", "first echo, recommended", 1e3 * train.echo_times[0], "ms", of, basis
    spacing = 1e3 * float(np.mean(np.diff(train.echo_times)))
    yield "train", "echo spacing, recommended", spacing, "ms", of, basis
    for name, ratio in zip(("field", "R2*", "fat fraction"), found.ratios, strict=True):
        yield "train", f"σ of {name} against the given train", ratio, "", of, basis


def _spacing_basis(settings):
    if settings.bandwidth_hz is None:
        return "the given echoes, as no bandwidth is given"
    return f"bandwidth, gradient {settings.gradient:g} mT/m and slew rate {settings.slew_rate:g} T/m/s are assumed"


METHOD = Method(
    assess,
    title="Assessment of a protocol",
    solves="Cramér–Rao bounds, second minima of the fit, error of χ of regions, bias by bone's signal, a better train",
    test="test_protocol.AssessTest",
    reference="Scharf & McWhorter, Signal Process 1993, doi 10.1016/0165-1684(93)90020-K; "
    "Pineda et al., MRM 2005, doi 10.1002/mrm.20623",
)
