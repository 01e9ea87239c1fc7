"""Susceptibility by the closed form for one λ after the other, in a volume that changes at once."""

import json

import numpy as np
import slicer

from ..acquisition import voxel_size
from ..errors import InputError
from ..inversion import METHODS
from ..inversion.closed_form import ClosedForm
from ..inversion.grid import Grid
from ..settings import Settings
from .b0 import directionAlong
from .reconstruct import SETTINGS_ATTRIBUTE
from .results import PREVIEW_ATTRIBUTE, Run
from .volumes import addMapVolume, affineFromVolume, removeWithHelpers


def missingOfPreview(run: Run | None) -> str:
    """Return what a run lacks for a `Preview`, as a sentence; nothing if it can be had.

    :param run: one of `runsInScene`, or None.
    """
    if run is None:
        return "There are no maps yet; run a reconstruction first."
    if not {"local_field", "mask"} <= set(run.nodes):
        return f"{run.name} has no local field and mask, of which χ is computed; run all stages."
    if METHODS[_settingsOf(run).inversion].total:
        return f"The inversion of {run.name} took the background away itself; there is no local field to try λ on."
    if directionAlong(run.nodes["local_field"]) is None:
        return f"{run.name} does not say the direction of B0, as maps of earlier versions; run again."
    return ""


class Preview:
    """χ of a run by the closed form of its local field, for any λ: one inverse Fourier transform a time.

    It is that of the inversion ``closed-form`` without cortex apart and without a fat prior, relative to the mask where
    the run's is. A scene has one such volume, which is no map of the run.

    :param run: one of `runsInScene`.
    :raises InputError: if the run lacks something, see `missingOfPreview`.
    """

    def __init__(self, run: Run) -> None:
        if missing := missingOfPreview(run):
            raise InputError(missing)
        fieldNode, self._chi = run.nodes["local_field"], run.nodes.get("chi")
        self.name, self.node, self._field = run.name.removesuffix(" maps"), None, fieldNode
        settings = _settingsOf(run)
        self._relative = settings.reference == "mask"
        self._affine = affineFromVolume(fieldNode)
        self._mask = slicer.util.arrayFromVolume(run.nodes["mask"]) > 0
        self._grid = Grid.around(self._mask, settings.padding)
        field = self._grid.put(slicer.util.arrayFromVolume(fieldNode))
        b0Direction = directionAlong(fieldNode)[::-1]
        self._form = ClosedForm(field, voxel_size(self._affine), b0_direction=b0Direction)

    def isOf(self, run: Run | None) -> bool:
        """Return whether this is the preview of a run, whose local field still lies as it did."""
        field = run and run.nodes.get("local_field")
        return field is self._field and np.array_equal(affineFromVolume(field), self._affine)

    def show(self, regularization: float):
        """Put χ for one λ into the volume, which is added to the scene where it is not there; return its node.

        :param regularization: λ of the closed form in mm².
        """
        chi = self._grid.take(self._form.chi(regularization))
        if self._relative:
            chi -= chi[self._mask].mean(dtype=np.float64).astype(np.float32)
        chi[~self._mask] = 0
        if self.node is None or self.node.GetScene() is not slicer.mrmlScene:
            self._add(chi)
        else:
            slicer.util.arrayFromVolume(self.node)[...] = chi
            slicer.util.arrayFromVolumeModified(self.node)
        return self.node

    def _add(self, chi):
        removePreviews()  # also one that came with a saved scene
        self.node = node = addMapVolume(chi, self._affine, "chi", f"{self.name} closed-form preview")
        node.SetAttribute(PREVIEW_ATTRIBUTE, "1")
        node.SetAndObserveTransformNodeID(self._field.GetTransformNodeID())
        display, shown = node.GetScalarVolumeDisplayNode(), self._chi and self._chi.GetScalarVolumeDisplayNode()
        if shown:
            display.SetWindowLevel(shown.GetWindow(), shown.GetLevel())


def _settingsOf(run):
    return Settings.from_dict(json.loads(run.nodes["local_field"].GetAttribute(SETTINGS_ATTRIBUTE)))


def removePreviews() -> None:
    """Take what a `Preview` has shown out of the scene."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(PREVIEW_ATTRIBUTE):
            removeWithHelpers(node)
