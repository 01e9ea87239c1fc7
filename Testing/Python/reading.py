"""A folder whose files are read, and series as converters write them."""

import shutil
import struct
import tempfile
import unittest
from pathlib import Path

import numpy as np
import scans
import SimpleITK as sitk

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import read_acquisition

IMAGE_TYPES = {
    "mag": ["ORIGINAL", "PRIMARY", "M", "ND"],
    "phase": ["ORIGINAL", "PRIMARY", "P", "ND"],
    "real": ["ORIGINAL", "PRIMARY", "R_FFE", "R", "FFE"],
    "imag": ["ORIGINAL", "PRIMARY", "I_FFE", "I", "FFE"],
}
ENDINGS = {"mag": "", "phase": "_ph", "real": "_real", "imag": "_imaginary"}
CONVERT = {"mag": np.abs, "phase": np.angle, "real": np.real, "imag": np.imag}


def write_series(path, volumes, kind=np.float32):
    """Write volumes along the fourth axis of a plain NIfTI file, with the affine of the tests, which ITK drops."""
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(one.astype(kind)) for one in volumes]), str(path))
    content = bytearray(Path(path).read_bytes())
    struct.pack_into("<2h", content, 252, 0, 1)
    struct.pack_into("<12f", content, 280, *scans.AFFINE[:3].ravel())
    struct.pack_into("<3f", content, 80, *np.linalg.norm(scans.AFFINE[:3, :3], axis=0))
    Path(path).write_bytes(content)


class InFolderTest(unittest.TestCase):
    """Has a folder of its own, which goes with the test."""

    def setUp(self):
        super().setUp()  # of another class that a test inherits beside
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def refused(self, read, path, *words):
        with self.assertRaises(InputError) as caught:
            read(path)
        for word in words:
            self.assertIn(word, str(caught.exception))


class FolderTest(InFolderTest):
    def read(self, path=None, **options):
        return read_acquisition(path or self.folder, **options)

    def assert_refused(self, *words, path=None, **options):
        with self.assertRaises(InputError) as caught:
            self.read(path, **options)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def assert_same_scan(self, acquisition, signal=None, times=scans.ECHO_TIMES):
        np.testing.assert_allclose(acquisition.echoes, scans.echoes() if signal is None else signal, rtol=0, atol=1e-3)
        np.testing.assert_allclose(acquisition.echo_times, times)
        np.testing.assert_allclose(acquisition.affine, scans.AFFINE, atol=1e-5)
        self.assertEqual(acquisition.field_strength, 3.0)
