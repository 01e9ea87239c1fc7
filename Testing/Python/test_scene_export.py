"""Maps of the scene as DICOM objects, by the code of the command export, on real MRML."""

import importlib.util
import unittest

import dicoms
import numpy as np
import scans
from reading import InFolderTest
from scenes import SceneTest

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.measure import measure
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files.archive import write_dicom
from TrabecularQSMLib.pipeline import Reconstruction
from TrabecularQSMLib.settings import Settings

NAMES = {1: "talus", 2: "my region"}


@unittest.skipUnless(importlib.util.find_spec("highdicom") and dicoms.pydicom, "needs highdicom and pydicom")
class ExportDicomTest(InFolderTest, SceneTest):
    def setUp(self):
        super().setUp()
        dicoms.Study(self.folder / "scan").write(scans.echoes(), {"mag": 3, "phase": 4})
        rng = np.random.default_rng(2)
        self.maps = {name: rng.random((4, 5, 6), np.float32) for name in ("chi", "r2star", "reliability", "mip")}
        result = Reconstruction(self.maps, Settings(), ())
        self.nodes = scene.addMapVolumes(result, scans.AFFINE, "sub 01")
        self.labels = np.zeros((4, 5, 6), np.uint16)
        self.labels[1:3, 1:3, 2:4], self.labels[3, 4, :] = 1, 2

    def write(self, folder, **options):
        return scene.exportDicom(self.nodes, self.folder / "scan", self.folder / folder, name="sub 01", **options)

    def test_the_files_are_those_of_the_command_line(self):
        drawn = scene.addSegmentation(self.labels, NAMES, scans.AFFINE, "drawn")
        told = []
        written = self.write("here", regions=drawn, progress=lambda fraction, message: told.append(fraction))
        self.assertEqual((told, told[-1]), (sorted(told), 1.0))
        rows = measure(self.maps, self.labels, NAMES, case="sub 01")
        shown = {name: self.maps[name] for name in ("chi", "r2star")}
        options = {"labels": self.labels, "names": NAMES, "rows": rows}
        expected = write_dicom(self.folder / "there", self.folder / "scan", "sub-01", shown, scans.AFFINE, **options)
        self.assertEqual([path.name for path in written], [path.name for path in expected])
        self.assertEqual(len(written), 4)
        for found, wanted in zip(written, expected, strict=True):
            found, wanted = map(dicoms.pydicom.dcmread, (found, wanted))
            for keyword in ("SOPInstanceUID", "PatientID", "StudyInstanceUID", "FloatPixelData", "PixelData"):
                self.assertEqual(found.get(keyword), wanted.get(keyword), keyword)

    def test_a_scan_from_dicom_knows_its_source(self):
        magnitude, _phase = scene.loadScan(self.folder / "scan")
        self.assertEqual(magnitude.GetAttribute("TrabecularQSM.DICOMSource"), str(self.folder / "scan"))
        scans.write_bids(self.folder / "bids")
        self.assertIsNone(scene.loadScan(self.folder / "bids")[0].GetAttribute("TrabecularQSM.DICOMSource"))

    def test_cancelled_it_leaves_no_file_and_moved_maps_are_refused(self):
        def cancel(fraction, message):
            if fraction > 0.5:
                raise Cancelled

        with self.assertRaises(Cancelled):
            self.write("nothing", progress=cancel)
        self.assertFalse((self.folder / "nothing").exists())
        self.nodes["r2star"].SetOrigin(1, 2, 3)
        with self.assertRaisesRegex(InputError, "sub 01 R2.* on different grids.*write the maps of one run"):
            self.write("moved")


if __name__ == "__main__":
    unittest.main()
