"""Time and memory of a reconstruction at the paper's size, and how close it comes to the truth.

Run as ``python Testing/Benchmarks/benchmark.py`` or by ``make benchmark``, with the machine doing nothing else. Times
are given in seconds and as multiples of one FFT pair, which compares machines. It prints and judges nothing.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.fft

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import demo  # noqa: E402

from TrabecularQSMLib import pipeline  # noqa: E402
from TrabecularQSMLib.background import METHODS  # noqa: E402
from TrabecularQSMLib.figures.maps import INVERSION_TITLES  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.settings import load_presets, preset  # noqa: E402

THREADS = 2
FFT_PAIRS = 21
# What the whole chain, files to files, may take.
SECONDS_BAR, GIGABYTES_BAR = 60, 2.5
# Another patient than that of the demo.
PHANTOM = PhantomSettings(seed=2020)


def main():
    size = " × ".join(str(n) for n in (*PHANTOM.shape, len(PHANTOM.echo_times)))
    print(f"{size} samples, {THREADS} threads of {os.cpu_count()} processors, {load()}")
    pair = fft_pair(PHANTOM.shape[::-1])
    # First, while this process is small: what is called from it counts its memory from before as its own.
    time_commands(pair)
    phantom = make_phantom(PHANTOM)
    results = time_stages(phantom, pair)
    demo.print_agreement(phantom, {INVERSION_TITLES[name]: result.maps for name, result in results.items()})
    print(f"\nAt the end {load()}")


def load():
    return f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load average not known"


def fft_pair(shape):
    """Seconds of one real FFT and its inverse in single precision."""
    array = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    seconds = []
    for _ in range(FFT_PAIRS):
        start = time.perf_counter()
        scipy.fft.irfftn(scipy.fft.rfftn(array, workers=THREADS), s=shape, workers=THREADS)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def time_stages(phantom, pair):
    """Time the stages where the pipeline itself calls them; return a reconstruction for each inversion."""
    seconds = defaultdict(float)

    def timed(function, title):
        def run(*arguments, **options):
            start = time.perf_counter()
            result = function(*arguments, **options)
            seconds[title or INVERSION_TITLES[options["method"]]] += time.perf_counter() - start
            return result

        return run

    inversions = tuple(INVERSION_TITLES)
    with ExitStack() as patches:
        titles = {"find_kind": "kind of scan", "separate": "search and fit", "unwrap": "unwrapping", "invert": None}
        for name, title in titles.items():
            place = pipeline.solving if name == "invert" else pipeline.separated
            patches.enter_context(mock.patch.object(place, name, timed(getattr(place, name), title)))
        lbv = METHODS["lbv"]
        patches.enter_context(mock.patch.dict(METHODS, lbv=replace(lbv, function=timed(lbv.function, "LBV"))))
        start = time.perf_counter()
        chosen = [preset(inversion=inversion) for inversion in inversions]
        results = pipeline.reconstruct_each(phantom.acquisition, chosen, threads=THREADS)
        total = time.perf_counter() - start
    seconds["all else"] = total - sum(seconds.values())
    print(f"\nstages, from arrays to arrays\n\n{'stage':22}{'seconds':>10}{'FFT pairs':>12}")
    for title, value in {"FFT pair": pair, **seconds}.items():
        print(f"{title:22}{value:10.3f}{value / pair:12.0f}")
    return dict(zip(inversions, results, strict=True))


def time_commands(pair):
    """Time ``phantom`` and then ``reconstruct`` with each preset, from files to files in processes of their own."""
    print(f"\nfiles to files (bars for each reconstruction: {SECONDS_BAR} s, {GIGABYTES_BAR} GB)\n")
    print(f"{'command':32}{'seconds':>10}{'FFT pairs':>12}{'peak GB':>10}")
    commands = [["phantom", "ankle", "--seed", str(PHANTOM.seed)]]
    for name in load_presets():
        commands.append(["reconstruct", "ankle", name, "--preset", name, "--threads", str(THREADS)])
    with tempfile.TemporaryDirectory() as folder:
        for command in commands:
            seconds, gigabytes = run_measured([sys.executable, "-m", "TrabecularQSMLib", *command], folder)
            title = command[0] if command[0] == "phantom" else f"{command[0]} --preset {command[2]}"
            print(f"{title:32}{seconds:10.1f}{seconds / pair:12.0f}{gigabytes:10.2f}", flush=True)


def run_measured(command, folder):
    """Seconds and largest resident memory in GB of a command that is run silently in a folder."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with exit code {process.returncode}; run it alone to see why.")
    # Kilobytes on Linux, bytes on macOS.
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


if __name__ == "__main__":
    main()
