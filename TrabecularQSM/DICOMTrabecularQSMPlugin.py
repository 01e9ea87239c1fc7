"""3D Slicer's module DICOM offers a multi-echo gradient-echo study as one scan: sequences of magnitude and phase."""

import sys
from pathlib import Path

import slicer
from DICOMLib import DICOMLoadable, DICOMPlugin
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

# In a checkout the library lies beside this module's folder; installed, it lies beside this file.
CHECKOUT = Path(__file__).resolve().parents[1]
if (CHECKOUT / "TrabecularQSMLib" / "__init__.py").exists() and str(CHECKOUT) not in sys.path:
    sys.path.insert(0, str(CHECKOUT))

from TrabecularQSMLib import scene  # noqa: E402
from TrabecularQSMLib.scene.gui.tests import ModuleTestMixin  # noqa: E402

# Above the readers of single volumes (0.5) and those that make one sequence of all frames (up to 1.05).
CONFIDENCE = 1.1


class DICOMTrabecularQSMPluginClass(DICOMPlugin):
    """What the module DICOM asks: which scans there are among files, and to load one."""

    def __init__(self):
        super().__init__()
        self.loadType = _("Multi-echo scan")

    def examineForImport(self, fileLists) -> list:
        """Return a loadable for each multi-echo scan with phase, and each of its series.

        :param fileLists: lists of files, one for each selected series.
        """
        loadables = []
        for scan in scene.examineDicom([files for files in fileLists if self._isMR(files)]):
            loadable = DICOMLoadable()
            loadable.name, loadable.tooltip, loadable.warning, loadable.files = scan
            loadable.selected = True
            loadable.confidence = CONFIDENCE
            loadables.append(loadable)
        return loadables

    def load(self, loadable):
        """Add the scan to the scene and return its browser node.

        :param loadable: one of those of `examineForImport`.
        """
        loaded = scene.loadedDicomScan(loadable.files)
        if loaded:  # with another of its series
            return loaded.browser

        def letEventsPass(fraction, message):
            slicer.util.showStatusMessage(message)
            slicer.app.processEvents()

        nodes = scene.loadDicomScan(loadable.files, loadable.name, letEventsPass)
        self.addSeriesInSubjectHierarchy(loadable, nodes.browser.GetProxyNode(nodes.magnitudeSequence))
        return nodes.browser

    def _isMR(self, files):
        # The database knows; other headers than those of MR need not be read.
        return len(files) > 0 and slicer.dicomDatabase.fileValue(files[0], "0008,0060") == "MR"


class DICOMTrabecularQSMPlugin:
    """The plugin as Slicer finds it; it has no panel."""

    def __init__(self, parent):
        parent.title = "DICOM Trabecular QSM Plugin"
        parent.categories = ["Developer Tools.DICOM Plugins"]
        parent.contributors = ["The TrabecularQSM developers"]
        parent.helpText = "Lets the module DICOM load a multi-echo gradient-echo study as one scan. It has no panel."
        parent.acknowledgementText = ""
        parent.hidden = True
        # This module may come before the module DICOM, which then finds the list.
        if not hasattr(slicer.modules, "dicomPlugins"):
            slicer.modules.dicomPlugins = {}
        slicer.modules.dicomPlugins["DICOMTrabecularQSMPlugin"] = DICOMTrabecularQSMPluginClass


class DICOMTrabecularQSMPluginTest(ModuleTestMixin, ScriptedLoadableModuleTest):
    """Run by Reload and Test, and by ctest; Testing/Python/test_scene_dicom.py tells more."""

    def test_the_module_dicom_knows_the_plugin(self):
        self.assertIs(slicer.modules.dicomPlugins["DICOMTrabecularQSMPlugin"], DICOMTrabecularQSMPluginClass)

    def test_nothing_is_offered_where_there_is_no_scan(self):
        self.assertEqual(DICOMTrabecularQSMPluginClass().examineForImport([[]]), [])
