"""What the tests on nodes share: a scene that starts empty, and a small scan on a grid that mixes nothing up unseen."""

import unittest

import numpy as np

try:
    import slicer
    import vtk  # noqa: F401 - for the tests
except ImportError as error:
    raise unittest.SkipTest(f"the libraries of 3D Slicer (slicer-core) cannot be imported: {error}") from error

import headless

from TrabecularQSMLib.acquisition import Acquisition
from TrabecularQSMLib.errors import Cancelled

# An oblique, anisotropic, left-handed grid: everything that can be mixed up differs.
COSINES = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
AFFINE = np.eye(4)
AFFINE[:3, :3] = COSINES * (1.5, 0.8, 2.5)
AFFINE[:3, 3] = (-31.0, 12.5, 7.0)
SHAPE = (6, 5, 4)
ECHO_TIMES = (1.25e-3, 1.95e-3, 2.65e-3, 3.4e-3)


def cancel_at(limit):
    """A progress callback that cancels once so much is done."""

    def progress(fraction, message):
        if fraction >= limit:
            raise Cancelled

    return progress


def random_map(seed=0):
    return np.random.default_rng(seed).normal(size=SHAPE)


def random_acquisition(**changes):
    rng = np.random.default_rng(3)
    shape = (len(ECHO_TIMES), *SHAPE)
    values = {
        "echoes": rng.normal(size=shape) + 1j * rng.normal(size=shape),
        "echo_times": ECHO_TIMES,
        "affine": AFFINE,
        "field_strength": 3.0,
        "b0_patient": (0.0, 0.6, 0.8),
    }
    return Acquisition(**{**values, **changes})


class SceneTest(unittest.TestCase):
    def setUp(self):
        self.scene = headless.start()
        headless.clear()
        self.addCleanup(headless.clear)
        # The hierarchy is made when first asked for, and then stays.
        slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)

    def node_ids(self):
        return sorted(self.scene.GetNthNode(n).GetID() for n in range(self.scene.GetNumberOfNodes()))

    def find(self, name):
        node = self.scene.GetFirstNodeByName(name)
        self.assertIsNotNone(node, name)
        return node

    def hierarchy_count(self):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        return hierarchy.GetNumberOfItems()
