"""Time and memory of the program on a scan of 384 × 384 × 136 voxels and nine echoes, from files to files.

Run as ``python Testing/Benchmarks/large.py [--shape I J K] [--folder FOLDER] [COMMAND …]``, with the machine doing
nothing else. Commands: fieldmap (the default) and all, which is the preset ``default``. The scan is a simulated ankle
of 1.5 mm enlarged to the grid, its fields as they are, with noise; it is written echo by echo as converters do (16-bit
integers, gzip) into FOLDER, and taken from there the next time. Each command runs as a process of its own on two
threads; the memory is the largest that this process ever held. It prints and judges nothing.
"""

import argparse
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS  # noqa: E402
from TrabecularQSMLib.files.nifti import write_image  # noqa: E402
from TrabecularQSMLib.files.writing import write_json  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402

THREADS = 2
SHAPE, SMALL = (384, 384, 136), (147, 147, 68)
SNR, SEED = 40.0, 2030
COMMANDS = {"fieldmap": ("--stop-after", "fieldmap"), "all": ()}


def make(folder, shape):
    """Write the scan, one echo in memory at a time."""
    phantom = make_phantom(PhantomSettings(seed=SEED, shape=SMALL, snr=None))
    size, scan = shape[::-1], phantom.acquisition
    enlarged = {
        name: ndimage.zoom(
            phantom.truth[name], np.divide(size, SMALL[::-1]), order=1, mode="nearest", grid_mode=True
        )
        for name in ("water", "fat", "field_hz", "r2star")
    }  # fmt: skip
    affine = PhantomSettings(shape=shape).affine
    rng, deviation = np.random.default_rng(SEED), phantom.truth["signal"].max() / SNR
    anat = folder / "sub-01" / "anat"
    anat.mkdir(parents=True)
    write_json(folder / "dataset_description.json", {"Name": "Large", "BIDSVersion": "1.9.0"})
    fat_signal = FAT_MODELS["ren-marrow"].signal(scan.echo_times, scan.imaging_frequency)
    for number, (echo_time, phasor) in enumerate(zip(scan.echo_times, fat_signal, strict=True), start=1):
        parts = {part: np.empty(size, np.int16) for part in ("mag", "phase")}
        for k in range(size[0]):
            water, fat, field, rate = (enlarged[name][k] for name in ("water", "fat", "field_hz", "r2star"))
            signal = (water + phasor * fat) * np.exp((2j * np.pi * field - rate) * echo_time + 0.7j)
            signal += deviation * (rng.standard_normal((*signal.shape, 2)) @ [1, 1j])
            parts["mag"][k] = np.rint(np.abs(signal) * 4000)
            parts["phase"][k] = np.clip(np.rint(np.angle(signal) * 4096 / np.pi), -4096, 4095)
        for part, values in parts.items():
            stem = anat / f"sub-01_echo-{number}_part-{part}_MEGRE"
            write_image(stem.with_name(stem.name + ".nii.gz"), values, affine)
            write_json(stem.with_name(stem.name + ".json"), {"EchoTime": echo_time, "MagneticFieldStrength": 3.0})


def run(name, scan, *options):
    """Seconds, largest memory, and when it said what, of one reconstruction."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "TrabecularQSMLib", "reconstruct", str(scan), output, "--threads"]
        command += [str(THREADS), *COMMANDS[name], *options]
        start, steps = time.perf_counter(), []
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=ROOT)
        for line in process.stderr:
            steps.append(f"{time.perf_counter() - start:.0f} s {_held(process.pid)} {line.strip()}")
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    print(f"{name}: {seconds:.0f} s, {usage.ru_utime + usage.ru_stime:.0f} s of processor, {kilobytes / 1e6:.2f} GB")
    print("  " + "\n  ".join(steps), flush=True)
    if status:
        raise SystemExit(f"It failed with status {status}.")


def _held(pid):
    """Memory of a process now and at most, where the system tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    now, most = (int(re.search(rf"{key}:\s+(\d+)", status)[1]) / 1e6 for key in ("VmRSS", "VmHWM"))
    return f"{now:.2f}/{most:.2f} GB"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commands", nargs="*", choices=[*COMMANDS, []], metavar="COMMAND")
    parser.add_argument("--shape", nargs=3, type=int, default=SHAPE, metavar=("I", "J", "K"))
    parser.add_argument("--folder", type=Path, help="where the scan is kept")
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)) / "x".join(map(str, arguments.shape))
        if not folder.exists():
            # In a process of its own: a child's largest memory begins with that of its parent.
            maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder, tuple(arguments.shape)))
            maker.start()
            maker.join()
        for name in arguments.commands or ["fieldmap"]:
            run(name, folder, *options)


if __name__ == "__main__":
    main()
