"""One object seen twice, as two volumes of a scene, with a known transform between them."""

from unittest import mock

import numpy as np
from scenes import SceneTest, slicer
from scipy import ndimage

from TrabecularQSMLib.analysis.agreement import largest_displacement
from TrabecularQSMLib.images import resample
from TrabecularQSMLib.scene import registration
from TrabecularQSMLib.scene.registration import pointsBetween
from TrabecularQSMLib.scene.volumes import newVolume

FIXED_SHAPE, MOVING_SHAPE = (30, 32, 34), (20, 36, 40)


def rigid(angles_degrees, shift):
    matrix = np.eye(4)
    for axis, angle in enumerate(np.radians(angles_degrees)):
        turn = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix[:3, :3] = turn @ matrix[:3, :3]
    matrix[:3, 3] = shift
    return matrix


def scaled(spacing, origin):
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


# Takes points of the fixed image to those of the moving image.
TRUTH = rigid((4, -6, 5), (7.0, -4.0, 5.0))
FIXED_AFFINE = rigid((10, 20, -15), (3, 4, 5)) @ scaled((2.0, 2.0, 2.0), (-33, -31, -29))
MOVING_AFFINE = scaled((1.7, 1.9, 3.3), (-32, -33, -30))


def images():
    """One object seen twice, with different contrast, on two grids."""
    fine = ndimage.gaussian_filter(np.random.default_rng(4).normal(size=(56, 56, 56)), 3)
    radius = np.linalg.norm(np.indices(fine.shape) - 28, axis=0)
    fine = np.where(fine > fine.std() / 2, 1.0, 0.3).astype(np.float32) * (radius < 24)
    affine = scaled((2.0, 2.0, 2.0), (-54, -54, -54))
    fixed = resample(fine, affine, FIXED_SHAPE, FIXED_AFFINE)
    other = np.where(fine == 0, 0, 1.4 - fine)
    moving = resample(other, affine, MOVING_SHAPE, MOVING_AFFINE, np.linalg.inv(TRUTH))
    return fixed, moving


class TwoImagesTest(SceneTest):
    @classmethod
    def setUpClass(cls):
        cls.arrays = images()

    def setUp(self):
        super().setUp()
        self.fixed, self.moving = (
            slicer.mrmlScene.AddNode(newVolume(array, affine, name))
            for array, affine, name in zip(
                self.arrays, (FIXED_AFFINE, MOVING_AFFINE), ("echo MIP", "bSSFP"), strict=True
            )
        )

    def transform(self, matrix, name="by hand"):
        node = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        return node

    def error_mm(self, truth=TRUTH):
        """How far points of the fixed image land from where they should, by the nodes as they are in the scene."""
        points = np.random.default_rng(1).uniform(-25, 25, size=(50, 3))
        return largest_displacement(pointsBetween(self.fixed, self.moving), truth, points)

    def without_search(self):
        """Skip the search over shifts, which takes seconds, where a test is of something else."""
        search = mock.patch.object(registration, "find_start", return_value=TRUTH)
        search.start()
        self.addCleanup(search.stop)

    def transforms(self):
        return slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")

    def points(self, name, points):
        node = self.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
        for point in points:
            node.AddControlPointWorld(*point)
        return node
