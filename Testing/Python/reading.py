"""A folder whose files are read."""

import shutil
import tempfile
import unittest
from pathlib import Path

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import read_acquisition


class FolderTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def assert_refused(self, *words, path=None, **options):
        with self.assertRaises(InputError) as caught:
            read_acquisition(path or self.folder, **options)
        for word in words:
            self.assertIn(word, str(caught.exception))
