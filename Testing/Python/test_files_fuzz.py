"""Whatever is wrong in a file, its reader says so in a sentence: 300 damaged files, of which ``make fuzz`` has more."""

import contextlib
import os
import shutil
import signal
import struct
import tempfile
import tracemalloc
import unittest
import zlib
from pathlib import Path
from unittest import mock

import damage
import dicoms
import numpy as np
import scans
from reading import InFolderTest

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import apart, dicom_series, nifti, read_acquisition
from TrabecularQSMLib.files.echoes import read_json
from TrabecularQSMLib.files.field import read_field
from TrabecularQSMLib.files.maps import read_chi_noise, read_settings
from TrabecularQSMLib.files.regions import read_regions
from TrabecularQSMLib.files.transforms import read_transform
from TrabecularQSMLib.files.writing import input_hashes, write_labels

try:
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
except ImportError:  # an extra package
    given = None

LIMIT_S = 30


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


class FoundTest(InFolderTest):
    """What was found by damaged files, and by looking for more of its kind."""

    def refused(self, read, name, content, *words):
        path = self.folder / name
        path.write_bytes(content)
        with ended_after(LIMIT_S), self.assertRaises(InputError) as caught:
            read(path)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_a_matlab_file_that_declares_more_than_it_holds_gets_no_room_for_it(self):
        # scipy asked for what was declared, or ended the process.
        head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
        matrix = struct.pack("<2I2I2I", 6, 8, 6, 0, 5, 8) + struct.pack("<2i", 2**30, 2**30)
        named = matrix + struct.pack("<2I", 1, 12) + b"ImDataParams\0\0\0\0"
        for element in (struct.pack("<2I", 14, 2**31) + matrix, struct.pack("<2I", 14, len(named)) + named):
            self.refused(read_acquisition, "x.mat", head + element, "damaged or cut short")
        packed = zlib.compress(struct.pack("<2I", 14, 2**31) + matrix)
        self.refused(read_acquisition, "y.mat", head + struct.pack("<2I", 15, len(packed)) + packed, "damaged")

    def test_a_library_that_ends_or_hangs_on_a_file_ends_and_hangs_alone(self):
        for code in ("import os; os.abort()", "import time; time.sleep(60)"):
            with mock.patch.multiple(apart, _CODE=code, _STARTING_S=0.5):
                self.refused(read_transform, "x.h5", b"\x89HDF\r\n\x1a\n", "does not come to its end")

    def test_lists_in_lists_without_an_end_are_no_json(self):
        for read in (read_json, read_settings):
            self.refused(read, "x.json", b'{"a":' * 100_000, "not usable JSON")
        (self.folder / "c.json").write_bytes(b"[" * 100_000)
        self.assertIsNone(read_chi_noise(self.folder / "c.nii.gz"))
        (self.folder / "c.json").write_text(f'{{"NoiseOfChi": {{"Voxels": [{10**400}], "VarianceRatio": [1]}}}}')
        with self.assertRaisesRegex(InputError, "how noise of χ averages"):
            read_chi_noise(self.folder / "c.nii.gz")

    def test_numbers_in_sidecars_that_no_float_holds_are_refused_or_left_out(self):
        def read(**values):
            folder = self.folder / "scan"
            sidecar = {"EchoTime": 0.001, "MagneticFieldStrength": 3, "ImagingFrequency": 127.74, **values}
            scans.write_bids(folder, sidecar=lambda n: {**sidecar, "EchoTime": 0.001 * n})
            return read_acquisition(folder)

        for values in ({"ImagingFrequency": 10**400}, {"MagneticFieldStrength": float("nan")},
                       {"B0DirectionRAS": "up"}, {"B0DirectionRAS": [0, 0, float("inf")]}):  # fmt: skip
            with self.subTest(values), self.assertRaises(InputError) as caught:
                read(**values)
            self.assertIn(next(iter(values)), str(caught.exception))
        scan = read(RepetitionTime=float("inf"), FlipAngle=5, SeriesNumber=float("inf"))
        self.assertEqual(scan.protocol, {"FlipAngle": 5})  # JSON has no infinity, so that no sidecar could hold it

    def test_a_field_in_hertz_at_no_field_is_refused(self):
        nifti.write_image(self.folder / "f.nii", np.ones((3, 3, 3), np.float32), np.eye(4))
        content = (self.folder / "f.nii").read_bytes()
        (self.folder / "f.json").write_text('{"Units": "Hz", "ImagingFrequency": 0}')
        self.refused(lambda path: read_field(path, "total"), "f.nii", content, "imaging frequency of 0 Hz")

    def test_voxel_axes_beyond_all_sizes_are_refused(self):
        header = b"ObjectType = Image\nNDims = 3\nDimSize = 1 1 1\nElementType = MET_UCHAR\nElementSpacing = %b\n"
        for sizes in (b"1 0 1", b"1e200 1 1", b"nan 1 1", b"1e-320 1 1"):
            content = header % sizes + b"ElementDataFile = LOCAL\n\1"
            self.refused(nifti.read_image, "x.mha", content, "its voxel axes span no volume")
        nifti.write_image(self.folder / "x.nii", np.ones((3, 3, 3), np.uint8), np.eye(4))
        content = bytearray((self.folder / "x.nii").read_bytes())
        struct.pack_into("<3f", content, 80, 1e-30, 1, 1)
        struct.pack_into("<2h", content, 252, 0, 0)
        self.refused(nifti.read_image, "x.nii", bytes(content), "its voxel axes span no volume")

    def test_a_header_finds_its_values_beside_it_and_nowhere_else(self):
        for name in ("..", "", "9" * 400, "/etc/", "../../"):
            content = f"NRRD0005\ntype: uchar\ndimension: 3\nsizes: 1 1 1\nencoding: raw\ndata file: {name}\n"
            self.refused(nifti.read_image, "x.nhdr", content.encode(), "is a header whose values are in")
        (self.folder / "up").mkdir()
        (self.folder / "v.raw").write_bytes(b"\1")
        content = "NRRD0005\ntype: uchar\ndimension: 3\nsizes: 1 1 1\nencoding: raw\ndata file: ../v.raw\n"
        self.refused(nifti.read_image, "up/x.nhdr", content.encode(), "up/v.raw does not exist")

    def test_names_of_labels_with_quotes_and_tabs_come_back(self):
        labels = np.arange(27, dtype=np.uint8).reshape(3, 3, 3) % 3
        write_labels(self.folder / "d", labels, np.eye(4), {1: '"5 mm" shell', 2: "a\tb"}, {})
        self.assertEqual(read_regions(self.folder / "d.nii.gz")[2], {1: '"5 mm" shell', 2: "a b"})

    def test_labels_and_segments_with_numbers_that_no_image_holds_are_refused(self):
        nifti.write_image(self.folder / "d.nii", np.ones((3, 3, 3), np.uint8), np.eye(4))
        (self.folder / "d.tsv").write_bytes(b"index\tname\n" + b"9" * 30 + b"\ttibia\n")
        with self.assertRaisesRegex(InputError, "d.tsv is not a table of labels"):
            read_regions(self.folder / "d.nii")
        content = b"NRRD0005\ntype: uchar\ndimension: 3\nsizes: 1 1 1\nencoding: raw\nSegment0_Name:=a\n"
        for field in (b"LabelValue", b"Layer"):
            segment = b"Segment0_" + field + b":=" + b"9" * 5000
            self.refused(read_regions, "s.seg.nrrd", content + segment + b"\n\n\1", "save the segmentation again")

    @unittest.skipUnless(hasattr(os, "mkfifo"), "there are no pipes with names on Windows")
    def test_nobody_waits_for_a_pipe(self):
        os.mkfifo(self.folder / "x")
        os.mkfifo(self.folder / "y.nii")
        with ended_after(LIMIT_S), self.assertRaises(InputError):
            read_acquisition(self.folder)

    def test_inputs_given_by_relative_and_absolute_names_are_hashed_together(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        for name in ("a.nii", "b.nii"):
            Path(name).write_bytes(b"x")
        self.assertEqual(list(input_hashes([Path("a.nii"), self.folder / "b.nii"])), ["a.nii", "b.nii"])


@unittest.skipUnless(dicoms.pydicom, "needs pydicom")
class FoundInDicomTest(InFolderTest):
    def setUp(self):
        super().setUp()
        dicoms.Study(self.folder).write(scans.echoes((2, 4, 5), 3), {"mag": 4, "phase": 5}, scans.ECHO_TIMES[:3])
        self.files = sorted(self.folder.iterdir())

    def test_a_slice_with_numbers_that_are_none_is_missing(self):
        content = self.files[0].read_bytes()
        at = content.index(b"\x20\x00\x32\x00DS") + 8  # ImagePositionPatient
        self.files[0].write_bytes(content[:at] + b"x" + content[at + 1 :])
        (found,) = dicom_series.find(self.files)
        with self.assertRaisesRegex(InputError, "slices? of the series"):
            dicom_series.read(found)

    def test_no_more_is_read_than_a_file_holds(self):
        content = self.files[0].read_bytes()
        at = content.index(b"OW\0\0") + 4
        self.files[0].write_bytes(content[:at] + struct.pack("<I", 2**32 - 2) + content[at + 4 :])
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        with self.assertRaises(InputError):
            dicom_series.read(dicom_series.find(self.files)[0])
        self.assertLess(tracemalloc.get_traced_memory()[1], 50e6)


if __name__ == "__main__":
    unittest.main()
