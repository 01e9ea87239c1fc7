"""Files of MATLAB: the authors', the ISMRM toolbox's and MEDI's."""

import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import scans
import scipy.io
import scipy.sparse
from reading import FolderTest

from TrabecularQSMLib.files import read_acquisition
from TrabecularQSMLib.files.matlab import read_variables

try:
    import h5py
except ImportError:  # 3D Slicer does not bring it
    h5py = None


class MatTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.signal = scans.echoes().transpose(3, 2, 1, 0)  # (i, j, k, echo)

    def write(self, name="scan.mat", **changes):
        values = {
            "signal": self.signal,
            "TE_s": np.array(scans.ECHO_TIMES),
            "centerFreq_Hz": 127.76e6,
            "fieldStrength_T": 3.0,
            "voxelSize_mm": np.array([0.7, 0.8, 1.5]),
            "orientation": "sag",
        }
        return self.save("ImDataParams", name, {**values, **changes})

    def write_toolbox(self, name="toolbox.mat", **changes):
        values = {
            "images": self.signal[:, :, :, None, :],
            "TE": np.array(scans.ECHO_TIMES),
            "FieldStrength": 1.5,
            "PrecessionIsClockwise": 1.0,
        }
        return self.save("imDataParams", name, {**values, **changes})

    def save(self, variable, name, values):
        path = self.folder / name
        scipy.io.savemat(path, {variable: {k: v for k, v in values.items() if v is not None}}, do_compression=True)
        return path

    def test_the_authors_struct_gives_signal_times_frequency_and_name(self):
        scan = read_acquisition(self.write(), session="2")
        np.testing.assert_array_equal(scan.acquisition.echoes, scans.echoes())
        np.testing.assert_array_equal(scan.acquisition.echo_times, scans.ECHO_TIMES)
        self.assertEqual(scan.acquisition.imaging_frequency, 127.76e6)
        self.assertEqual((scan.stem, scan.acquisition.notes), ("sub-01_ses-2", ()))

    def test_what_tells_of_a_scan_is_found_in_a_struct_beside_its_images(self):
        values = {"TE": np.array(scans.ECHO_TIMES), "CF": 127.74e6, "voxel_size": np.array([0.7, 0.8, 1.5])}
        scipy.io.savemat(self.folder / "a.mat", {"iField": self.signal.conj(), "params": values})
        files = [self.folder / "a.mat"]
        if h5py:
            files.append(self.folder / "b.mat")
            with h5py.File(files[1], "w") as file:
                turned = np.ascontiguousarray(self.signal.conj().T)
                file["iField"] = turned.view([("real", "f4"), ("imag", "f4")])
                for name, value in values.items():
                    file[f"params/{name}"] = np.atleast_2d(value).T
                file["older/iField"] = np.zeros((2, 2))
        for file in files:
            acquisition = read_acquisition(file).acquisition
            np.testing.assert_array_equal(acquisition.echoes, scans.echoes())
            np.testing.assert_array_equal(acquisition.echo_times, scans.ECHO_TIMES)
            self.assertEqual(acquisition.imaging_frequency, 127.74e6)
            np.testing.assert_allclose(acquisition.voxel_size, (1.5, 0.8, 0.7))
        # An image is never taken from elsewhere.
        scipy.io.savemat(self.folder / "a.mat", {"mag": np.abs(self.signal), "old": {"phase": np.angle(self.signal)}})
        self.assert_refused("holds mag but no phase of the echoes", path=self.folder / "a.mat")

    def test_the_orientation_gives_the_affine_centered_at_the_origin(self):
        # Directions of i, j, k from the permutation of the authors' code: sagittal x = −k, y = +j, z = −i in LPS.
        directions = {"sag": ("I", "P", "R"), "COR": ("I", "L", "P"), "Tra": ("P", "L", "S")}
        axes = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
        for orientation, letters in directions.items():
            with self.subTest(orientation):
                acquisition = read_acquisition(self.write(orientation=orientation)).acquisition
                for column, letter, size in zip(acquisition.affine[:3, :3].T, letters, (0.7, 0.8, 1.5), strict=True):
                    np.testing.assert_allclose(column, size * np.array(axes[letter]), atol=1e-12)
                center = acquisition.affine @ [2.5, 2, 1.5, 1]
                np.testing.assert_allclose(center[:3], 0, atol=1e-12)
        self.assert_refused("'oblique'", "sag, cor or tra", path=self.write(orientation="oblique"))

    def test_the_toolbox_struct_needs_a_voxel_size_and_says_how_its_axes_are_taken(self):
        self.assert_refused("toolbox.mat", "`voxel_size`", path=self.write_toolbox())
        acquisition = read_acquisition(self.write_toolbox(), voxel_size=(1, 2, 3), b0_direction=(0, 1, 0)).acquisition
        np.testing.assert_array_equal(acquisition.echoes, scans.echoes())
        self.assertEqual(acquisition.voxel_size, (3, 2, 1))
        self.assertEqual(acquisition.b0_direction, (0, 1, 0))
        self.assertIn("right, anterior, superior", acquisition.notes[0])
        stored = read_acquisition(self.write_toolbox(voxelSize=np.array([1.0, 2, 3]))).acquisition
        self.assertEqual(stored.voxel_size, (3, 2, 1))

    def test_images_without_coil_axis_are_read(self):
        path = self.write_toolbox(images=self.signal)
        np.testing.assert_array_equal(read_acquisition(path, voxel_size=(1, 1, 1)).acquisition.echoes, scans.echoes())

    def test_three_axes_are_the_echoes_of_one_slice(self):
        one = self.signal[:, :, 1, :]
        for path in (self.write(signal=one), self.write_toolbox(images=one)):
            acquisition = read_acquisition(path, voxel_size=None if path.name == "scan.mat" else (1, 1, 1)).acquisition
            np.testing.assert_array_equal(acquisition.echoes, scans.echoes()[:, 1:2])

    def test_a_struct_inside_another_struct_is_found(self):
        path = self.folder / "nested.mat"
        inner = scipy.io.loadmat(self.write())["ImDataParams"]
        scipy.io.savemat(path, {"study": {"name": "x", "first": {"ImDataParams": inner}}, "other": 1.0})
        np.testing.assert_array_equal(read_acquisition(path).acquisition.echoes, scans.echoes())
        scipy.io.savemat(path, {"study": {"name": "x"}})
        self.assert_refused("neither ImDataParams nor imDataParams", path=path)
        path = self.write_hdf5("study/first/ImDataParams")
        np.testing.assert_array_equal(read_acquisition(path).acquisition.echoes, scans.echoes())

    def test_several_structs_are_never_chosen_from_in_silence(self):
        path = self.folder / "two.mat"
        both = scipy.io.loadmat(self.write()) | scipy.io.loadmat(self.write_toolbox())
        scipy.io.savemat(path, {name: both[name] for name in ("ImDataParams", "imDataParams")})
        acquisition = read_acquisition(path).acquisition
        self.assertEqual(acquisition.field_strength, 3.0)
        self.assertIn("two.mat holds ImDataParams and imDataParams: the first is taken", acquisition.notes[0])

    def test_a_stage_that_needs_no_voxel_size_takes_one_and_says_so(self):
        acquisition = read_acquisition(self.write_toolbox(), grid_needed=False).acquisition
        self.assertEqual(acquisition.voxel_size, (1, 1, 1))
        self.assertTrue(any("cubes of 1 mm are taken" in note for note in acquisition.notes))

    def test_echo_times_given_win_over_those_of_the_struct_and_that_is_said(self):
        acquisition = read_acquisition(self.write(TE_s=None), echo_times=scans.ECHO_TIMES).acquisition
        np.testing.assert_array_equal(acquisition.echo_times, scans.ECHO_TIMES)
        self.assertEqual(acquisition.notes, ())
        acquisition = read_acquisition(self.write(TE_s=np.empty(0)), echo_times=scans.ECHO_TIMES).acquisition
        self.assertEqual(acquisition.notes, ())
        given = [2 * time for time in scans.ECHO_TIMES]
        acquisition = read_acquisition(self.write(), echo_times=given).acquisition
        np.testing.assert_array_equal(acquisition.echo_times, given)
        self.assertIn("1.2, 1.9", acquisition.notes[0])

    def test_precession_that_is_not_clockwise_conjugates(self):
        path = self.write_toolbox(PrecessionIsClockwise=-1.0)
        acquisition = read_acquisition(path, voxel_size=(1, 1, 1)).acquisition
        np.testing.assert_array_equal(acquisition.echoes, scans.echoes().conj())
        self.assertTrue(any("negated" in note for note in acquisition.notes))

    def test_several_coils_are_refused(self):
        path = self.write_toolbox(images=np.repeat(self.signal[:, :, :, None, :], 2, axis=3))
        self.assert_refused("2 coils", "combine", path=path)

    def test_wrong_structs_are_refused(self):
        cases = {
            "no field 'signal'": {"signal": None},
            "not complex": {"signal": np.abs(self.signal)},
            "3 axes": {"signal": self.signal[..., :3].sum(0)},
            "no echo times": {"TE_s": None},
            "last one of a 4-D file": {"signal": self.signal.transpose(3, 2, 1, 0)},
            "neither field strength nor imaging frequency": {"centerFreq_Hz": None, "fieldStrength_T": None},
            "three positive sizes": {"voxelSize_mm": np.array([1.0, 2.0])},
            "`voxel_size`": {"voxelSize_mm": None},
            "does not hold numbers": {"TE_s": "1.2 ms"},
        }
        for words, changes in cases.items():
            with self.subTest(words):
                self.assert_refused(words, "scan.mat", path=self.write(**changes))
        path = self.folder / "other.mat"
        scipy.io.savemat(path, {"x": 1.0})
        self.assert_refused("neither ImDataParams nor imDataParams", path=path)
        scipy.io.savemat(path, {"ImDataParams": 1.0})
        self.assert_refused("not one struct", path=path)

    def test_values_of_every_kind_are_those_that_were_written(self):
        rng = np.random.default_rng(2)
        kinds = "i1 u1 i2 u2 i4 u4 i8 u8 f4 f8 c8 c16".split()
        values = {f"a_{kind}": (100 * rng.random((2, 3, 4)) + 1).astype(kind) for kind in kinds}
        values |= {"yes": np.array([[True, False]]), "name": "Tubérosité µ", "empty": np.empty((0, 0))}
        values |= {"inner": {"x": 1.5, "deeper": {"y": np.arange(6.0).reshape(2, 3)}}}
        others = {"cell": np.array(["a", 1.0], object), "sparse": scipy.sparse.eye(3, format="csc"), "many": [1, 2]}
        for packed in (False, True):
            scipy.io.savemat(self.folder / "v.mat", {**values, **others}, do_compression=packed, oned_as="row")
            found = read_variables(self.folder / "v.mat")
            for name, expected in values.items():
                if isinstance(expected, np.ndarray):
                    np.testing.assert_array_equal(found[name], expected)
                    self.assertEqual(np.iscomplexobj(found[name]), np.iscomplexobj(expected))
            self.assertEqual(found["name"], "Tubérosité µ")
            self.assertEqual(found["inner"]["x"], 1.5)
            np.testing.assert_array_equal(found["inner"]["deeper"]["y"], values["inner"]["deeper"]["y"])
            self.assertEqual((found["cell"], found["sparse"]), (None, None))
            self.assertEqual(list(read_variables(self.folder / "v.mat", ["name"])), ["name"])
        flat = {f"a_{kind}": np.arange(6).reshape(2, 3).astype(kind) for kind in ("f8", "f4", "i4", "i2", "u2", "c16")}
        scipy.io.savemat(self.folder / "v.mat", flat, format="4")
        for name, array in read_variables(self.folder / "v.mat").items():
            np.testing.assert_array_equal(array, flat[name])

    def test_a_truncated_file_is_refused_by_name(self):
        path = self.write()
        content = path.read_bytes()
        for keep in (0, 60, 200, len(content) // 2, len(content) - 10):
            with self.subTest(keep=keep):
                path.write_bytes(content[:keep])
                self.assert_refused("scan.mat", "cut short" if keep else "is empty", path=path)

    def write_hdf5(self, variable="ImDataParams", source=None):
        """The struct of `write` as MATLAB 7.3 lays it out: axes reversed, complex as pairs, text as character codes."""
        if h5py is None:
            self.skipTest("h5py cannot be imported")
        values = read_variables(source or self.write())
        values = values.get("ImDataParams", values)
        path = self.folder / "new.mat"
        with h5py.File(path, "w", userblock_size=512) as file:
            for field, value in values.items():
                if isinstance(value, str):
                    codes = np.array([[ord(letter)] for letter in value], np.uint16)
                    file.create_dataset(f"{variable}/{field}", data=codes).attrs["MATLAB_class"] = np.bytes_("char")
                elif np.iscomplexobj(value):
                    pairs = np.dtype([("real", value.real.dtype), ("imag", value.real.dtype)])
                    file[f"{variable}/{field}"] = np.ascontiguousarray(value.T).view(pairs)
                else:
                    file[f"{variable}/{field}"] = value.T
        path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + path.read_bytes()[512:])
        return path

    def test_version_7_3_gives_the_same_scan(self):
        expected, found = (read_acquisition(path).acquisition for path in (self.write(), self.write_hdf5()))
        np.testing.assert_array_equal(found.echoes, expected.echoes)
        np.testing.assert_array_equal(found.echo_times, expected.echo_times)
        np.testing.assert_array_equal(found.affine, expected.affine)
        self.assertEqual(found.imaging_frequency, expected.imaging_frequency)

    def test_version_7_3_without_h5py_is_refused_with_the_way_out(self):
        path = self.write_hdf5()
        with mock.patch.dict("sys.modules", h5py=None):
            self.assert_refused("7.3", "pip install h5py", "-v7", path=path)

    def test_a_damaged_or_foreign_version_7_3_is_refused(self):
        path = self.write_hdf5(variable="SomethingElse")
        self.assert_refused("neither ImDataParams nor imDataParams", path=path)
        path = self.write_hdf5()
        path.write_bytes(path.read_bytes()[:2000])
        self.assert_refused("new.mat", "cut short", path=path)

    def write_medi(self, name="medi.mat", **changes):
        """MEDI's variables: its phase falls where the frequency is higher."""
        values = {
            "iField": self.signal.conj(),
            "TE": np.array(scans.ECHO_TIMES),
            "delta_TE": 0.7e-3,
            "CF": 127.76e6,
            "voxel_size": np.array([[0.7], [0.8], [1.5]]),
            "matrix_size": np.array(self.signal.shape[:3], float),
            "B0_dir": np.array([0.0, 0.6, 0.8]),
        }
        path, values = self.folder / name, {**values, **changes}
        scipy.io.savemat(path, {key: value for key, value in values.items() if value is not None}, do_compression=True)
        return path

    def test_medis_variables_are_a_scan_with_its_sign_undone_and_said(self):
        nested = self.folder / "nested.mat"
        scipy.io.savemat(nested, {"study": {"one": read_variables(self.write_medi())}})
        one = self.write_medi("one.mat", iField=self.signal[:, :, 1].conj(), matrix_size=None)
        hdf5 = [self.write_hdf5(place, self.write_medi()) for place in ("", "study")]
        for path in (self.write_medi(), nested, one, *hdf5):
            with self.subTest(path.name):
                acquisition = read_acquisition(path).acquisition
                expected = scans.echoes()[:, 1:2] if path == one else scans.echoes()
                np.testing.assert_array_equal(acquisition.echoes, expected)
                np.testing.assert_array_equal(acquisition.echo_times, scans.ECHO_TIMES)
                self.assertEqual(acquisition.imaging_frequency, 127.76e6)
                np.testing.assert_allclose(acquisition.voxel_size, (1.5, 0.8, 0.7))
                np.testing.assert_allclose(acquisition.b0_direction, (0.8, 0.6, 0))
                self.assertIn("negated", acquisition.notes[0])
                self.assertIn("B0_dir (0, 0.6, 0.8)", acquisition.notes[1])
        self.assertEqual(read_acquisition(path, b0_direction=(1, 0, 0)).acquisition.b0_direction, (0, 0, 1))
        notes = read_acquisition(self.write_medi(delta_TE=1.1e-3)).acquisition.notes
        self.assertIn("delta_TE of medi.mat is 1.1 ms, but its echo times lie 0.7 ms apart", notes[1])

    def test_magnitude_and_phase_as_plain_variables_are_a_scan(self):
        parts = {"magn": np.abs(self.signal), "phase": np.angle(self.signal) * 2048 / np.pi}
        path = self.write_medi(iField=None, voxel_size=None, voxelSize=[1.0, 1, 1], CF=None, B0=3.0, **parts)
        acquisition = read_acquisition(path).acquisition
        np.testing.assert_allclose(acquisition.echoes, scans.echoes(), atol=1e-3)
        self.assertEqual(acquisition.field_strength, 3)
        self.assertIn("rescaled to radians", acquisition.notes[0])

    def test_what_medis_variables_lack_is_asked_for(self):
        cases = {
            "`echo_times`": {"TE": None},
            "no echo times": {"TE": None, "delta_TE": None},
            "`voxel_size`": {"voxel_size": None},
            "`field_strength`": {"CF": None},
            "if it is in MHz": {"CF": 127.76},
            "not complex": {"iField": np.abs(self.signal)},
            "2 coils": {"iField": np.stack([self.signal] * 2, axis=4)},
            "interchanged": {"matrix_size": np.array([5.0, 6, 4])},
            "three numbers along x, y, z": {"B0_dir": np.zeros(3)},
            "no phase of the echoes": {"iField": None, "iMag": np.abs(self.signal)},
            "start from its local field": {"iField": None, "iMag": np.abs(self.signal), "RDF": np.ones((6, 5, 4))},
            "(but TE, delta_TE, CF": {"iField": None},
        }
        for words, changes in cases.items():
            with self.subTest(words):
                self.assert_refused(words, "medi.mat", path=self.write_medi(**changes))

    def test_both_in_vivo_scans_are_read_where_they_are_present(self):
        folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "ismrm2012"
        if not folder.is_dir():
            self.skipTest("the ISMRM 2012 scans are not here")
        for name, shape in (("16.mat", (5, 3, 208, 160)), ("17.mat", (3, 4, 101, 101))):
            acquisition = read_acquisition(folder / name, voxel_size=(1, 1, 3)).acquisition
            self.assertEqual(acquisition.echoes.shape, shape)


if __name__ == "__main__":
    unittest.main()
