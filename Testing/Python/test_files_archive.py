"""Results as DICOM: read back by pydicom and by the converters that Slicer's readers use, equal to the last digit."""

import contextlib
import importlib.util
import io
import json
import shutil
import subprocess
import sysconfig
import unittest
from pathlib import Path

import dicoms
import numpy as np
import scans
import SimpleITK as sitk
from reading import InFolderTest

from TrabecularQSMLib import cli
from TrabecularQSMLib.acquisition import Acquisition
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import read_acquisition
from TrabecularQSMLib.files.archive import write_dicom
from TrabecularQSMLib.files.mr_images import write_study
from TrabecularQSMLib.files.nifti import write_image

MAPS = {
    "chi": np.linspace(-1, 2, 120, dtype=np.float32).reshape(4, 5, 6),
    "r2star": np.geomspace(1e-3, 900, 120).astype(np.float32).reshape(4, 5, 6),
}
NAMES = {2: "talus", 5: "my region"}


@unittest.skipUnless(importlib.util.find_spec("highdicom") and dicoms.pydicom, "needs highdicom and pydicom")
class ArchiveTest(InFolderTest):
    def setUp(self):
        super().setUp()
        self.study = dicoms.Study(self.folder / "scan")
        self.study.write(scans.echoes(), {"mag": 3, "phase": 4})
        self.output = self.folder / "archive"
        self.labels = np.zeros((4, 5, 6), np.int16)
        self.labels[1:3, 1:3, 2:4], self.labels[3, 4, :] = 2, 5

    def write(self, maps=MAPS, affine=scans.AFFINE, **options):
        return write_dicom(self.output, self.folder / "scan", "sub-01", maps, affine, **options)

    def dataset(self, name):
        return dicoms.pydicom.dcmread(self.output / name)

    def converted(self, program, name, folder="read"):
        """What one of dcmqi's programs makes of a file: its folder."""
        path = Path(sysconfig.get_path("scripts")) / program
        if not path.exists():
            self.skipTest("needs dcmqi")
        folder = self.folder / folder
        folder.mkdir()
        outputs = ["--outputDirectory", folder, "--outputType", "nii"]
        command = [path, "--inputDICOM", self.output / name, *outputs]
        result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return folder

    def test_maps_are_float32_in_their_unit_and_the_patients_study(self):
        written = self.write()
        self.assertEqual([path.name for path in written], ["sub-01_chi.dcm", "sub-01_r2star.dcm"])
        dataset = self.dataset("sub-01_chi.dcm")
        values = np.frombuffer(dataset.FloatPixelData, np.float32).reshape(4, 5, 6)
        inverse = np.linalg.inv(scans.AFFINE)
        for frame, groups in zip(values, dataset.PerFrameFunctionalGroupsSequence, strict=True):
            position = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float) * (-1, -1, 1)
            index = inverse @ [*position, 1]
            np.testing.assert_allclose(index[:2], 0, atol=1e-4)
            np.testing.assert_array_equal(frame, MAPS["chi"][round(index[2])])
        self.assertEqual((dataset.PatientID, dataset.StudyInstanceUID), ("T1", self.study.study))
        self.assertEqual(dataset.FrameOfReferenceUID, self.study.frame)
        groups = [dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence[0]]
        mapping = next(g.RealWorldValueMappingSequence[0] for g in groups if "RealWorldValueMappingSequence" in g)
        self.assertEqual(mapping.MeasurementUnitsCodeSequence[0].CodeValue, "[ppm]")

    def test_slicers_converter_reads_maps_back_to_the_last_digit_where_they_lie(self):
        for number, turn in enumerate(np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])):
            self.affine = scans.AFFINE @ np.diag([1.0, *turn, 1.0])
            scan = self.folder / f"scan {number}"
            dicoms.Study(scan, affine=self.affine).write(scans.echoes(), {"mag": 3})
            self.output = self.folder / f"archive {number}"
            write_dicom(self.output, scan, "sub-01", MAPS, self.affine)
            folder = self.converted("paramap2itkimage", "sub-01_r2star.dcm", f"read {number}")
            self.assert_same(sitk.ReadImage(str(next(folder.glob("*.nii*")))), MAPS["r2star"])

    def assert_same(self, image, expected):
        """Whether every voxel of `expected` has its value at its place, whatever the order of the image's axes."""
        for index in ((0, 0, 0), (3, 4, 5), (1, 3, 2)):
            point = (self.affine @ [*index[::-1], 1])[:3] * (-1, -1, 1)  # ITK is in LPS
            there = image.TransformPhysicalPointToContinuousIndex(point.tolist())
            np.testing.assert_allclose(there, np.round(there), atol=2e-3)
            self.assertEqual(image[np.round(there).astype(int).tolist()], expected[index])

    def test_regions_and_their_statistics_are_read_back(self):
        rows = [
            {"region": "talus", "quantity": "chi", "unit": "ppm", "mean": -0.1234567, "sd": 0.5, "se": 0.01},
            {"region": "my region", "quantity": "attenuation", "unit": "HU", "mean": 321.5, "sd": None},
        ]
        self.write(labels=self.labels, names=NAMES, rows=rows)
        folder = self.converted("segimage2itkimage", "sub-01_regions.dcm")
        found = sum(
            int(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(bool).sum()) for path in folder.glob("*.nii*")
        )
        self.assertEqual(found, np.count_nonzero(self.labels))
        described = json.loads(next(folder.glob("*.json")).read_text(encoding="utf-8"))
        labels = {one["SegmentLabel"] for some in described["segmentAttributes"] for one in some}
        self.assertEqual(labels, set(NAMES.values()))
        import highdicom

        report = highdicom.sr.srread(self.output / "sub-01_measurements.dcm")
        groups = report.content.get_volumetric_roi_measurement_groups()
        self.assertEqual([group.tracking_identifier for group in groups], ["talus", "my region"])
        values = {(m.name.meaning, m.derivation.meaning): m.value for m in groups[0].get_measurements()}
        self.assertEqual(values["Magnetic Susceptibility", "Mean"], -0.1234567)
        self.assertEqual(len(values), 3)

    def test_an_enhanced_file_serves_as_source(self):
        shutil.rmtree(self.folder / "scan")
        dicoms.Study(self.folder / "scan", "philips").write(scans.echoes(), {"mag": 3}, enhanced=True)
        self.write(labels=self.labels, names=NAMES)
        self.assertEqual(self.dataset("sub-01_regions.dcm").PatientID, "T1")

    def test_plain_images_hold_the_values_within_half_a_step(self):
        self.write(plain=True)
        images = [dicoms.pydicom.dcmread(path) for path in sorted((self.output / "sub-01_chi_images").iterdir())]
        values = np.stack([image.pixel_array * float(image.RescaleSlope) for image in images])
        np.testing.assert_allclose(values, MAPS["chi"], atol=0.51 * float(images[0].RescaleSlope))
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(self.output / "sub-01_chi_images")))
        image = reader.Execute()
        self.assertEqual(image.GetSize(), (6, 5, 4))

    def test_the_same_result_is_the_same_object(self):
        self.write()
        first = self.dataset("sub-01_chi.dcm").SOPInstanceUID
        shutil.rmtree(self.output)
        self.write()
        self.assertEqual(self.dataset("sub-01_chi.dcm").SOPInstanceUID, first)
        shutil.rmtree(self.output)
        self.write(maps={"chi": MAPS["chi"] + 1})
        self.assertNotEqual(self.dataset("sub-01_chi.dcm").SOPInstanceUID, first)

    def test_a_damaged_distance_of_slices_in_the_source_does_not_matter(self):
        for path in (self.folder / "scan").rglob("*"):
            if path.is_file():
                dataset = dicoms.pydicom.dcmread(path)
                dataset.add_new("SpacingBetweenSlices", "LO", "no")  # by another kind of value it can be written
                dataset.save_as(path)
        self.write()
        measures = self.dataset("sub-01_chi.dcm").SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        self.assertAlmostEqual(float(measures.SpacingBetweenSlices), np.linalg.norm(scans.AFFINE[:3, 2]), places=5)

    def test_another_place_another_study_and_no_dicom_are_refused(self):
        moved = scans.AFFINE.copy()
        moved[:3, 3] += 3.3
        with self.assertRaisesRegex(InputError, "do not lie where the images of"):
            self.write(affine=moved)
        dicoms.Study(self.folder / "scan" / "other").write(scans.echoes(), {"mag": 5})
        with self.assertRaisesRegex(InputError, "holds 2 studies"):
            self.write()
        with self.assertRaisesRegex(InputError, "holds no DICOM image"):
            write_dicom(self.output, self.folder / "none", "sub-01", MAPS, scans.AFFINE)
        self.assertFalse(self.output.exists())

    def test_the_command_writes_what_it_names(self):
        anat = self.folder / "maps" / "sub-01" / "anat"
        anat.mkdir(parents=True)
        write_image(anat / "sub-01_Chimap.nii.gz", MAPS["chi"], scans.AFFINE)
        write_image(self.folder / "regions.nii.gz", self.labels, scans.AFFINE)
        arguments = ["export", self.folder / "maps", "--dicom", self.folder / "scan", "--output", self.output]
        arguments += ["--regions", self.folder / "regions.nii.gz"]
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(cli.main([*map(str, arguments)]), 0)
        names = sorted(path.name for path in self.output.iterdir())
        self.assertEqual(names, ["sub-01_chi.dcm", "sub-01_measurements.dcm", "sub-01_regions.dcm"])
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(cli.main([*map(str, arguments), "--only", "pdff"]), 2)


@unittest.skipUnless(importlib.util.find_spec("dcm2niix") and dicoms.pydicom, "needs dcm2niix and pydicom")
class StudyTest(InFolderTest):
    def setUp(self):
        super().setUp()
        self.scan = Acquisition(scans.echoes(), scans.ECHO_TIMES, scans.AFFINE, field_strength=3.0)

    def headers(self, folder):
        return [dicoms.pydicom.dcmread(path) for path in sorted((self.folder / folder).rglob("*.dcm"))]

    def test_a_scan_is_read_back_within_half_a_step_of_16_bits(self):
        write_study(self.folder / "scan", self.scan, "07")
        back = read_acquisition(self.folder / "scan").acquisition
        aligned = self.scan.reorientation.apply(self.scan.echoes), back.reorientation.apply(back.echoes)
        np.testing.assert_allclose(*aligned, atol=2e-4 * np.abs(self.scan.echoes).max())
        np.testing.assert_allclose(back.echo_times, self.scan.echo_times)
        grids = [one.reorientation.apply_affine(one.affine) for one in (self.scan, back)]
        np.testing.assert_allclose(*grids, atol=1e-4)
        self.assertEqual((back.field_strength, back.notes), (3.0, ()))

    def test_identifiers_follow_from_patient_and_scan(self):
        for folder, subject in (("a", "07"), ("b", "07"), ("c", "08")):
            write_study(self.folder / folder, self.scan, subject)
        a, b, c = ([one.SOPInstanceUID for one in self.headers(folder)] for folder in "abc")
        self.assertEqual(a, b)
        self.assertEqual(len(set(a)), len(a))
        self.assertFalse(set(a) & set(c))
        self.assertEqual(len({one.StudyInstanceUID for one in self.headers("a")}), 1)
        with self.assertRaisesRegex(InputError, "already holds mag"):
            write_study(self.folder / "a", self.scan, "07")


if __name__ == "__main__":
    unittest.main()
