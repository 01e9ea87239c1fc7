"""What the tests of the module TrabecularQSM share: a small scan in its panel."""

import driving

from TrabecularQSMLib import scene
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom

PHANTOM = make_phantom(PhantomSettings(shape=(48, 48, 24), seed=3))


class ReconstructionCase(driving.PanelCase):
    """The panel of the module TrabecularQSM over an empty scene."""

    module = "TrabecularQSM"

    def load(self):
        magnitude, phase = scene.addEchoSequences(PHANTOM.acquisition, "small")
        self.ui.magnitudeSelector.setCurrentNode(magnitude)
        self.ui.phaseSelector.setCurrentNode(phase)
        self.p.settings.inversion = "closed-form"
        return magnitude, phase

    def regions(self):
        acquisition = PHANTOM.acquisition
        return scene.addSegmentation(PHANTOM.regions, PHANTOM.region_names, acquisition.affine, "regions")
