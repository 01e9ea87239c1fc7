"""Whatever is wrong in a file, its reader says so in a sentence: 300 damaged files, of which ``make fuzz`` has more."""

import contextlib
import shutil
import signal
import tempfile
import unittest
from pathlib import Path

import damage

try:
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
except ImportError:  # an extra package
    given = None

LIMIT_S = 10


@contextlib.contextmanager
def ended_after(seconds):
    """Raise TimeoutError in what hangs, where the system has alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def end(*_):
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class FuzzTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        made = cls.folder / "made"
        made.mkdir()
        # A process for each file takes its time: ``make fuzz`` tries these too.
        cls.kinds = [kind for kind in damage.kinds(made) if not kind.foreign]

    def place(self, kind):
        folder = self.folder / kind.name
        folder.mkdir(exist_ok=True)
        return folder

    def test_whole_files_are_read(self):
        for kind in self.kinds:
            with self.subTest(kind.name):
                self.assertFalse(kind.try_case(self.place(kind), 0, 0, []))

    def test_damaged_files_end_in_a_sentence_or_are_read(self):
        if given is None:
            self.skipTest("hypothesis cannot be imported")
        self.refused = 0
        number = st.integers(0, damage.LARGEST - 1)

        @settings(max_examples=300, derandomize=True, deadline=None, database=None,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(
            st.sampled_from(self.kinds),
            number,
            number,
            st.lists(st.tuples(number, number, number), min_size=1, max_size=4),
        )
        def attempt(kind, victim, packed, damages):
            with ended_after(LIMIT_S):
                self.refused += kind.try_case(self.place(kind), victim, packed, damages)

        attempt()
        self.assertGreater(self.refused, 100)


if __name__ == "__main__":
    unittest.main()
