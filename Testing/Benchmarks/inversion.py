"""FFT pairs, processor time and distance to the converged minimizer of each inversion, on a simulated ankle.

Run as ``python Testing/Benchmarks/inversion.py [--shape I J K] [--reference N] [METHOD …]``. FFTs are counted
by a back end that hands them on to SciPy's; a pair is one real transform and one back at the grid's size. The distance
is that of χ to the same cost after N iterations (0: none) in all of the mask and, less its mean, where a field was
measured. It prints and judges nothing.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.fft
from scipy.fft import _pocketfft

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from TrabecularQSMLib import pipeline  # noqa: E402
from TrabecularQSMLib.inversion import METHODS, invert  # noqa: E402
from TrabecularQSMLib.inversion.grid import Grid  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline.fields import Fields  # noqa: E402
from TrabecularQSMLib.pipeline.solving import inversion_options  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

SEED = 2020


class Counting:
    """A back end of `scipy.fft` that counts transforms by their number of real samples."""

    __ua_domain__ = "numpy.scipy.fft"

    def __init__(self):
        self.samples = 0

    def __ua_function__(self, method, arguments, options):
        own = getattr(_pocketfft, method.__name__, None)
        if own is None:
            return NotImplemented
        result = own(*arguments, **options)
        real = result if method.__name__.startswith("ir") else arguments[0]
        self.samples += real.size
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("methods", nargs="*", default=list(METHODS))
    parser.add_argument("--shape", nargs=3, type=int, default=(147, 147, 68))
    parser.add_argument("--reference", type=int, default=0)
    given = parser.parse_args()
    acquisition = make_phantom(PhantomSettings(seed=SEED, shape=tuple(given.shape))).acquisition
    print(f"{'inversion':18}{'pairs':>8}{'wall s':>9}{'CPU s':>9}{'of mask':>10}{'measured':>10}")
    fields = {}
    for name in given.methods:
        settings = pipeline._complete(preset(inversion=name))
        if settings.background not in fields:
            fields[settings.background] = Fields(acquisition, settings, None, None)
        one = fields[settings.background]
        grid = Grid.around(one.mask, settings.padding)
        arguments = {"method": name, "regularization": settings.regularization}
        arguments |= inversion_options(one, settings, grid)
        field, counting = grid.put(one.local_field), Counting()
        wall, processor = time.perf_counter(), time.process_time()
        with scipy.fft.set_backend(counting), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chi = invert(field, one.voxel_size, **arguments)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        text = f"{name:18}{counting.samples / (2 * field.size):8.0f}{wall:9.1f}{processor:9.1f}"
        if given.reference and "iterations" in METHODS[name].options:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exact = {"tolerance": 1e-9, "iterations": given.reference}
                wanted = invert(field, one.voxel_size, **arguments | exact)
            inside, measured = grid.put(one.mask), grid.put(one.data_weight) > 0
            error = chi - wanted
            text += f"{np.linalg.norm(error[inside]) / np.linalg.norm(wanted[inside]):10.3f}"
            text += f"{error[measured].std() / wanted[measured].std():10.3f}"
        print(text, flush=True)


if __name__ == "__main__":
    main()
