"""Small scans in memory and in files for the tests of readers, outputs and the command line."""

import json
from pathlib import Path

import numpy as np

from TrabecularQSMLib.acquisition import Acquisition
from TrabecularQSMLib.fieldmap import masks
from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom

ECHO_TIMES = (0.0012, 0.0019, 0.0026, 0.0033)
# Oblique, anisotropic, left-handed, off-center: whatever is mixed up shows.
AFFINE = np.array(
    [[0.0, -1.2, 0.0, 7.0], [1.5 * 0.8, 0.0, 3.0 * 0.6, -20.0], [1.5 * -0.6, 0.0, 3.0 * 0.8, 31.0], [0, 0, 0, 1]]
)


def echoes(shape=(4, 5, 6), count=4, seed=1) -> np.ndarray:
    """Complex noise, which fills the whole turn of phase as air does."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((count, *shape, 2)) @ [100, 100j]).astype(np.complex64)


def acquisition(**changes) -> Acquisition:
    """An acquisition of 4 echoes on an oblique grid of 6 × 5 × 4 voxels, with `changes`."""
    values = {"echoes": echoes(), "echo_times": ECHO_TIMES, "affine": AFFINE, "field_strength": 3.0, "source": "a scan"}
    return Acquisition(**{**values, **changes})


def small_ankle() -> tuple[Acquisition, np.ndarray]:
    """An ankle of 40 × 40 × 16 voxels with six echoes, and where it has signal."""
    times = tuple(1.2e-3 + 1.1e-3 * n for n in range(6))
    scan = make_phantom(
        PhantomSettings(shape=(40, 40, 16), supersampling=1, seed=4, snr=25.0, echo_times=times)
    ).acquisition
    mip = masks.combine_echoes(scan.echoes)
    return scan, mip > 0.1 * mip.max()


def write_bids(
    folder,
    signal=None,
    name="sub-01",
    parts=("mag", "phase"),
    phase=lambda radians: radians.astype(np.float32),
    extension=".nii",
    sidecar=None,
    affine=AFFINE,
) -> Path:
    """Write one scan as MEGRE files into `folder`; `sidecar(number)` gives the metadata of an echo or None."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    convert = {"mag": np.abs, "phase": lambda x: phase(np.angle(x)), "real": np.real, "imag": np.imag}
    for number, echo in enumerate(echoes() if signal is None else signal, start=1):
        metadata = {"EchoTime": ECHO_TIMES[number - 1], "MagneticFieldStrength": 3, "ImagingFrequency": 127.74}
        metadata = metadata if sidecar is None else sidecar(number)
        for part in parts:
            stem = f"{name}_echo-{number}_part-{part}_MEGRE"
            nifti.write_image(folder / (stem + extension), convert[part](echo), affine)
            if metadata is not None:
                (folder / (stem + ".json")).write_text(json.dumps(metadata))
    return folder
