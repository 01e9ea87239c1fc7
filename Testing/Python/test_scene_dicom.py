"""DICOM files as the module DICOM gives them to the plugin, examined and loaded on real MRML."""

import unittest

import dicoms
import numpy as np
import scans
from reading import InFolderTest
from scenes import SceneTest

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import InputError


@unittest.skipIf(dicoms.pydicom is None, "pydicom is not installed")
class DicomScanTest(InFolderTest, SceneTest):
    def setUp(self):
        super().setUp()
        self.signal = scans.echoes((3, 6, 7))
        self.count = 0

    def series(self, vendor="siemens", parts=None, enhanced=False, signal=None, **changes):
        """Write a study and return its files, one list for each series."""
        self.count += 1
        parts = parts or {"mag": 5, "phase": 6}
        study = dicoms.Study(self.folder / str(self.count), vendor)
        lists = []
        for number in sorted(set(parts.values())):
            before = set(study.folder.iterdir())
            chosen = {part: its_number for part, its_number in parts.items() if its_number == number}
            study.write(self.signal if signal is None else signal, chosen, enhanced=enhanced, **changes)
            lists.append(sorted(str(path) for path in set(study.folder.iterdir()) - before))
        return lists

    def test_a_study_is_one_scan_classic_and_enhanced_of_every_vendor(self):
        for vendor, parts in (
            ("siemens", {"mag": 5, "phase": 6}),
            ("philips", {"mag": 5, "phase": 5}),
            ("ge", {"real": 5, "imag": 5}),
        ):
            for enhanced in (False, True):
                with self.subTest(vendor, enhanced=enhanced):
                    lists = self.series(vendor, parts, enhanced)
                    found, *others = scene.examineDicom(lists)
                    self.assertEqual(len(others), len(lists) - 1)
                    self.assertEqual(sorted(found.files), sorted(file for files in lists for file in files))
                    self.assertIn("4 echoes (1.2, 1.9, 2.6, 3.3 ms)", found.tooltip)
                    self.assertEqual(found.warning, "")
                    self.check(scene.loadDicomScan(found.files, found.name))

    def check(self, nodes):
        found = scene.acquisitionFromSequences(nodes.magnitudeSequence, nodes.phaseSequence)
        expected = scans.acquisition(echoes=self.signal)
        np.testing.assert_allclose(found.echo_times, scans.ECHO_TIMES)
        np.testing.assert_allclose(found.imaging_frequency, 127.74e6)
        self.assertEqual(found.b0_patient, (0, 0, 1))
        mine, wanted = found.reorientation, expected.reorientation
        np.testing.assert_allclose(mine.apply_affine(found.affine), wanted.apply_affine(expected.affine), atol=1e-4)
        difference = np.abs(mine.apply(found.echoes) / 10 - wanted.apply(self.signal))
        self.assertLess(difference.max(), 0.6)  # of some 100: the phase has 12 bits
        self.assertIsNotNone(nodes.browser.GetProxyNode(nodes.magnitudeSequence))

    def test_what_is_no_multi_echo_scan_with_phase_is_not_offered(self):
        self.assertEqual(scene.examineDicom(self.series(parts={"mag": 5})), [])
        self.assertEqual(scene.examineDicom(self.series(signal=self.signal[:2])), [])
        (magnitude, _phase) = self.series()
        self.assertEqual(scene.examineDicom([magnitude]), [])
        self.assertEqual(scene.examineDicom([]), [])

    def test_several_scans_are_offered_each_on_its_own(self):
        lists = self.series(parts={"mag": 5, "phase": 6}) + self.series(parts={"mag": 5, "phase": 6}, protocol="other")
        found = scene.examineDicom(lists)
        names = ["5+6: ankle multi-echo scan"] * 2 + ["5+6: other multi-echo scan"] * 2
        self.assertEqual([one.name for one in found], names)
        for one in found:
            self.check(scene.loadDicomScan(one.files, one.name))

    def test_a_scan_of_two_series_is_offered_for_each_and_loaded_once(self):
        lists = self.series()
        found = scene.examineDicom(lists)
        self.assertEqual([one.files[0] in files for one, files in zip(found, lists, strict=True)], [True, True])
        self.assertEqual(sorted(found[0].files), sorted(found[1].files))
        self.assertIsNone(scene.loadedDicomScan(found[0].files))
        nodes = [scene.loadDicomScan(one.files, one.name) for one in found]
        self.assertEqual(*([node.GetID() for node in one] for one in nodes))
        for node in reversed(nodes[0]):
            self.scene.RemoveNode(node)
        self.assertIsNone(scene.loadedDicomScan(found[0].files))

    def test_missing_slices_are_told_before_loading_and_nothing_is_left(self):
        magnitude, phase = self.series()
        found = scene.examineDicom([magnitude[1:], phase])[0]
        self.assertIn("1 slice of", found.warning)
        before = self.node_ids()
        with self.assertRaisesRegex(InputError, "not in the same place, for every echo and part"):
            scene.loadDicomScan(found.files, found.name)
        self.assertEqual(self.node_ids(), before)

    def test_a_loaded_scan_knows_the_direction_of_b0(self):
        found, _ = scene.examineDicom(self.series(PatientPosition="LFP"))
        nodes = scene.loadDicomScan(found.files, found.name)
        self.assertEqual(scene.scanValues(nodes.magnitudeSequence)[2], (1, 0, 0))


if __name__ == "__main__":
    unittest.main()
