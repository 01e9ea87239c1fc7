"""Susceptibility against known truth: every background removal, inversion and preset, and where the error comes from.

Run as ``python Testing/Benchmarks/truth.py``; ``--help`` lists the choices. The scans are digital ankles of seeds, on
which settings may be tuned (1 to 3) or which are for reports alone (41 to 43). Each is simulated without noise once,
noise is added here, and the water–fat separation is kept in a folder, so that only what follows it runs again. It is
the pipeline itself that runs: for the error budget, the field is replaced where the pipeline has unwrapped it.

    truth.py --seeds tuned --backgrounds all                 each background removal with the presets' inversion
    truth.py --seeds reported --presets all --inversions all
    truth.py --budget                                        true field, its noise, partial volume, background
    truth.py --set mask_erosion=2 --set mask_erosion=6       the same settings, each changed by one

It writes truth.csv (a row a run), truth_regions.csv (a row a region) and truth.md (means over seeds), and judges
nothing.
"""

import argparse
import csv
import hashlib
import itertools
import json
import os
import pickle
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.fft
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib import pipeline  # noqa: E402
from TrabecularQSMLib.acquisition import Acquisition  # noqa: E402
from TrabecularQSMLib.analysis.accuracy import Accuracy, accuracy  # noqa: E402
from TrabecularQSMLib.background import METHODS as BACKGROUNDS  # noqa: E402
from TrabecularQSMLib.inversion import METHODS as INVERSIONS  # noqa: E402
from TrabecularQSMLib.kernels import convolve, dipole_kernel  # noqa: E402
from TrabecularQSMLib.phantom import Phantom, PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.settings import Settings, load_presets, preset  # noqa: E402

SEEDS = {"tuned": (1, 2, 3), "reported": (41, 42, 43)}
CASES = {
    "upright": {},
    "tilted": {"tilt_degrees": 20.0},
    "anisotropic": {"shape": (131, 149, 51)},
    "noisy": {"snr": 15.0},
    "coarse": {"shape": (100, 100, 46)},  # 2.2 mm
    "knee": {"anatomy": "knee"},
}
NOT_MARROW = ("muscle", "skin fat")
# The bone of a study: its regions begin with this name; the contrast is between two of them.
BONES = {
    "calcaneus": ("calcaneus subtalar", "calcaneus tuber"),
    "femur": ("femur medial condyle", "femur metaphysis"),
}
BUDGET = ("true field", "plus noise", "partial volume", "measured")
# What the separation depends on, beside the scan.
SEPARATION_SETTINGS = ("fat_model", "phase_sign", "readout", "trains", "mask_threshold")
# Marrow this near to cortex, and cortex whose normal is within this angle of B0 (across) or of the plane (along).
NEAR_MM, WITHIN_DEGREES = 4.0, 30.0
OPEN_SPACE_MM = 90.0
HEAD = ("case", "seed", "tuned", "preset", "background", "inversion", "changes", "stage")
SUMMARY = {
    "marrow_r2": "R² marrow", "marrow_slope": "slope", "marrow_rmse": "RMSE [ppm]", "marrow_xsim": "XSIM",
    "marrow_hfen": "HFEN", "marrow_nonlinearity": "bend", "bone_r2": "R² bone", "bone_slope": "slope bone",
    "contrast": "contrast", "across": "cortex across [ppm]", "along": "along [ppm]", "field_sd": "field SD [ppm]",
    "marrow_count": "voxels", "background_pairs": "background [pairs]", "inversion_pairs": "inversion [pairs]",
    "megabytes": "peak [MB]",
}  # fmt: skip


@dataclass(frozen=True)
class Scan:
    """One phantom with noise; `key` names what it was made from."""

    phantom: Phantom
    acquisition: Acquisition
    key: str
    head: dict


def main() -> None:
    """Run what the command line chooses."""
    arguments = _parser().parse_args()
    seeds = [n for one in arguments.seeds for n in SEEDS.get(one, None) or (int(one),)]
    cache = Path(arguments.cache or tempfile.mkdtemp(prefix="truth-"))
    cache.mkdir(parents=True, exist_ok=True)
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    rows, regions, budgeted = [], [], set()
    for case, seed in itertools.product(arguments.cases, seeds):
        scan = make_scan(case, seed, cache, scale=arguments.scale)
        for name, settings, changes in _chosen(arguments):
            # The truer fields have no background: they are the same for all removals.
            truer = (scan.key, name, replace(settings, background="none"))
            truer_too = arguments.budget and truer not in budgeted
            budgeted.add(truer)
            for stage in (*BUDGET, "chain") if truer_too else ("chain",):
                row, found = measure(scan, settings, stage, cache, arguments.threads)
                head = {**scan.head, "preset": name, "changes": changes, "stage": stage}
                rows.append({**head, **row})
                regions += [{**{key: rows[-1][key] for key in HEAD}, **one} for one in found]
                _print_row(rows[-1])
                write_csv(output / "truth.csv", rows)
                write_csv(output / "truth_regions.csv", regions)
    text = summary(rows)
    (output / "truth.md").write_text(text, encoding="utf-8")
    print("\n" + text)


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], epilog=__doc__.partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["upright"])
    parser.add_argument("--seeds", nargs="+", default=["reported"], help="tuned, reported, or numbers")
    for name, registry in (("presets", load_presets()), ("backgrounds", BACKGROUNDS), ("inversions", INVERSIONS)):
        own = "default" if name == "presets" else "own"
        parser.add_argument(f"--{name}", nargs="+", choices=("all", own, *registry), default=[own], metavar="NAME")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE[,…]", help="a variant of settings")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the voxels along each axis (default: 1)")
    parser.add_argument("--budget", action="store_true", help="also from truer fields, with the same weights")
    parser.add_argument("--cache", metavar="DIR", help="where phantoms and separations are kept")
    parser.add_argument("--output", metavar="DIR", default=".")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def _chosen(arguments):
    """Name, settings and their changes of every run, each once."""
    names = list(load_presets()) if "all" in arguments.presets else arguments.presets
    variants = [dict(_value(pair) for pair in text.split(",")) for text in arguments.set] or [{}]
    seen = set()
    for name, changes in itertools.product(names, variants):
        own = preset(name, **changes)
        backgrounds = _all_or(arguments.backgrounds, BACKGROUNDS, own.background)
        inversions = _all_or(arguments.inversions, INVERSIONS, own.inversion)
        for background, inversion in itertools.product(backgrounds, inversions):
            settings = preset(name, **{**changes, "background": background, "inversion": inversion})
            if (name, settings) not in seen:
                seen.add((name, settings))
                yield name, settings, " ".join(f"{key}={value}" for key, value in changes.items())


def _all_or(given, registry, own):
    return list(registry) if "all" in given else [own if name == "own" else name for name in given]


def _value(pair):
    name, _, text = pair.partition("=")
    if name not in {one.name for one in fields(Settings)}:
        raise SystemExit(f"There is no setting {name!r}.")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


# Scans


def make_scan(case, seed, cache, *, scale=1.0) -> Scan:
    """Return a phantom, simulated or from the cache, with noise."""
    settings = PhantomSettings(seed=seed, **CASES[case])
    snr = settings.snr
    settings = replace(settings, snr=None, shape=tuple(max(16, round(scale * n)) for n in settings.shape))
    key = _hash(repr(settings), _code("phantom", "fieldmap", "data/fat_models.json"))
    phantom = _remembered(cache / f"phantom-{key}.pickle", lambda: make_phantom(settings))
    acquisition = phantom.acquisition
    noise = np.random.default_rng((seed, 100))
    echoes = acquisition.echoes.copy()
    deviation = np.float32(phantom.truth["signal"].max() / snr)
    for echo in echoes:
        echo.real += deviation * noise.standard_normal(echo.shape, dtype=np.float32)
        echo.imag += deviation * noise.standard_normal(echo.shape, dtype=np.float32)
    head = {"case": case, "seed": seed, "tuned": seed in SEEDS["tuned"]}
    return Scan(phantom, replace(acquisition, echoes=echoes), _hash(key, snr), head)


def _remembered(path, compute):
    """What is stored at a path, computed where nothing is."""
    if path.exists():
        return pickle.loads(path.read_bytes())
    result = compute()
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_bytes(pickle.dumps(result, protocol=5))
    beside.replace(path)
    return result


def _hash(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _code(*names):
    """Fingerprint of the code that a stored array comes from."""
    paths = [path for name in names for path in sorted((ROOT / "TrabecularQSMLib" / name).rglob("*.py"))]
    paths += [ROOT / "TrabecularQSMLib" / name for name in names if name.endswith(".json")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


# Runs


def measure(scan: Scan, settings: Settings, stage: str, cache: Path, threads: int) -> tuple[dict, list[dict]]:
    """Reconstruct, from the field of a stage of the budget; return figures of the run, and of its regions."""
    if stage != "chain":
        settings = replace(settings, background="none")
    seconds = defaultdict(float)
    tracemalloc.start()
    with _shortened(scan, settings, stage, cache, seconds):
        result = pipeline.reconstruct(scan.acquisition, settings, threads=threads)
    megabytes = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    pair = fft_pair(scan.acquisition.shape, threads)
    row = {"background": settings.background if stage == "chain" else "", "inversion": settings.inversion}
    row |= {"regularization": settings.regularization}
    found, regions = figures(scan.phantom, result.maps)
    row |= found
    for name, value in seconds.items():
        row |= {f"{name}_seconds": value, f"{name}_pairs": value / pair}
    row |= {"megabytes": megabytes, "notes": " ".join(result.notes)}
    return row, regions


@contextmanager
def _shortened(scan, settings, stage, cache, seconds):
    """The pipeline with a remembered separation, the field of a stage, and the time of its methods measured."""
    used = tuple(getattr(settings, name) for name in SEPARATION_SETTINGS)
    key = _hash(scan.key, used)

    def remember(name):
        original = getattr(pipeline.separated, name)
        return lambda *given, **options: _remembered(
            cache / f"{name}-{key}.pickle", lambda: original(*given, **options)
        )

    def timed(function, title):
        def run(*given, **options):
            start = time.perf_counter()
            result = function(*given, **options)
            seconds[title] += time.perf_counter() - start
            return result

        return run

    unwrap = remember("unwrap")

    def unwrapped(*given, **options):
        measured = unwrap(*given, **options)
        return measured if stage == "chain" else _stage_field(scan, stage, measured, cache, key)

    method = BACKGROUNDS[settings.background]
    with ExitStack() as patches:
        patch = lambda *given: patches.enter_context(mock.patch.object(*given))  # noqa: E731
        for name in ("find_kind", "separate"):
            patch(pipeline.separated, name, remember(name))
        patch(pipeline.separated, "unwrap", unwrapped)
        patch(pipeline.solving, "invert", timed(pipeline.solving.invert, "inversion"))
        shown = replace(method, function=timed(method.function, "background"))
        patches.enter_context(mock.patch.dict(BACKGROUNDS, {settings.background: shown}))
        yield


def _stage_field(scan, stage, measured_hz, cache, key):
    """Field in Hz of a stage of the budget, in the order in which the pipeline runs; `measured_hz` is in it already."""
    apply, truth = scan.acquisition.reorientation.apply, scan.phantom.truth
    hz = np.float32(1e-6 * scan.acquisition.imaging_frequency)
    if stage == "measured":
        return measured_hz - hz * apply(truth["total_field"] - truth["local_field"])
    if stage == "partial volume":
        return hz * apply(truth["local_field"])
    field = hz * apply(true_local_field(scan))
    if stage == "plus noise":
        sigma = pickle.loads((cache / f"separate-{key}.pickle").read_bytes()).sigma_field
        field += sigma * np.random.default_rng(scan.head["seed"]).standard_normal(field.shape, dtype=np.float32)
    return field


def true_local_field(scan: Scan) -> np.ndarray:
    """Field in ppm of the voxels' mean susceptibility in open space, air as if it were water."""
    chi, acquisition = scan.phantom.truth["chi"], scan.acquisition
    # Fat is below 0.7 ppm; what is above is partly air, beyond silent skin of zero.
    chi = np.where(chi > 0.75, 0, chi)
    size = acquisition.voxel_size
    shape = [
        scipy.fft.next_fast_len(int(n + OPEN_SPACE_MM / h), real=True) for n, h in zip(chi.shape, size, strict=True)
    ]
    padded = np.pad(chi, [(0, large - n) for large, n in zip(shape, chi.shape, strict=True)])
    field = convolve(dipole_kernel(shape, size, acquisition.b0_direction), padded)
    return field[tuple(slice(n) for n in chi.shape)]


def fft_pair(shape, threads):
    """Seconds of one real FFT and its inverse in single precision, median of five."""
    array, seconds = np.random.default_rng(0).standard_normal(shape, dtype=np.float32), []
    for _ in range(5):
        start = time.perf_counter()
        scipy.fft.irfftn(scipy.fft.rfftn(array, workers=threads), s=shape, workers=threads)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


# Figures


def figures(phantom: Phantom, maps: dict) -> tuple[dict, list[dict]]:
    """Agreement of χ with its truth over marrow and over the bone of a study; means of regions."""
    valid = (maps["mask"] > 0) & (maps["reliability"] > 0)
    labels = {name: label for label, name in phantom.region_names.items()}
    bone = next(name for name, pair in BONES.items() if set(pair) <= labels.keys())
    chi, truth, row = maps["chi"], phantom.truth, {}
    marrow = np.isin(phantom.regions, [label for name, label in labels.items() if name not in NOT_MARROW]) & valid
    inside = np.isin(phantom.regions, [label for name, label in labels.items() if name.startswith(bone)]) & valid
    for title, where in (("marrow", marrow), ("bone", inside)):
        row |= {f"{title}_{name}": value for name, value in asdict(_accuracy(chi, truth["chi"], where)).items()}
    regions, means = [], {}
    for name, label in labels.items():
        where = (phantom.regions == label) & valid
        means[name] = [float(array[where].mean()) if where.any() else np.nan for array in (truth["chi"], chi)]
        regions.append({"region": name, "n": int(where.sum()), "truth": means[name][0], "measured": means[name][1]})
    dense, light = (means[name] for name in BONES[bone])
    row["contrast"] = (dense[1] - light[1]) / (dense[0] - light[0])
    row |= near_cortex(chi - truth["chi"], phantom, valid, marrow)
    counted = valid & (truth["cortex"] < 1e-3)
    row["field_sd"] = float(np.std((maps["local_field"] - truth["local_field"])[counted]))
    return row, regions


def _accuracy(chi, truth, where):
    if where.sum() < 3:
        return Accuracy(**dict.fromkeys(Accuracy.__dataclass_fields__, np.nan))
    return accuracy(chi, truth, where)


def near_cortex(error, phantom, valid, marrow):
    """Mean error of χ near cortex that lies across and along B0, less that of all marrow, in ppm."""
    acquisition, cortex = phantom.acquisition, phantom.truth["cortex"]
    size = acquisition.voxel_size
    distance, nearest = ndimage.distance_transform_edt(cortex < 0.5, sampling=size, return_indices=True)
    offset = (nearest - np.indices(cortex.shape)) * np.reshape(size, (3, 1, 1, 1))
    cosine = np.abs(np.tensordot(acquisition.b0_direction, offset, 1)) / np.maximum(distance, 1e-6)
    near = valid & (phantom.truth["bvtv"] > 0.01) & (cortex < 1e-3) & (distance < NEAR_MM)
    angle = np.deg2rad(WITHIN_DEGREES)
    where = {"across": near & (cosine > np.cos(angle)), "along": near & (cosine < np.sin(angle))}
    mean = lambda inside: float(error[inside].mean()) if inside.any() else np.nan  # noqa: E731
    return {name: mean(inside) - mean(marrow) for name, inside in where.items()}


# Tables


def write_csv(path, rows):
    """Write rows whose columns may differ."""
    columns = list(dict.fromkeys((*HEAD, *(name for row in rows for name in row))))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({key: f"{v:.6g}" if isinstance(v, float) else v for key, v in row.items()} for row in rows)


def summary(rows) -> str:
    """Markdown: the mean over seeds of each run."""
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(str(row[key]) for key in HEAD if key != "seed")].append(row)
    head = [key for key in HEAD if key != "seed"]
    lines = ["| " + " | ".join((*head, "scans", *SUMMARY.values())) + " |"]
    lines.append("|" + " --- |" * (len(head) + 1 + len(SUMMARY)))
    for group, found in groups.items():
        cells = []
        for name in SUMMARY:
            values = [row[name] for row in found if np.isfinite(row.get(name, np.nan))]
            mean = np.mean(values) if values else np.nan
            cells.append(f"{mean:.3f}" if mean < 20 else f"{mean:.0f}" if values else "")
        lines.append("| " + " | ".join((*group, str(len(found)), *cells)) + " |")
    return "\n".join(lines) + "\n"


def _print_row(row):
    title = " ".join(str(row[key]) for key in HEAD if row[key] not in ("", False, True))
    keys = ("marrow_r2", "marrow_slope", "bone_r2", "bone_slope", "contrast", "field_sd", "inversion_seconds")
    print(f"{title:78}" + "".join(f"{row.get(key, float('nan')):8.3f}" for key in keys), flush=True)


if __name__ == "__main__":
    main()
