"""Damage files of every kind that is read, and see that each is read or refused in a sentence: ``make fuzz``.

Nothing else may come out of a reader, end the process, take longer than a time limit, or ask for much more memory than
the file holds. Each case runs in a worker process that is watched from here; it follows from its number alone, so that
``--first N --cases 1 --show`` repeats it.

    python Testing/fuzz.py --cases 5000 --only nii DICOM     # kinds whose name holds one of these words

``Testing/fuzz_guided.py`` searches by coverage.
"""

import argparse
import collections
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "Python")]
# Address space that a case may take on top of what the worker has, in bytes; files are of some kB.
_ROOM = 300 << 20
_LIMIT_S, _LIMIT_FOREIGN_S = 30.0, 90.0


def case_of(number, kinds):
    """Return the kind, the victim, whether it is damaged inside of its packing, and the damages of a case."""
    from damage import LARGEST, random_damages

    rng = np.random.default_rng([2026, number])
    victim, packed = rng.integers(0, LARGEST, 2).tolist()
    return kinds[number % len(kinds)], victim, packed, random_damages(rng)


def work(pipe, place, only):
    """Run the cases whose numbers come through a pipe: the answer is what went wrong, or whether it was refused."""
    import damage

    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "builtin type .* has no __module__ attribute", DeprecationWarning)
    made, tried = Path(place, "made"), Path(place, "tried")
    for folder in (made, tried):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    kinds = chosen(damage.kinds(made), only)
    limit_memory()
    pipe.send([(kind.name, kind.foreign) for kind in kinds])
    for number in iter(pipe.recv, None):
        kind, victim, packed, damages = case_of(number, kinds)
        folder = tried / kind.name
        folder.mkdir(exist_ok=True)
        try:
            pipe.send((None, kind.try_case(folder, victim, packed, damages)))
        except Exception:
            pipe.send((traceback.format_exc(), None))


def chosen(kinds, only):
    """Return the kinds whose name holds one of the words, or all."""
    return [kind for kind in kinds if not only or any(word in kind.name for word in only)]


def limit_memory():
    """Let this process grow no further than by what a case may take."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError):  # Linux alone says how large it is
        return
    room = pages * resource.getpagesize() + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def slowness():
    """How many times longer work takes than on a machine that does nothing else."""
    return max(1.0, os.getloadavg()[0] / os.cpu_count()) if hasattr(os, "getloadavg") else 1.0


class Worker:
    """A process that runs cases, and is made anew after one that it did not survive."""

    def __init__(self, only):
        self.only = only
        self.place = tempfile.TemporaryDirectory(prefix="fuzz-")
        self.start()

    def start(self):
        """Start the process and learn its kinds."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.place.name, self.only), daemon=True)
        self.process.start()
        theirs.close()
        self.kinds = self.pipe.recv()

    def fault_of(self, number):
        """Run a case: what went wrong (None if nothing), and whether the file was refused."""
        foreign = self.kinds[number % len(self.kinds)][1]
        limit = (_LIMIT_FOREIGN_S if foreign else _LIMIT_S) * slowness()
        self.pipe.send(number)
        try:
            if self.pipe.poll(limit):
                return self.pipe.recv()
            fault = f"hangs: not done after {limit:g} s"
        except (EOFError, ConnectionResetError):
            fault = "ends the process"
        self.process.kill()
        self.process.join()
        fault += f" (exit code {self.process.exitcode})"
        self.start()
        return fault, None

    def stop(self):
        """End the process."""
        self.pipe.send(None)
        self.process.join(10)
        self.place.cleanup()


def run(first, count, only, seconds):
    """Run cases and return the faults: number of the case to kind and what happened."""
    worker, faults, refused = Worker(only), {}, collections.Counter()
    began, tried = time.monotonic(), collections.Counter()
    for number in range(first, first + count):
        if seconds and time.monotonic() - began > seconds:
            break
        name = worker.kinds[number % len(worker.kinds)][0]
        fault, was_refused = worker.fault_of(number)
        tried[name] += 1
        refused[name] += bool(was_refused)
        if fault:
            faults[number] = name, fault
            print(f"case {number}, {name}: {fault.strip().splitlines()[-1]}", flush=True)
        if tried.total() % 500 == 0:
            print(f"{tried.total()} cases, {len(faults)} faults", flush=True)
    worker.stop()
    for name in tried:
        wrong = sum(one == name for one, _ in faults.values())
        print(f"{name:28} {tried[name]:6} cases, {refused[name]:6} refused, {wrong:4} faults")
    print(f"{sum(tried.values())} cases in {time.monotonic() - began:.0f} s, {len(faults)} faults")
    return faults


def main():
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seconds", type=float, default=0, help="stop after that time")
    parser.add_argument("--only", nargs="*", default=[], help="kinds whose name holds one of these words")
    parser.add_argument("--show", action="store_true", help="print where in the code each fault is")
    options = parser.parse_args()
    faults = run(options.first, options.cases, options.only, options.seconds)
    if options.show:
        for number, (name, fault) in faults.items():
            print(f"--- case {number}, {name}\n{fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
