"""From the patient to echoes: painting on a fine grid, the field of all sources, a shim, and block-averaged signal."""

from dataclasses import dataclass

import numpy as np

from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T, PATIENT_SUPERIOR, Acquisition
from ..chunks import run_chunks
from ..fieldmap.fat_models import FAT_MODELS
from ..fieldmap.refine import refine
from ..fieldmap.signal import Model
from ..kernels import block_means, block_sums
from ..methods import Method
from ..progress import Progress, part, report
from .anatomy import ANATOMIES, draw_patient
from .field import fields_seen, shim_and_shift
from .fine_grid import FineGrid, centered_mm, paint, pure_labels
from .readout import AXES, displaced, gain, peaks
from .settings import PhantomSettings
from .trabeculae import LABEL, NAME, Block, PlacedBlock

# R2* is fitted where the first echo is above this share of its peak; the rest is air and cortex.
FIT_THRESHOLD = 0.005


@dataclass(frozen=True, eq=False)
class Phantom:
    """A simulated scan beside its truth.

    Parameters
    ----------
    acquisition : Acquisition
        The scan, as a reader would give it.
    truth : dict of (K, J, I) float32 arrays
        All are means over the points simulated within a voxel.

        ``chi``
            Susceptibility against water in ppm, air included (9.2–9.5).
        ``pdff``, ``water``, ``fat``
            Fat fraction of the signal, and magnitudes at echo time zero with the coil's sensitivity; zero where
            there is no signal. They tell what the tissue of a voxel holds: where `bandwidth_hz` displaces its fat, the
            echoes show it elsewhere, and a perfect fit of them differs from the truth at borders.
        ``field_hz``, ``total_field``
            Field in Hz and in ppm: all sources, what the shim leaves, offset and gradient; weighted with the signal.
        ``local_field``
            Field in ppm of the tissue inside the field of view, χ against water and the air as if it were water, in
            open space and without shim; weighted in the same way. Air, and what lies outside, is background.
        ``r2star``
            Effective R2* in 1/s: the fit of the noiseless echoes, dephasing within the voxel included; zero where
            there is (nearly) no signal. Of tissue where it is, as those before.
        ``bvtv``
            Trabecular bone volume fraction; partial at the border of marrow, zero outside it.
        ``cortex``
            Fraction of the voxel that is cortical bone, which gives no signal.
        ``signal``
            Magnitude of the first echo as it is scanned, without noise.
    regions : (K, J, I) uint8 array
        Labels of voxels that lie in one compartment as a whole; 0 elsewhere.
    region_names : dict
        Label to name.
    settings : PhantomSettings
    """

    acquisition: Acquisition
    truth: dict[str, np.ndarray]
    regions: np.ndarray
    region_names: dict[int, str]
    settings: PhantomSettings


def _coil(rng, grid):
    """Smooth complex sensitivity of the receiver on the voxel grid: 0.75 to 1 with a slowly varying phase."""
    z, y, x = centered_mm(grid.shape, np.multiply(grid.voxel_size, grid.factor))
    center = rng.uniform(-0.3, 0.3, 3)
    distance = (x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2
    magnitude = 0.7 + 0.3 * np.exp(-distance / (2 * 0.9**2))
    linear, constant = rng.uniform(-0.8, 0.8, 3), rng.uniform(-np.pi, np.pi)
    phase = constant + linear[0] * x + linear[1] * y + linear[2] * z + rng.uniform(-0.5, 0.5) * distance
    return (magnitude * np.exp(1j * phase)).astype(np.complex64)


def make_phantom(
    settings: PhantomSettings | None = None, *, block: Block | None = None, progress: Progress | None = None
) -> Phantom:
    """Simulate a multi-echo gradient-echo scan of an ankle or a knee, with the truth beside it.

    Parameters
    ----------
    settings : PhantomSettings, optional
        Grid, protocol, noise, seed.
    block : Block, optional
        Trabeculae to put into the marrow; a region of its own.
    progress : callable, optional
        Called with a fraction and a message.

    Returns
    -------
    Phantom

    Notes
    -----
    Tissue is painted on a grid finer than the voxels that goes on beyond the field of view. The field is the
    convolution of its susceptibility, softened, with the dipole kernel (Salomir et al. 2003, doi
    10.1002/cmr.b.10083), and beside cortex that of the side with signal, so that it hardly depends on how fine the
    grid is; a second-order shim over the body is taken off. The signal of every fine point evolves on its own and is
    averaged over the voxel, echo by echo, so that partial volume and dephasing within the voxel come about as in a
    scan. The coil's smooth sensitivity, gains of echoes by train and direction of the read-out, and independent
    Gaussian noise in both channels come last. The same settings give the same bytes.
    """
    settings = PhantomSettings() if settings is None else settings
    patient_rng, coil_rng, noise_rng = (np.random.default_rng((settings.seed, n)) for n in range(3))
    patient = draw_patient(patient_rng, settings)
    grid = FineGrid(settings, patient)
    factor = grid.factor
    placed = None if block is None else PlacedBlock(block, grid, patient, settings)
    fine, truth, regions, source = _paint_all(grid, patient, settings.field_strength, part(progress, 0.0, 0.35), placed)
    body = truth.pop("body")
    local_fine, total_fine = fields_seen(fine, source, grid, part(progress, 0.35, 0.55))
    del source

    frequency = settings.field_strength * GYROMAGNETIC_RATIO_HZ_PER_T
    total_fine *= np.float32(1e-6 * frequency)
    shim_and_shift(total_fine, body, grid, settings)
    truth["field_hz"], truth["local_field"], nominal_r2star = _seen_by_signal(fine, total_fine, local_fine, factor)
    truth["total_field"] = truth["field_hz"] / np.float32(1e-6 * frequency)
    del local_fine

    model = Model(np.array(settings.echo_times), FAT_MODELS[settings.fat_model].signal(settings.echo_times, frequency))
    echoes = scanned = _echoes(fine, total_fine, factor, model, part(progress, 0.55, 0.65), placed=placed)
    if settings.bandwidth_hz is not None:
        # Truth is told by echoes in which all signal is where its tissue is.
        scanned = _echoes(fine, total_fine, factor, model, part(progress, 0.65, 0.75), settings, placed)
    del total_fine, fine
    coil = _coil(coil_rng, grid)
    echoes *= coil
    for name in ("water", "fat"):
        truth[name] *= np.abs(coil)
    signal = truth["water"] + truth["fat"]
    truth["pdff"] = np.divide(truth["fat"], signal, out=np.zeros_like(body), where=signal > 0)
    truth["r2star"] = _effective_r2star(
        echoes, np.abs(echoes[0]), model, truth["field_hz"], nominal_r2star, part(progress, 0.75, 0.97)
    )
    if scanned is not echoes:
        echoes = scanned
        echoes *= coil
    _apply_gains(echoes, settings)
    truth["signal"] = np.abs(echoes[0])
    truth["chi"] = truth["chi"] + np.float32(patient.chi_air) * (1 - body)

    _add_noise(echoes, settings.snr, truth["signal"].max(), noise_rng)
    acquisition = Acquisition(
        echoes=echoes,
        echo_times=np.array(settings.echo_times),
        affine=settings.affine,
        field_strength=settings.field_strength,
        b0_patient=PATIENT_SUPERIOR,
        source=f"the digital {settings.anatomy} (seed {settings.seed})",
    )
    report(progress, 1.0, f"Digital {settings.anatomy}")
    truth = {name: np.ascontiguousarray(values, np.float32) for name, values in truth.items()}
    return Phantom(acquisition, truth, regions, _region_names(settings, block), settings)


def _region_names(settings, block):
    return dict(ANATOMIES[settings.anatomy].region_names) | ({} if block is None else {LABEL: NAME})


def _seen_by_signal(fine, total_fine, local_fine, factor):
    """Total and local field, and R2*, of voxels; the points' decay, in place, becomes one of a unit of their signal."""
    weight, cube = fine["water"] + fine["fat"], (factor,) * 3
    fields = [_weighted_mean(values, weight, cube) for values in (total_fine, local_fine)]
    signal = block_sums(weight, cube)
    r2star = block_sums(fine["decay"], cube) / np.where(signal == 0, 1, signal)
    np.divide(fine["decay"], weight, out=fine["decay"], where=weight > 0)
    return *fields, r2star


def _weighted_mean(values, weight, cube):
    """Mean over each voxel: where there is signal, it decides how the points count; elsewhere all count alike."""
    total = block_sums(weight, cube)
    silent = total == 0
    weighted = block_sums(weight * values, cube) / np.where(silent, 1, total)
    return np.where(silent, block_means(values, cube), weighted)


def _apply_gains(echoes, settings):
    """Multiply the echoes of trains and of the read-out backwards with their gains, in place."""
    for number, echo in enumerate(echoes):
        if (factors := gain(settings, number)) is not None:
            echo *= factors


def _add_noise(echoes, snr, peak, rng):
    """Add Gaussian noise to both channels, in place."""
    if snr is None or not np.isfinite(snr):
        return
    deviation = np.float32(peak / snr)
    for echo in echoes:
        echo.real += deviation * rng.standard_normal(echo.shape, dtype=np.float32)
        echo.imag += deviation * rng.standard_normal(echo.shape, dtype=np.float32)


def _paint_all(grid, patient, tesla, progress, placed=None):
    """Paint in slabs. Returns fine arrays, voxel means, regions, and the sources of the extended grid against air."""
    factor, cube = grid.factor, (grid.factor,) * 3
    planes, first_inside, last_inside = grid.extended_shape[0], grid.inside[0].start, grid.inside[0].stop
    fine_shape = tuple(n * factor for n in grid.shape)
    fine = {name: np.zeros(fine_shape, np.float32) for name in ("water", "fat", "decay", "chi", "cortex", "cortex_chi")}
    truth = {name: np.zeros(grid.shape, np.float32) for name in ("chi", "bvtv", "cortex", "body", "water", "fat")}
    regions = np.zeros(grid.shape, np.uint8)
    source = np.zeros(grid.extended_shape, np.float32)
    # Slabs of whole voxels with about a million points keep the temporaries small.
    step = factor * max(1, int(1e6 / (factor * grid.extended_shape[1] * grid.extended_shape[2])))

    def work(slabs):
        first, last = slabs.start * step, min(slabs.stop * step, planes)
        canvas = paint(grid, patient, first, last, tesla)
        if placed is not None:
            placed.paint(canvas, first, last)
        source[first:last] = canvas["chi"] - np.float32(patient.chi_air) * canvas["body"]
        low, high = max(first, first_inside), min(last, last_inside)
        if low >= high:
            return
        crop = (slice(low - first, high - first), *grid.inside[1:])
        inside = {name: np.ascontiguousarray(values[crop]) for name, values in canvas.items()}
        planes_inside = slice(low - first_inside, high - first_inside)
        voxels = slice(planes_inside.start // factor, planes_inside.stop // factor)
        for name, values in fine.items():
            values[planes_inside] = inside[name]
        for name, values in truth.items():
            values[voxels] = block_means(inside[name], cube)
        regions[voxels] = pure_labels(inside["label"], factor)

    run_chunks(work, -(-planes // step), 1, message="Painting the tissue", progress=progress)
    return fine, truth, regions, source


def _echoes(fine, field_hz, factor, model: Model, progress, settings=None, placed=None):
    """Mean over each voxel of the signal of its fine points, for all echoes, complex64.

    With `settings`, the peaks of fat are displaced by their bandwidth; `placed` is a block of trabeculae.
    """
    axis = None if settings is None else AXES[settings.readout_axis]
    cube = (factor,) * 3
    across = tuple(1 if other == axis else factor for other in range(3))
    planes = field_hz.shape[0] // factor
    echoes = np.zeros((model.echo_times.size, *(n // factor for n in field_hz.shape)), np.complex64)

    def work(chunk):
        slab = slice(chunk.start * factor, chunk.stop * factor)
        rate = np.empty(field_hz[slab].shape, np.complex64)
        rate.real = -fine["decay"][slab]
        rate.imag = np.float32(2 * np.pi) * field_hz[slab]
        water, fat = fine["water"][slab], fine["fat"][slab]
        evolution, elapsed = np.complex64(1), 0.0
        step_time, step = None, None
        block = None if placed is None else placed.within(slab)
        for e, (time, phasor) in enumerate(zip(model.echo_times, model.fat, strict=True)):
            # Equal spacing needs one exponential for all echoes; the times are compared to a nanosecond.
            if step_time is None or abs(time - elapsed - step_time) > 1e-9:
                step_time = time - elapsed
                step = np.exp(rate * np.float32(step_time))
            evolution = evolution * step
            elapsed = time
            turned, water_now = evolution, water * evolution
            if block is not None:
                turned, hard = _among_trabeculae(evolution, rate, time, e, placed, block)
                water_now = water * turned + hard
            if axis is None:
                signal = water_now + fat * np.complex64(phasor) * turned
                echoes[e, chunk] = block_means(signal, cube)
            else:
                points = block_sums(fat * turned, across)
                signal = block_sums(water_now, cube) + displaced(points, factor, axis, peaks(settings, e))
                echoes[e, chunk] = signal / np.float32(factor**3)

    # A read-out along the planes needs all of them at once.
    size = planes if axis == 0 else 1
    run_chunks(work, planes, size, message="Simulating the echoes", progress=progress)
    return echoes


def _among_trabeculae(evolution, rate, time, echo, placed, block):
    """What becomes of marrow at its fine points with a block of trabeculae among them, and the signal of its bone."""
    where, planes = block
    turned, hard = evolution.copy(), np.zeros_like(evolution)
    turned[where] *= placed.marrow(echo, planes)
    hard[where] = placed.bone_signal(echo, planes) * np.exp(1j * rate.imag[where] * np.float32(time))
    return turned, hard


def _effective_r2star(echoes, signal, model, field_hz, r2star, progress):
    """R2* of the fit of the noiseless echoes, from the truth as start."""
    where = signal > FIT_THRESHOLD * signal.max()
    # A slow receive phase changes neither field nor R2*: W and F are complex.
    data, field_start, r2star_start = echoes[:, where], field_hz[where], r2star[where]
    fitted = np.zeros(field_start.size, np.float32)

    def work(chunk):
        fitted[chunk] = refine(data[:, chunk], model, field_start[chunk], r2star_start[chunk])[1]

    run_chunks(work, fitted.size, 8192, message="Effective R2*", progress=progress)
    result = np.zeros(signal.shape, np.float32)
    result[where] = fitted
    return result


METHOD = Method(
    make_phantom,
    title="Digital ankle or knee",
    solves="signal averaged over fine points: field of all sources, W, F, R2*, shim, coil, noise",
    test="test_phantom_signal.Field",
    reference="Salomir et al. 2003, doi 10.1002/cmr.b.10083",
)
