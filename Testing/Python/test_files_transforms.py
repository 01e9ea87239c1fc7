"""Transforms of ITK and of other programs."""

import struct
import unittest

import numpy as np
import SimpleITK as sitk
from reading import InFolderTest
from scans import AFFINE

from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.files.regions import regions_on
from TrabecularQSMLib.files.transforms import read_transform, write_transform
from TrabecularQSMLib.images import matrix_from

ARRAY = np.random.default_rng(3).integers(-900, 900, (4, 5, 6)).astype(np.int16)


class TransformTest(InFolderTest):
    TEXT = (
        "#Insight Transform File V1.0\nTransform: Euler3DTransform_double_3_3\nParameters: {}\nFixedParameters: 0 0 0\n"
    )

    def write(self, parameters, text=TEXT, name="t.tfm"):
        path = self.folder / name
        path.write_bytes(text.format(parameters).encode())
        return path

    def test_every_linear_transform_of_itk_is_read_as_itk_does(self):
        rng = np.random.default_rng(4)
        names = "AffineTransform ScaleTransform TranslationTransform Euler3DTransform VersorRigid3DTransform"
        names += " VersorTransform Similarity3DTransform ScaleVersor3DTransform ScaleSkewVersor3DTransform"
        kinds = [getattr(sitk, name)(*([] if "3D" in name or "Versor" in name else [3])) for name in names.split()]
        for transform in kinds:
            numbers = np.array(transform.GetParameters()) + 0.1 * rng.normal(size=len(transform.GetParameters()))
            transform.SetParameters(numbers.tolist())
            if transform.GetFixedParameters():
                transform.SetFixedParameters((*rng.normal(size=3), *transform.GetFixedParameters()[3:]))
        for transform in (*kinds, sitk.CompositeTransform(list(kinds))):
            for ending in ("tfm", "mat", "h5"):
                if ending == "mat" and transform.GetName() == "CompositeTransform":
                    continue  # ITK writes none
                if ending == "h5" and transform.GetName() not in ("CompositeTransform", "Euler3DTransform"):
                    continue  # a process for each takes its time
                with self.subTest(transform.GetName(), ending=ending):
                    path = str(self.folder / f"t.{ending}")
                    sitk.WriteTransform(transform, path)
                    np.testing.assert_allclose(read_transform(path), matrix_from(transform), atol=1e-9)

    def test_a_transform_that_mirrors_is_told(self):
        nifti.write_image(self.folder / "d.nii", np.ones(ARRAY.shape, np.uint8), np.eye(4))
        affine = np.diag([-1.0, 1, 1, 1])
        affine[0, 3] = 5
        for matrix, count in ((np.eye(4), 0), (affine, 1)):
            write_transform(self.folder / "t.tfm", matrix)
            path = self.folder / "d.nii"
            notes = regions_on(path, path, ARRAY.shape, np.eye(4), transform=self.folder / "t.tfm")[2]
            self.assertEqual([note.partition(", as")[0][-7:] for note in notes], count * ["mirrors"])

    def test_regions_of_another_grid_without_a_transform_are_told_and_turned_axes_are_the_same_grid(self):
        path, turned = self.folder / "d.nii", np.array([[0.0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        for affine, told in ((np.eye(4), False), (turned, False), (turned + 0.5 * np.eye(4, k=3), True)):
            nifti.write_image(path, np.ones(ARRAY.shape, np.uint8), affine)
            notes = regions_on(path, path, ARRAY.shape, np.eye(4), may_have_moved=True)[2]
            self.assertEqual("no transform was given" in " ".join(notes), told)

    def test_a_transform_that_stretches_is_told_also_where_volumes_stay(self):
        path, table = self.folder / "d.nii", self.folder / "t.tfm"
        nifti.write_image(path, np.ones(ARRAY.shape, np.uint8), np.eye(4))
        write_transform(table, np.diag([2, 0.5, 1, 1]))
        notes = regions_on(path, path, ARRAY.shape, np.eye(4), transform=table)[2]
        self.assertIn("is not rigid: it stretches by 0.5 to 2, and volumes by 1", notes[0])

    def test_transforms_of_other_programs_are_called_so_and_a_mark_before_text_does_not_matter(self):
        for words, text in (
            ("FSL", "1 0 0 2.5\n0 1 0 -3e-1\n0 0 1 0\n0 0 0 1\n"),
            ("elastix", '(Transform "EulerTransform")\n(NumberOfParameters 6)\n'),
            ("FreeSurfer", "type      = 1\nnxforms   = 1\n"),
            ("MINC", "MNI Transform File\n"),
        ):
            for name in ("t.mat", "t.txt"):
                self.refused(read_transform, self.write("", text, name), f"is a transform of {words}", "not of ITK")
        path = self.write("0.1 0.2 0.3 1 2 3")
        matrix = read_transform(path)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        np.testing.assert_array_equal(read_transform(path), matrix)

    def test_what_would_end_itk_is_refused_by_its_cause(self):
        good = "0.1 0.2 0.3 1 2 3"
        self.assertEqual(read_transform(self.write(good)).shape, (4, 4))
        for words, parameters, text in (
            ("no text", "0\0\0 0 0 0 0 0", self.TEXT),
            ("not all Parameters are numbers", "0 0 x 0 0 0", self.TEXT),
            ("not all Parameters are numbers", "0 0 nan 0 0 0", self.TEXT),
            ("has 5 parameters, not 6", "0 0 0 0 0", self.TEXT),
            ("has 0 parameters", "", self.TEXT),
            ("BSplineTransform", good, self.TEXT.replace("Euler3DTransform", "BSplineTransform")),
            ("not a linear transform in three", good, self.TEXT.replace("3_3", "2_2")),
            ("holds 2 transforms", good, self.TEXT + self.TEXT.partition("\n")[2].replace("{}", good)),
            ("holds 0 transforms", "", "#Insight Transform File V1.0\n"),
            ("the line 'Parameters", good, "#Insight Transform File V1.0\nParameters: {}\n"),
            ("a web page", "", "<html></html>"),
        ):
            with self.subTest(words):
                self.refused(read_transform, self.write(parameters, text), "t.tfm", words)
        self.refused(read_transform, self.write("", "MATLAB"), "cannot be read as a transform")
        self.refused(read_transform, self.write("", "MATLAB", "t.mat"), "cannot be read as a transform")
        path = self.folder / "large.mat"
        # MATLAB 4: type, rows, columns, no imaginary part, length of the name; 2⁶⁰ bytes of numbers that are not there.
        path.write_bytes(struct.pack("<5i", 0, 2**30 - 1, 2**27, 0, 6) + b"fixed\0")
        self.refused(read_transform, path, "cannot be read as a transform")
        image = self.folder / "x.nii"
        nifti.write_image(image, ARRAY, AFFINE)
        self.refused(read_transform, image, "it is an image in NIfTI")


if __name__ == "__main__":
    unittest.main()
