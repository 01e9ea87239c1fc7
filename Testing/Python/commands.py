"""The command line called in the process of the tests."""

import contextlib
import io
from pathlib import Path

import numpy as np
from reading import InFolderTest

from TrabecularQSMLib import cli
from TrabecularQSMLib.pipeline import Reconstruction


def run(*arguments):
    """Exit code, stdout and stderr of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
    return code, out.getvalue(), err.getvalue()


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def stub(acquisition, settings, **_):
    """In the place of pipeline.reconstruct: maps of the right shape."""
    maps = {name: np.ones(acquisition.shape, np.float32) for name in ("chi", "mask")}
    return Reconstruction(maps, settings, (*acquisition.notes, "a note"))


class CommandLineTest(InFolderTest):
    def setUp(self):
        super().setUp()
        self.scan, self.output = self.folder / "scan", self.folder / "out"

    def assert_refused(self, *words, code=2, arguments=(), command="reconstruct"):
        """The command ends with one sentence on stderr and writes nothing."""
        there = files(self.folder)
        found, out, err = run(command, *(arguments or (self.scan, self.output)))
        self.assertEqual(found, code, err)
        self.assertEqual(out, "")
        sentence = err.strip().splitlines()[-1]
        for word in words:
            self.assertIn(word, sentence)
        self.assertTrue(sentence.startswith("trabecular-qsm: ") and sentence.endswith("."), sentence)
        self.assertEqual(files(self.folder), there)
        self.assertFalse(self.output.exists() and not any(f.startswith("out/") for f in there))
