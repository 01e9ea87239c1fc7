"""Cortex, which gives no signal: its share of each voxel is seen in the magnitude, and its χ is solved apart.

A thin dark shell is what a regularized inversion blurs most, and voxels that it cuts measure the field of their part
with signal, not their mean. So χ is taken as ``u + Δ M``, with M the share of each voxel that gives no signal, Δ one
number, and u smooth through cortex. The field of M, averaged as signal averages it, is known; Δ times it is taken off
the measured field before background removal, and u is inverted from the rest. In rounds, the first u tells what cortex
stands in the place of.
"""

from functools import partial

import numpy as np
from scipy import ndimage

from ..chunks import run_chunks, run_slabs
from ..kernels import block_means, convolve, dipole_kernel, within_thin_layer
from ..methods import Method
from ..progress import Progress, part, report
from ..smoothing import gaussian, mean_of_alike
from .medi_l2 import medi_l2
from .weights import along, beyond_interior

# Cortex is searched within a voxel of what misses more than this share of the brightness beside it; more than
# DARK is cortex for the most part. What misses less than _FULL is full of signal even beside cortex, as a thin joint.
_SEARCHED, DARK, _FULL = 0.3, 0.4, 0.1
# Width in mm of a dark layer that counts as thin (cortex and a tendon on it together), and the SD in mm of the
# neighborhood whose tissue, fat and water each, stands for a voxel full of signal.
_THIN_MM, _NEIGHBORHOOD_MM = 20.0, 2.5
_PASSES = 2
# Least weight of a neighborhood, of 1, that tells what its tissue gives.
_SEEN = 2e-3
# Less signal than this share of the image's bright end (99th percentile) is no tissue.
_TISSUE = 0.05
# Δ in ppm lies between that of bone without pores in fat and zero.
RANGE = (-3.0, 0.0)
# Δ is read in voxels this near in mm to what is mainly cortex, beside a u with this λ in mm², this least W, and this W
# beyond the interior; and the residual that is small enough: with a tenth of it Δ changes by less than 1 %.
_NEAR_MM, _REGULARIZATION, _LEAST, _BEYOND, _TOLERANCE = 5.0, 10.0, 0.01, 0.3, 0.1
# It is read in blocks of about this size in mm, of which finer voxels are put together, in a fraction of the time.
_BLOCK_MM = 1.2
# Voxels longer than this in mm hold too much beside cortex: at 3.8 mm one ankle in two gained nothing.
COARSEST_MM = 3.5
# Fewer voxels of cortex than these tell nothing.
_LEAST_VOXELS = 50
# What the sentence on a cortex that was solved apart says.
APART = "it was solved apart from the rest"
_MESSAGE = "Taking off the field of cortex"
# Sharpening: SD of the neighborhood in fine voxels, steepness, passes, halvings of the search for a voxel's level,
# and the share below which a voxel counts as whole.
_NEAR, _STEEPNESS, _SHARPENINGS, _HALVINGS, _WHOLE = 1.5, 6.0, 4, 18, 0.05
# Voxels whose shares are gathered at once.
_CHUNK = 8192


def missing_share(
    signal: np.ndarray,
    fat_fraction: np.ndarray,
    body: np.ndarray,
    voxel_size,
    *,
    r2star: np.ndarray | None = None,
    echo_times=None,
    noise: np.ndarray | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the share of each voxel that gives no signal, 0 to 1, near thin dark layers and 0 elsewhere, float32.

    Parameters
    ----------
    signal : (K, J, I) array
        Magnitude, best at echo time zero.
    fat_fraction : (K, J, I) array
        0 to 1; zeros where it is not known.
    body : (K, J, I) bool array
        Where there is tissue.
    voxel_size : (3,) floats
        mm.
    r2star : (K, J, I) array, optional
        1/s, by which `signal` was extrapolated to echo time zero.
    echo_times : (N,) floats, optional
        Seconds, from which it was.
    noise : (K, J, I) array, optional
        Standard deviation of `signal`. If given, the share is averaged over voxels near whose surroundings are alike
        but for it (`smoothing.mean_of_alike`): along cortex they are.

    Notes
    -----
    What a voxel would give if it were full lies between the means of fatty and of watery tissue around it, where its
    own fat fraction says: two tissues and nothing, from water and fat. Marrow, whose trabeculae take signal too, is
    thus compared with marrow.

    The extrapolation is too high where R2* is, by ``exp(R t)`` with R the voxel's R2* less that of tissue around: by
    noise, t is then the mean echo time; where cortex bends the field within a voxel, so that signal falls like
    1 − (g t)² at first and not exponentially, t is −a / b of a line ``a + b t`` through t² over the echo times. The
    mean of the two is taken off.
    """
    signal = np.asarray(signal, np.float32)
    if not (signal * body).any():
        return np.zeros(signal.shape, np.float32)
    floor = _TISSUE * float(np.percentile(signal[signal > 0], 99))
    # What a thin layer lies in; a neighborhood that is dark as a whole is measured against the image.
    across = [2 * round(_THIN_MM / 2 / h) + 1 for h in voxel_size]
    full = np.maximum(ndimage.grey_closing(gaussian(signal, 0.8), across), 2 * floor)
    spread = [_NEIGHBORHOOD_MM / h for h in voxel_size]
    mean = lambda array: gaussian(array.astype(np.float32), spread, truncate=3.0)  # noqa: E731
    share = 1 - signal / full
    arrays, early = (1, signal, signal * fat_fraction), None
    if r2star is not None:
        slope, start = np.polyfit(echo_times, np.square(echo_times), 1)
        arrays, early = (*arrays, r2star), np.float32((np.mean(echo_times) - start / slope) / 2)
    searching, averaging = part(progress, 0.0, 0.7), part(progress, 0.7, 1.0)
    for step in range(_PASSES):
        near = ndimage.binary_dilation(share > _SEARCHED, ndimage.generate_binary_structure(3, 1))
        pure = body & (~near | (share < _FULL)) & (signal > floor)
        ends = []
        for half, kind in enumerate((pure & (fat_fraction >= 0.5), pure & (fat_fraction < 0.5))):
            weights = []
            for number, array in enumerate(arrays, 1):
                weights.append(mean(array * kind))
                report(searching, (step + (half + number / len(arrays)) / 2) / _PASSES, _MESSAGE)
            known = np.maximum(weights[0], 1e-6)
            ends.append((weights[0] > _SEEN, *(weight / known for weight in weights[1:])))
        (fatty_seen, fatty, fat_of_fatty, *fatty_decay), (watery_seen, watery, fat_of_watery, *watery_decay) = ends
        # The share t of fatty tissue follows from the fat fraction p: p = (t F₁ + (1−t) F₂) / (t S₁ + (1−t) S₂).
        above = fat_of_fatty - fat_fraction * fatty
        below = fat_of_watery - fat_fraction * watery
        differ = np.abs(above - below) > 1e-6
        fatty_share = np.clip(-below / np.where(differ, above - below, 1), 0, 1)
        fatty_share = np.where(fatty_seen, np.where(watery_seen, fatty_share, 1), 0)
        mixed = fatty_share * fatty + (1 - fatty_share) * watery
        full_signal = np.maximum(np.where(fatty_seen | watery_seen, mixed, full), floor)
        seen = signal
        if early is not None:
            around = fatty_share * fatty_decay[0] + (1 - fatty_share) * watery_decay[0]
            faster = np.where(fatty_seen | watery_seen, r2star - around, 0)
            seen = signal * np.exp(-early * faster)
        share = 1 - seen / full_signal
    wanted = near & body
    result = np.zeros(share.shape, np.float32)
    if noise is None:
        result[wanted] = share[wanted]
    else:
        share = np.where(body, share, 1)  # beyond the body nothing gives signal
        deviation = (1 - share) * noise / np.maximum(signal, floor)
        result[wanted] = mean_of_alike(share, np.square(deviation), body, wanted, message=_MESSAGE, progress=averaging)
    return np.clip(result, 0, 1, out=result)


def sharpened(share: np.ndarray, *, progress: Progress | None = None) -> np.ndarray:
    """Return a share on a grid twice as fine, 0 to 1, (2K, 2J, 2I) float32.

    Each voxel keeps its mean; within it the share gathers where its surroundings hold more of it (Atkinson 2005, doi
    10.14358/PERS.71.7.839, with fractions instead of swaps).
    """
    fine = _linear(share)
    report(progress, 0.0, _MESSAGE)
    blocks = _blocks(fine)
    cut = np.nonzero((share > _WHOLE) & (share < 1 - _WHOLE))
    for step in range(_SHARPENINGS):
        smooth = _blocks(gaussian(fine, _NEAR))
        if step == 0:
            np.copyto(blocks, share[..., None, None, None])  # what is not cut is even

        def gather(chunk):
            here = tuple(at[chunk] for at in cut)
            blocks[here] = _gathered(smooth[here].reshape(-1, 8), share[here][:, None]).reshape(-1, 2, 2, 2)  # noqa: B023

        here = part(progress, step / _SHARPENINGS, (step + 1) / _SHARPENINGS)
        run_chunks(gather, len(cut[0]), _CHUNK, message=_MESSAGE, progress=here)
    return fine


def _gathered(near, wanted):
    """Shares (V, 8) of fine voxels of the mean that is wanted (V, 1), larger where their surroundings hold more."""
    low, high = near.min(axis=1, keepdims=True) - 1, near.max(axis=1, keepdims=True) + 1
    for _ in range(_HALVINGS):
        level = (low + high) / 2
        more = np.clip(0.5 + _STEEPNESS * (near - level), 0, 1).mean(axis=1, keepdims=True) > wanted
        low, high = np.where(more, level, low), np.where(more, high, level)
    return np.clip(0.5 + _STEEPNESS * (near - level), 0, 1)


def field_of_share(share: np.ndarray, voxel_size, *, b0_direction, progress: Progress | None = None) -> np.ndarray:
    """Return the field that signal sees of a share with χ of 1 ppm, (K, J, I) float32 in ppm.

    Parameters
    ----------
    share : (K, J, I) array
        0 to 1, on a periodic grid.
    voxel_size, b0_direction, progress
        As for `inversion.invert`.

    Notes
    -----
    The field is computed on a grid twice as fine, from the sharpened share m, and averaged with ``1 − m``. A fine
    voxel that is cut by a flat surface has the mean of the fields on its two sides, of which signal sees one: the
    other's part is taken off. A voxel without signal has the plain mean of its field.
    """
    fine = sharpened(np.asarray(share, np.float32), progress=part(progress, 0.0, 0.8))
    spacing = np.asarray(voxel_size, float) / 2
    field = convolve(dipole_kernel(fine.shape, spacing, b0_direction), fine)
    report(progress, 0.87, _MESSAGE)
    within = within_thin_layer(fine, spacing, b0_direction)
    report(progress, 0.95, _MESSAGE)
    seen, means = np.empty(share.shape, np.float32), partial(block_means, edges=(2, 2, 2))

    def work(planes):
        here = slice(2 * planes.start, 2 * planes.stop)
        own, left = field[here], 1 - fine[here]
        mean = means(left)
        outside = left * (own - within[here] * fine[here])
        seen[planes] = np.where(mean > _WHOLE, means(outside) / np.maximum(mean, _WHOLE), means(own))

    run_slabs(work, share.shape)
    report(progress, 1.0, _MESSAGE)
    return seen


def susceptibility_of_share(
    local_field: np.ndarray,
    share_field: np.ndarray,
    share: np.ndarray,
    data_weight: np.ndarray,
    edge_weight: np.ndarray,
    interior: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    progress: Progress | None = None,
) -> tuple[float, str]:
    """Return Δ, χ of what gives no signal less that of its surroundings, in ppm, and what is to be said of it.

    Parameters
    ----------
    local_field, share_field : (K, J, I) arrays
        In ppm, on a periodic grid, both after the same background removal: as measured, and of the share with χ of
        1 ppm (`field_of_share`).
    share : (K, J, I) array
        `missing_share`.
    data_weight, edge_weight : arrays
        W_d and W_g, as for `inversion.invert`.
    interior : (K, J, I) bool array
        Where the local field holds; χ beyond is what background removal left.
    voxel_size, b0_direction, progress
        As for `inversion.invert`.

    Notes
    -----
    Δ is that of the least squares in which u, the rest, is smooth but at edges and in cortex: the least of
    ``‖W_d (Du + Δ G − f)‖² + λ ‖W ∇u‖²`` over u and Δ, near cortex, with G the field of the share. One inversion, of G,
    tells what of G no u explains; Δ is the quotient of what f and G have of that.
    """
    cortex = np.count_nonzero((share > DARK) & (data_weight > 0))
    if cortex < _LEAST_VOXELS:
        return 0.0, (
            f"Only {cortex} voxels with a field are mainly cortex, too few to tell its χ: it was not solved apart."
        )
    factors = tuple(max(1, round(_BLOCK_MM / h)) for h in voxel_size)
    voxel_size = tuple(np.multiply(voxel_size, factors).tolist())
    means = partial(_block_means, factors=factors)
    squared = np.square(data_weight, dtype=np.float32)
    fields, squared = [means(squared * field) for field in (local_field, share_field)], means(squared)
    local_field, share_field = (field / np.maximum(squared, np.finfo(np.float32).tiny) for field in fields)
    share, edge_weight, interior = means(share), means(edge_weight), means(interior) > 0.99
    squared *= ndimage.distance_transform_edt(share <= DARK, sampling=voxel_size) < _NEAR_MM
    u = medi_l2(
        share_field,
        voxel_size,
        b0_direction=b0_direction,
        regularization=_REGULARIZATION,
        data_weight=np.sqrt(squared),
        edge_weight=_smooth_but_at_cortex(share, edge_weight, interior),
        tolerance=_TOLERANCE,
        progress=part(progress, 0.0, 1.0, _MESSAGE),
    )
    own = squared * (share_field - convolve(dipole_kernel(share.shape, voxel_size, b0_direction), u))
    of_field, of_share = (float(np.vdot(own, field)) for field in (local_field, share_field))
    delta = of_field / of_share if of_share > 0 else 0.0
    low, high = RANGE
    if not low <= delta < high:
        return 0.0, (
            f"What gives no signal would be {delta:+.2f} ppm from its surroundings, which bone is not ({low:g} to "
            f"{high:g} ppm): it was not solved apart; look at the sign of the phase and at what the mask encloses."
        )
    return delta, (
        f"χ of what gives no signal, cortex above all, lies {-delta:.2f} ppm below that of its surroundings; {APART} "
        "(separate_cortex). Tendons, where as dark, show it too."
    )


def _block_means(array, factors):
    """Means of blocks of voxels; what is left over at the end of an axis is filled up with zeros."""
    factors = (1,) * (array.ndim - 3) + factors
    widths = [(0, -n % factor) for n, factor in zip(array.shape, factors, strict=True)]
    return block_means(np.pad(array, widths), factors, np.float32)


def _smooth_but_at_cortex(share, edge_weight, interior):
    """W of links: that of edges, or the square of what their voxels hold beside cortex; the same for all beyond."""
    rest, result = 1 - share, np.empty((3, *share.shape), np.float32)
    for axis, weight in enumerate(result):
        both = np.minimum(rest, np.roll(rest, -1, axis))
        np.minimum(both**2, along(edge_weight, axis), out=weight)
        np.maximum(weight, np.float32(_LEAST), out=weight)
    return beyond_interior(result, interior, _BEYOND)


def displaced(share: np.ndarray, chi: np.ndarray) -> np.ndarray:
    """Return ``M (u − ū)``, χ of the tissue in whose place cortex is, (K, J, I) float32 in ppm.

    Parameters
    ----------
    share : (K, J, I) array
        M, `missing_share`.
    chi : (K, J, I) array
        u, χ without cortex, in ppm; ū is its mean over M.

    Notes
    -----
    A voxel has ``(1 − M) u + M χ`` with χ that of cortex, which is u + Δ M only where u is ū: beside fatty marrow
    cortex stands out by more, beside dense bone by less. Without this, χ of both would come closer to one another.
    """
    total = float(share.sum(dtype=np.float64))
    return share * (chi - np.float32(np.vdot(share, chi) / total if total else 0.0))


def _linear(array):
    """Linear interpolation to twice the grid, each voxel split into two."""
    for axis in range(3):
        moved = np.moveaxis(array, axis, 0)
        padded = np.concatenate([moved[:1], moved, moved[-1:]])
        fine = np.empty((2 * moved.shape[0], *moved.shape[1:]), np.float32)
        fine[::2] = 0.25 * padded[:-2] + 0.75 * moved
        fine[1::2] = 0.75 * moved + 0.25 * padded[2:]
        array = np.moveaxis(fine, 0, axis)
    return np.ascontiguousarray(array)


def _blocks(fine):
    """(K, J, I, 2, 2, 2): the fine voxels of each voxel, a view."""
    k, j, i = (n // 2 for n in fine.shape)
    return fine.reshape(k, 2, j, 2, i, 2).transpose(0, 2, 4, 1, 3, 5)


METHODS = (
    Method(
        missing_share,
        title="Share without signal",
        solves="two tissues and nothing, from water and fat, against fatty and watery tissue around, without what "
        "dephasing adds to the extrapolated signal, averaged over voxels near that look alike but for noise",
        test="test_inversion_cortex.ShareTest",
        reference="Manjón et al., J Magn Reson Imaging 2010, doi 10.1002/jmri.22003 (means of what is alike)",
    ),
    Method(
        field_of_share,
        title="Field of cortex",
        solves="dipole field of the sharpened share on a grid twice as fine, less the part within cut points, averaged "
        "with the signal",
        test="test_inversion_cortex.FieldTest",
        reference="Atkinson 2005, doi 10.14358/PERS.71.7.839 (sub-voxel shares)",
    ),
    Method(
        susceptibility_of_share,
        title="χ of cortex",
        solves="least ‖W_d (Du + Δ G − f)‖² + λ ‖W ∇u‖² near cortex over u and Δ, G the field of cortex; W as edges, "
        "and free in cortex",
        test="test_inversion_cortex.SusceptibilityTest",
    ),
    Method(
        displaced,
        title="Tissue displaced by cortex",
        solves="M (u − ū), by which u + Δ M is more than (1 − M) u + M χ of cortex; after a round of TV-MEDI it is "
        "taken off, and its field is added to that of the rest",
        test="test_inversion_cortex.DisplacedTest",
    ),
)
