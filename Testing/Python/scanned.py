"""DICOM folders of a small scan, by the conventions of three vendors."""

import unittest

import dicoms
import numpy as np
import scans
from reading import InFolderTest

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import read_acquisition

# Vendor, part to series number, enhanced.
KINDS = {
    "siemens": ("siemens", {"mag": 5, "phase": 6}, False),
    "philips": ("philips", {"mag": 5, "phase": 5}, False),
    "philips real": ("philips", {"real": 5, "imag": 5}, False),
    "ge": ("ge", {"mag": 5, "phase": 5, "real": 5, "imag": 5}, False),
    "ge real": ("ge", {"real": 5, "imag": 5}, False),
    "siemens enhanced": ("siemens", {"mag": 5, "phase": 6}, True),
    "philips enhanced": ("philips", {"mag": 5, "phase": 5}, True),
    "philips enhanced real": ("philips", {"real": 5, "imag": 5}, True),
    "ge enhanced": ("ge", {"real": 5, "imag": 5}, True),
}


@unittest.skipIf(dicoms.pydicom is None, "pydicom is not installed")
class DicomTest(InFolderTest):
    def setUp(self):
        super().setUp()
        self.signal = scans.echoes((4, 20, 24))

    def write(self, kind, folder="in", **changes):
        vendor, parts, enhanced = KINDS[kind]
        study = dicoms.Study(self.folder / folder, vendor)
        study.write(self.signal, parts, enhanced=enhanced, **changes)
        return study

    def assert_refused(self, *words, path=None, **options):
        with self.assertRaises(InputError) as caught:
            read_acquisition(path or self.folder, **options)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def assert_same_scan(self, acquisition, signal=None, parts=("mag", "phase")):
        """Equal in space, whatever the order and direction of the axes, but for the rounding to whole numbers."""
        expected = scans.acquisition(echoes=self.signal if signal is None else signal)
        found, wanted = acquisition.reorientation, expected.reorientation
        np.testing.assert_allclose(
            found.apply_affine(acquisition.affine), wanted.apply_affine(expected.affine), atol=1e-4
        )
        ratio = found.apply(acquisition.echoes) / wanted.apply(expected.echoes)
        bright = np.abs(wanted.apply(expected.echoes)) > 50
        np.testing.assert_allclose(np.abs(ratio[bright]), 10, rtol=3e-3)
        np.testing.assert_allclose(np.angle(ratio[bright]), 0, atol=2e-3)
        np.testing.assert_allclose(acquisition.echo_times, scans.ECHO_TIMES)
        np.testing.assert_allclose((acquisition.field_strength, acquisition.imaging_frequency), (3, 127.74e6))
