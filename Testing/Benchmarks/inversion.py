"""FFT pairs, time and distance to the converged minimizer of inversions and background removals, on a simulated ankle.

Run as ``python Testing/Benchmarks/inversion.py [--shape I J K] [--reference N] [METHOD …]``. FFTs are counted
by a back end that hands them on to SciPy's; a pair is one real transform and one back at the size of the inversion's
grid, or of the scan. Time is that of the processor, also as a multiple of a pair's in the same run. The distance is
that of χ, or of the local field, to the same cost after N iterations (0: none) in all of the mask and, less its mean,
where a field was measured. Pairs to 1 % are those of the fewest iterations after which an inversion is that near to it
where a field was measured, found by halving. Cortex is apart as in a scan, and TV-MEDI goes one round. It prints and
judges nothing.
"""

import argparse
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import scipy.fft
from scipy.fft import _pocketfft

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from TrabecularQSMLib import background, pipeline  # noqa: E402
from TrabecularQSMLib.fieldmap.masks import fill_unreliable  # noqa: E402
from TrabecularQSMLib.inversion import METHODS, invert  # noqa: E402
from TrabecularQSMLib.inversion.grid import Grid  # noqa: E402
from TrabecularQSMLib.inversion.weights import data_weight  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline.entry import fields_of  # noqa: E402
from TrabecularQSMLib.pipeline.solving import cortex_apart, inversion_options  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

SEED = 2020


class Counting:
    """A back end of `scipy.fft` that counts transforms of three axes by their number of real samples."""

    __ua_domain__ = "numpy.scipy.fft"

    def __init__(self):
        self.samples = 0

    def __ua_function__(self, method, arguments, options):
        own = getattr(_pocketfft, method.__name__, None)
        if own is None:
            return NotImplemented
        result, name = own(*arguments, **options), method.__name__
        array = result if name.startswith("ir") else arguments[0]
        axes = {"n": len(options.get("axes") or array.shape), "2": 2}.get(name[-1], 1)
        # A whole transform is counted once, however many calls its axes take; a complex sample stands for two.
        self.samples += array.size * (1 + np.iscomplexobj(array)) * axes / array.ndim
        return result


def processor_time(work):
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = work()
    return result, time.process_time() - start


def print_row(name, solve, exact, inside, measured):
    """Print what ``solve()`` costs, and its distance to ``solve(**exact)`` if there is any."""
    volume, counting = np.random.default_rng(SEED).random(inside.shape, np.float32), Counting()
    pair = min(processor_time(lambda: scipy.fft.irfftn(scipy.fft.rfftn(volume), s=volume.shape))[1] for _ in range(9))
    with scipy.fft.set_backend(counting):
        found, seconds = processor_time(solve)
    text = f"{name:18}{counting.samples / (2 * volume.size):8.0f}{seconds:9.2f}{seconds / pair:9.0f}"
    if exact:
        wanted, _ = processor_time(partial(solve, **exact))
        error = found - wanted
        text += f"{np.linalg.norm(error[inside]) / np.linalg.norm(wanted[inside]):10.3f}"
        text += f"{error[measured].std() / wanted[measured].std():10.3f}"
    if "iterations" in exact:
        text += f"{pairs_to_minimum(solve, exact, wanted, measured):10.0f}"
    print(text, flush=True)


def pairs_to_minimum(solve, exact, wanted, measured):
    """FFT pairs of the fewest iterations, to 2 %, after which χ is within 1 % of the wanted one where measured."""
    low, high, pairs = 0, exact["iterations"], np.nan
    while high - low > max(1, 0.02 * high):
        middle, counting = (low + high) // 2, Counting()
        with scipy.fft.set_backend(counting):
            found, _ = processor_time(partial(solve, **exact | {"iterations": middle}))
        if (found - wanted)[measured].std() > 0.01 * wanted[measured].std():
            low = middle
        else:
            high, pairs = middle, counting.samples / (2 * wanted.size)
    return pairs


def background_row(name, one, reference):
    """Row of a background removal."""
    given = {"b0_direction": one.b0_direction, "body": one.body}
    given["data_weight"] = data_weight(one.magnitude, one.mask, one.trust)
    total = fill_unreliable(one.total_field, one.trust, one.mask, one.voxel_size)

    def solve(**options):
        return background.remove(total, one.mask, one.voxel_size, method=name, **given, **options)[0]

    exact = {}
    if reference and "tolerance" in background.METHODS[name].options:
        exact = {"tolerance": 1e-7}
    local = solve()
    print_row(name, solve, exact, one.mask, local != 0)


def inversion_row(name, one, settings, reference):
    """Row of an inversion."""
    grid = Grid.around(one.mask, settings.padding)
    arguments = {"method": name, "regularization": settings.regularization}
    apart, _ = cortex_apart(one, settings, grid, None)
    arguments |= inversion_options(one, settings, grid)
    field = grid.put(apart.local)
    if "rounds" in arguments:
        arguments["rounds"] = 1  # of more only the first has a minimizer

    def solve(**options):
        return invert(field, one.voxel_size, **arguments | options)

    iterates = reference and "iterations" in METHODS[name].options
    exact = {"tolerance": 1e-9, "iterations": reference} if iterates else {}
    print_row(name, solve, exact, grid.put(one.mask), grid.put(one.data_weight) > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    removals = [name for name in background.METHODS if name != "none"]
    parser.add_argument("methods", nargs="*", default=[*removals, *METHODS])
    parser.add_argument("--shape", nargs=3, type=int, default=(147, 147, 68))
    parser.add_argument("--reference", type=int, default=0)
    given = parser.parse_args()
    acquisition = make_phantom(PhantomSettings(seed=SEED, shape=tuple(given.shape))).acquisition
    print(f"{'method':18}{'pairs':>8}{'CPU s':>9}{'in pairs':>9}{'of mask':>10}{'measured':>10}{'to 1 %':>10}")
    fields = {}
    for name in given.methods:
        settings = pipeline._complete(preset(inversion=name) if name in METHODS else preset())
        if settings.background not in fields:
            fields[settings.background] = fields_of(acquisition, settings, None, None)
        one = fields[settings.background]
        if name in METHODS:
            inversion_row(name, one, settings, given.reference)
        else:
            background_row(name, one, given.reference)


if __name__ == "__main__":
    main()
