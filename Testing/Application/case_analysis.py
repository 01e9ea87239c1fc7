"""What the tests of the module TrabecularQSMAnalysis share: two regions, images of them, and the panel."""

import driving
import numpy as np
import qt

from TrabecularQSMLib import scene
from TrabecularQSMLib.scene.gui.analysis import STEPS

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
SHAPE = (24, 26, 28)
LISTS = ("measure.maps", "bvtv.cycles", "profile.volumes", "regression.tables")


def labels():
    """Two regions, and cortex between them."""
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[4:20, 4:22, 3:11], array[4:20, 4:22, 17:25], array[4:20, 4:22, 13:15] = 1, 2, 3
    return array


def image(seed=1):
    rng = np.random.default_rng(seed)
    share = np.select([labels() == 1, labels() == 2, labels() == 3], [0.4, 0.2, 1.0], 0.0)
    return np.where(rng.random(SHAPE) < share, 50, 1000) * (0.1 + (labels() > 0)) + rng.normal(0, 20, SHAPE)


def tick(selector, *nodes):
    """Tick these nodes and no others."""
    for number in range(selector.nodeCount()):
        selector.setCheckState(selector.nodeFromIndex(number), qt.Qt.Unchecked)
    for node in nodes:
        selector.setCheckState(node, qt.Qt.Checked)


class AnalysisCase(driving.PanelCase):
    """The panel of the module TrabecularQSMAnalysis over an empty scene."""

    module = "TrabecularQSMAnalysis"

    def setUp(self):
        super().setUp()
        self.record("showNumbers", "showOver")
        self.widget.showStep(STEPS[0])

    def volume(self, array, name="mip", quantity="mip"):
        return scene.addMapVolume(array, AFFINE, quantity, name)

    def regions(self):
        node = scene.addSegmentation(labels() % 3, {1: "subtalar", 2: "tuber"}, AFFINE, "regions")
        self.ui.segmentationSelector.setCurrentNode(node)
        return node

    def bone(self):
        return scene.addSegmentation(labels() == 3, {1: "cortex"}, AFFINE, "bone")

    def pair(self):
        """A fixed and a moving volume, selected to be registered."""
        fixed = self.volume(image() * (labels() > 0), "fixed")
        moved = AFFINE.copy()
        moved[:3, 3] = (6, -4, 5)
        moving = scene.addMapVolume(image(2) * (labels() > 0), moved, "mip", "moving")
        self.ui.fixedSelector.setCurrentNode(fixed)
        self.ui.movingSelector.setCurrentNode(moving)
        return fixed, moving

    def register(self):
        volumes = self.pair()
        self.ui.registerButton.click()
        return volumes
