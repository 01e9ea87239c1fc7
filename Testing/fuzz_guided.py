"""Damage files as ``Testing/fuzz.py`` does, guided by what of the readers' code that reaches (atheris, libFuzzer).

It goes on until a reader raises something but `InputError`, hangs or takes too much memory; libFuzzer's options hold:

    pip install atheris
    python Testing/fuzz_guided.py -max_total_time=600 -timeout=20 -rss_limit_mb=1500
"""

import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "Python")]
with atheris.instrument_imports(include=["TrabecularQSMLib"]):
    import damage


def main():
    """Make the files, and let atheris choose damages."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        made, tried = Path(place, "made"), Path(place, "tried")
        made.mkdir()
        kinds = [kind for kind in damage.kinds(made) if not kind.foreign]

        def attempt(data):
            numbers = np.frombuffer(data[: len(data) // 2 * 2], np.uint16).tolist()
            if len(numbers) < 6:
                return
            number, victim, packed, *rest = numbers
            kind = kinds[number % len(kinds)]
            (tried / kind.name).mkdir(parents=True, exist_ok=True)
            kind.try_case(tried / kind.name, victim, packed, list(zip(*[iter(rest[:12])] * 3, strict=False)))

        atheris.Setup([*sys.argv, "-max_len=32"], attempt)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
