"""The steps about simulated bone of the module TrabecularQSMSimulation: parameters, and what is read from them."""

from typing import Annotated

from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterPack

from ...errors import InputError
from ...fieldmap.fat_models import FAT_MODELS
from ...simulation.model import DECAY
from ...simulation.monte_carlo import ParameterGrid, check_grid
from ...simulation.settings import BOUNDARIES, POINT_SPREADS, SHAPES, DecaySettings, SimulationSettings
from ...study.estimate import free_memory
from .numbers import numbers, oneNumber, wholeNumbers

# Geometries of the default size that an ordinary computer simulates in a second.
_PER_SECOND = 5


@parameterPack
class SimulationParameters:
    """What all geometries share: the settings of the library that are no direction.

    size - Voxels along an edge of the region.
    boundary - What surrounds the region.
    shape - Of the pieces of bone.
    regularization - Weight of smoothness in the inversion, in squared voxels.
    field_strength - Tesla.
    imaging_voxel - Edge of the imaging voxels in voxels of the simulation; 0 for the whole region.
    seed - Start of the random numbers.
    """

    size: Annotated[int, WithinRange(8, 512)] = SimulationSettings.size
    boundary: Annotated[str, Choice(list(BOUNDARIES))] = SimulationSettings.boundary
    shape: Annotated[str, Choice(list(SHAPES))] = SimulationSettings.shape
    regularization: Annotated[float, WithinRange(0.001, 1000.0)] = SimulationSettings.regularization
    field_strength: Annotated[float, WithinRange(0.01, 30.0)] = SimulationSettings.field_strength
    imaging_voxel: Annotated[int, WithinRange(0, 512)] = SimulationSettings.imaging_voxel or 0
    seed: Annotated[int, WithinRange(0, 2147483647)] = SimulationSettings.seed


@parameterPack
class DecayParameters:
    """The decay of the signal that R2′ is fitted to, beside the width of the line.

    echo_times_ms - Of its echoes, separated by spaces or commas; without any there is no decay.
    fat_fraction - Of the marrow.
    fat_model - Spectrum of fat.
    bone_signal - Of bone against marrow.
    bone_t2_ms - Of the signal of bone.
    snr - Of an imaging voxel of marrow; 0 for no noise.
    point_spread - Of an imaging voxel.
    """

    echo_times_ms: str = ""
    fat_fraction: Annotated[float, WithinRange(0.0, 1.0)] = DecaySettings.fat_fraction
    fat_model: Annotated[str, Choice(list(FAT_MODELS))] = DecaySettings.fat_model
    bone_signal: Annotated[float, WithinRange(0.0, 1.0)] = DecaySettings.bone_signal
    bone_t2_ms: Annotated[float, WithinRange(0.01, 1000.0)] = 1e3 * DecaySettings.bone_t2
    snr: Annotated[float, WithinRange(0.0, 1000000.0)] = DecaySettings.snr or 0.0
    point_spread: Annotated[str, Choice(list(POINT_SPREADS))] = DecaySettings.point_spread


@parameterPack
class ConfigurationParameters:
    """One geometry.

    number - Pieces of bone.
    radius - Voxels.
    delta_chi - Susceptibility of bone less that of marrow, ppm.
    repeat - Which of the random geometries.
    """

    number: Annotated[int, WithinRange(1, 100000)] = 200
    radius: Annotated[int, WithinRange(1, 255)] = 10
    delta_chi: Annotated[float, WithinRange(-100.0, 100.0)] = 1.0
    repeat: Annotated[int, WithinRange(0, 1000000)] = 0


def simulationSettings(p) -> SimulationSettings:
    """Return the settings of the parameter node."""
    s = p.model
    return SimulationSettings(
        size=s.size,
        boundary=s.boundary,
        shape=s.shape,
        # The library's axes k, j, i are S, A, R.
        orientation=tuple(reversed(numbers(p.orientation, _("components of the orientation")))),
        concentration=oneNumber(p.concentration, _("concentration")),
        b0_direction=tuple(reversed(numbers(p.b0_direction, _("components of B0")))),
        regularization=s.regularization,
        field_strength=s.field_strength,
        imaging_voxel=s.imaging_voxel or None,
        seed=s.seed,
        decay=_decay(p.decay),
    )


def _decay(d: DecayParameters) -> DecaySettings | None:
    """Return the settings of the decay; None without echo times."""
    if not d.echo_times_ms.strip():
        return None
    return DecaySettings(
        tuple(time / 1e3 for time in numbers(d.echo_times_ms, _("echo times"), "ms")),
        fat_fraction=d.fat_fraction,
        fat_model=d.fat_model,
        bone_signal=d.bone_signal,
        bone_t2=d.bone_t2_ms / 1e3,
        snr=d.snr or None,
        point_spread=d.point_spread,
    )


def varied(p) -> ParameterGrid:
    """Return what the parameter node says is varied."""
    return ParameterGrid(
        tuple(wholeNumbers(p.numbers, _("numbers"))),
        tuple(wholeNumbers(p.radii, _("radii"))),
        tuple(numbers(p.delta_chis, _("Δχ values"))),
        p.repeats,
    )


def runText(p) -> str:
    """Return what the button says that simulates all geometries: how many they are, and about how long they take."""
    count = len(varied(p).geometries())
    seconds = count / _PER_SECOND * (p.model.size / SimulationSettings.size) ** 3
    if seconds < 100:
        time = _("{count} s").format(count=max(round(seconds), 1))
    else:
        time = _("{count} min").format(count=round(seconds / 60))
    if count == 1:
        return _("Run (one geometry, about {time})").format(time=time)
    return _("Run ({count} geometries, about {time})").format(count=count, time=time)


def missingOfRun(p) -> str:
    """Return what keeps a run from starting, in one phrase; nothing if it can."""
    if not p.numbers.strip():
        return _("Enter how many pieces of bone")
    if not p.radii.strip():
        return _("Enter a radius")
    if not p.delta_chis.strip():
        return _("Enter Δχ")
    try:
        check_grid(simulationSettings(p), varied(p), free_memory())
    except InputError as error:
        return str(error)
    return ""


def missingOfConfiguration(p) -> str:
    """Return what keeps the geometry from being shown, in one phrase; nothing if it can."""
    if not p.configuration.delta_chi:
        return _("Enter a Δχ that is not zero")
    try:
        grid = ParameterGrid((p.configuration.number,), (p.configuration.radius,))
        check_grid(simulationSettings(p), grid, free_memory())
    except InputError as error:
        return str(error)
    return ""


def simulationSummary(nodes) -> str:
    """Return one line about a simulation: the slope of χ over BV/TV, and how straight χ and R2′ are."""
    lines = {(line.quantity, line.delta_chi): line for line in nodes.linearity}
    steepest = max((delta for quantity, delta in lines if quantity == "mean_chi"), key=abs, default=None)
    if steepest is None:
        count = nodes.table.GetNumberOfRows()
        text = (_("Simulated one row.") if count == 1 else _("Simulated {count} rows.")).format(count=count)
        return " ".join([text, *nodes.notes])
    chi, r2prime = (lines.get((quantity, steepest)) for quantity in ("mean_chi", "r2prime_hwhm_ppm"))
    low, high = chi.line.slope_ci
    text = _(
        "Δχ {delta:g} ppm: χ rises by {slope:.3f} ppm per BV/TV ({low:.3f} to {high:.3f}), {off:.1%} off the line."
    ).format(delta=steepest, slope=chi.line.slope, low=low, high=high, off=chi.nonlinearity)
    straight = [] if r2prime is None else [_("R2′ is {off:.1%} off a line.").format(off=r2prime.nonlinearity)]
    return " ".join([text, *straight, *nodes.notes])


def configurationSummary(nodes) -> str:
    """Return one line about a geometry."""
    values = nodes.values
    chi, width, decay = values["mean_chi"], values["r2prime_per_s"], values.get(DECAY)
    text = _("BV/TV {bvtv:.3f}, mean χ {chi}, R2′ {width}.").format(
        bvtv=values["bvtv"],
        chi="–" if chi is None else f"{chi:.3f} ppm",
        width="–" if width is None else f"{width:.1f} 1/s",
    )
    if decay is None:
        return text
    return text + " " + _("Over the echo times it is {decay:.1f} 1/s.").format(decay=decay)
