"""A simulated cohort of eight, through all that may happen to one: workers, Dask, kills, a full disk, broken files.

Run as ``python Testing/Benchmarks/cohort.py [PART …]`` on Linux; the parts are `same`, `resume`, `kills`, `faults` and
`throughput`, all by default. Of the eight one has a cut file, one lacks echoes, and one has a bipolar read-out: six
finish. It ends with exit code 1 where something is not as promised; times it prints and does not judge.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib.files.phantom import write_phantom  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.study.cohort import LOG, finished_subjects  # noqa: E402
from TrabecularQSMLib.study.estimate import needed_memory  # noqa: E402
from TrabecularQSMLib.study.subjects import find_subjects  # noqa: E402

SHAPE, SMALL = (50, 50, 24), (30, 31, 14)
BIPOLAR, CUT, SHORT = 3, 5, 7
FAILING = {f"sub-0{CUT}", f"sub-0{SHORT}"}
KILLS, FULL_DISK = 20, "5m"
REGIONS = "derivatives/truth/{folder}/anat/{name}_dseg.nii.gz"
DONE, WRONG, SOME_FAILED = 0, 2, 3


class Trial:
    """A folder with cohorts, and what was found wrong."""

    def __init__(self, folder):
        self.folder, self.wrong = Path(folder), 0
        self.study = self.folder / "study"

    def check(self, good, words):
        """Print whether something is as promised."""
        self.wrong += not good
        print(f"  {'yes' if good else 'NO '}  {words}", flush=True)


def main() -> int:
    """Run the parts that were asked for."""
    parts = {"same": same, "resume": resume, "kills": kills, "faults": faults, "throughput": throughput}
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(folder)
        print(f"{os.cpu_count()} processors, {load()}")
        make_cohort(trial.study, SHAPE, 8)
        for path in (trial.study / f"sub-0{SHORT}").rglob("*_MEGRE.*"):
            if "_echo-1_" not in path.name and "_echo-2_" not in path.name:
                path.unlink()
        cut = next((trial.study / f"sub-0{CUT}").rglob("*_echo-4_part-phase_MEGRE.nii"))
        cut.write_bytes(cut.read_bytes()[:-1000])
        for name in sys.argv[1:] or parts:
            print(f"{name}, {load()}", flush=True)
            parts[name](trial)
    print(f"{trial.wrong} of the promises are broken, {load()}" if trial.wrong else f"All as promised, {load()}")
    return 1 if trial.wrong else 0


def make_cohort(folder, shape, count):
    """Write phantoms as one dataset, each of another seed."""
    for number in range(1, count + 1):
        readout = {"readout": "bipolar", "readout_offset_rad": 0.4} if number == BIPOLAR else {}
        write_phantom(folder, make_phantom(PhantomSettings(shape=shape, seed=number, **readout)), subject=f"0{number}")


def command(study, output, *options):
    """Command line of a cohort, and the environment that it runs in."""
    words = [sys.executable, "-m", "TrabecularQSMLib", "cohort", study, output, "--regions", REGIONS, *options]
    variables = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return [*map(str, words)], {**os.environ, **variables}


def start(study, output, *options):
    """Start a cohort, in a group of its own, whose words go to one stream."""
    words, environment = command(study, output, *options)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(words, env=environment, start_new_session=True, **streams)


def kill(process, alone=False):
    """Kill −9 a cohort with its workers, as a batch queue does; or alone, as a user may."""
    if alone:
        process.kill()
    elif process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def run(study, output, *options):
    """Run a cohort: exit code, what it said, and seconds on the clock."""
    began = time.monotonic()
    process = start(study, output, *options)
    said, _ = process.communicate()
    return process.returncode, said, time.monotonic() - began


def contents(folder):
    """Digest of each file of a cohort's output, but for the log; a folder of one subject alone too."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name != LOG.name
    }


def load():
    return f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load average not known"


def same(trial):
    """One worker, two, and two of Dask make the same bytes."""
    code, said, _ = run(trial.study, trial.folder / "one", "--workers", 1)
    whole = contents(trial.folder / "one")
    failed = {line.split(" failed:")[0] for line in said.splitlines() if " failed:" in line}
    trial.check(code == SOME_FAILED and failed == FAILING, f"exit code 3, with a sentence for {sorted(failed)}")
    trial.check("6 of 8 subjects are finished" in said, "six of eight are finished")
    trial.check("bipolar read-out" in said, "the bipolar read-out is told")
    run(trial.study, trial.folder / "two", "--workers", 2)
    trial.check(contents(trial.folder / "two") == whole, f"2 workers give the same bytes ({len(whole)} files)")
    from distributed import LocalCluster

    _, environment = command(trial.study, "")
    os.environ.update(environment)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        run(trial.study, trial.folder / "dask", "--scheduler", cluster.scheduler_address)
    trial.check(contents(trial.folder / "dask") == whole, "2 workers of Dask give the same bytes")


def resume(trial):
    """Killed in the middle and resumed, it is as if it had not been killed."""
    process = start(trial.study, trial.folder / "killed", "--workers", 2)
    while len(before := finished_subjects(trial.folder / "killed")) < 2 and process.poll() is None:
        time.sleep(0.05)
    kill(process)
    code, said, _ = run(trial.study, trial.folder / "killed", "--workers", 2, "--resume")
    trial.check(0 < len(before) < 6 and code == SOME_FAILED, f"killed with {len(before)} finished, and resumed")
    trial.check(f"{len(before)} of them before" in said, "what was finished is not made again")
    run(trial.study, trial.folder / "one", "--workers", 1, "--resume")
    same_bytes = contents(trial.folder / "killed") == contents(trial.folder / "one")
    trial.check(same_bytes, "the same bytes, and nothing else: what the kill left is swept")


def small(trial):
    """Return a dataset of three coarse phantoms, options, and the bytes that a cohort makes of it."""
    # The noise of χ takes time, so that most kills meet a subject and not the summary.
    study, options = trial.folder / "small", ("--chi-sigma", "yes", "--resume")
    if not study.exists():
        make_cohort(study, SMALL, 3)
        words, environment = command(study, trial.folder / "reference", *options, "--workers", 1)
        process = subprocess.Popen(words, stdout=-3, stderr=-3, env=environment)
        _, _, used = os.wait4(process.pid, 0)
        trial.seconds = used.ru_utime + used.ru_stime
    return study, options, contents(trial.folder / "reference")


def kills(trial):
    """Twenty times kill −9, at random in each twentieth of a run: what is there is whole, and the next run ends it."""
    study, options, expected = small(trial)
    moments, whole, equal, hidden, there, codes = random.Random(15), 0, 0, 0, [], []
    for number in range(KILLS):
        output = trial.folder / f"killed {number:02}"
        process = start(study, output, *options, "--workers", 1 + number % 2)
        # By time of processors, of which other programs take nothing.
        moment = trial.seconds * (number + moments.random()) / KILLS
        while process.poll() is None and sum(map(_seconds, [process.pid, *_children(process)])) < moment:
            time.sleep(0.02)
        kill(process, alone=number % 4 == 3)
        finished = finished_subjects(output) if output.exists() else {}
        hidden += any(output.glob(".writing-*"))
        there.append(len(finished))
        whole += all(
            contents(folder)
            == {name.split("/", 1)[1]: d for name, d in expected.items() if name.startswith(f"{case}/")}
            for case, folder in finished.items()
        )
        codes.append(run(study, output, *options, "--workers", 2)[0])
        equal += contents(output) == expected and not any(output.glob(".writing-*"))
    trial.check(whole == KILLS, f"after {whole} of {KILLS} kills every subject that is there is whole ({there} of 3)")
    trial.check(set(codes) == {DONE} and equal == KILLS, f"{equal} of {KILLS} resumed to the same bytes")
    trial.check(hidden, f"{hidden} kills left hidden folders, which the next run swept")


def faults(trial):
    """A full disk, a worker that dies, and two runs on one folder."""
    study, options, expected = small(trial)
    _full_disk(trial, study, options, expected)
    output = trial.folder / "worker"
    process = start(study, output, *options, "--workers", 2)
    killed = _kill_a_worker(process)
    said, _ = process.communicate()
    trial.check(killed, "a worker was killed at its work")
    trial.check(process.returncode in (DONE, SOME_FAILED), f"the run goes on: {said.strip().splitlines()[-1]}")
    run(study, output, *options)
    trial.check(contents(output) == expected, "and comes to the same bytes")

    output = trial.folder / "twice"
    process = start(study, output, *options)
    while not (output / ".cohort.lock").exists() and process.poll() is None:
        time.sleep(0.02)
    code, said, _ = run(study, output, *options)
    process.communicate()
    trial.check(code == WRONG and "Another run is working on" in said, "a second run on one folder is refused")
    trial.check(contents(output) == expected, "and the first is not disturbed")


def _full_disk(trial, study, options, expected):
    place = trial.folder / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL_DISK}", "none", str(place)], check=False)
    if mounted.returncode:
        print("  (no disk to fill: mount needs root)")
        return
    try:
        subprocess.run(["dd", "if=/dev/zero", f"of={place}/filler", "bs=1k", "count=4300"], check=False, stderr=-3)
        code, said, _ = run(study, place / "out", *options, "--workers", 2)
        trial.check(code in (WRONG, SOME_FAILED), f"a disk of 5 MB ends with exit code {code}")
        trial.check("no space left" in said, f"told: {said.strip().splitlines()[-1]}")
        found = contents(place / "out") if (place / "out").exists() else {}
        whole = {name for name in found if name.startswith("sub-")}
        cases = {name.split("/")[0] for name in whole}
        complete = {name for name in expected if name.split("/")[0] in cases}
        good = whole == complete and all(found[name] == expected[name] for name in whole)
        trial.check(good, f"nothing half-written: {len(cases)} subjects, {len(found)} files")
        trial.check(not list(place.rglob(".writing-*")), "no hidden folder stays")
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _kill_a_worker(process):
    """Kill −9 one of a run's worker processes when it has begun to work."""
    while process.poll() is None:
        for child in _children(process):
            if _seconds(child) > 1.5 and "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
                os.kill(child, signal.SIGKILL)
                return True
        time.sleep(0.05)
    return False


def _children(process):
    """Numbers of the processes that a process has begun."""
    try:
        return [int(text) for text in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except OSError:
        return []


def _seconds(number):
    """Time of processors that a process has used."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def throughput(trial):
    """Time of one worker and of two with a thread each, and the memory of the largest process."""
    estimate = max(map(needed_memory, find_subjects(trial.study)))
    seconds, processor = {}, {}
    for workers in (1, 2):
        words, environment = command(trial.study, trial.folder / f"timed {workers}", "--workers", workers)
        began, before = time.monotonic(), load()
        process = subprocess.Popen(words, stdout=-3, stderr=-3, env=environment)
        _, _, used = os.wait4(process.pid, 0)
        seconds[workers], processor[workers] = time.monotonic() - began, used.ru_utime + used.ru_stime
        peak = 1024 * used.ru_maxrss
        print(
            f"  {workers} workers: {seconds[workers]:.1f} s, {processor[workers]:.1f} s of processors, "
            f"largest process {peak / 1e9:.2f} GB of {estimate / 1e9:.2f} GB estimated, {before} before"
        )
        trial.check(peak <= estimate, "memory stays within the estimate")
    print(
        f"  throughput of 2 workers is {seconds[1] / seconds[2]:.2f} times that of 1; "
        f"{2 * processor[1] / processor[2]:.2f} if each had a processor of its own"
    )


if __name__ == "__main__":
    sys.exit(main())
