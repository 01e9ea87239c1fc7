"""Small scans in memory and in files for the tests of readers, outputs and the command line."""

import json
from pathlib import Path

import numpy as np

from TrabecularQSMLib.acquisition import Acquisition
from TrabecularQSMLib.files import nifti

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
