"""The sample data of the modules, as the module Sample Data lists them."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ...errors import Cancelled, InputError
from ...phantom import CompanionSettings, PhantomSettings
from ...progress import part
from ...settings import preset
from ..companions import addCompanions
from ..echoes import baseName
from ..reconstruct import reconstructNodes
from .packages import withPackages
from .show import showEchoes
from .undo import oneUndoStep

EXAMPLE_FILE = "20180406_144018_0302_ImDataParams.mat"
EXAMPLE_URL = f"https://media.githubusercontent.com/media/maxdiefenbach/trabecular_bone_QSM/master/data/{EXAMPLE_FILE}"
EXAMPLE_CHECKSUM = "SHA256:ae51375e8cc3092f573aeac90bc8bcf7f53592ff5ae42b461251cdbef8233b2d"

# The paper's field of view at half its resolution: an ankle and its other scans are simulated, reconstructed and
# registered in seconds.
SAMPLE = PhantomSettings(shape=(74, 74, 34))
SAMPLE_COMPANIONS = CompanionSettings(bssfp_voxel_mm=(0.6, 0.6, 1.2), ct_voxel_mm=(1.2, 1.2, 1.2), structure_mm=0.15)


def registerSampleData(logicClass, thumbnails: Path) -> None:
    """Add the simulated ankle and the authors' example scan to the module Sample Data.

    :param logicClass: class with the methods loadPhantom and loadScan.
    :param thumbnails: folder of the pictures.
    """
    import SampleData

    samples = {
        "TrabecularQSM phantom": ("", None, None, lambda source: loadPhantom(logicClass())),
        "TrabecularQSM ankle": (EXAMPLE_URL, EXAMPLE_FILE, EXAMPLE_CHECKSUM, lambda source: loadAnkle(logicClass())),
    }
    for name, (uri, fileName, checksum, downloader) in samples.items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="TrabecularQSM",
            sampleName=name,
            uris=uri,
            fileNames=fileName,
            checksums=checksum,
            nodeNames=name,
            thumbnailFileName=str(thumbnails / f"{name.replace(' ', '-')}.png"),
            customDownloader=downloader,
        )


def registerCompanions(logicClass, pictures: Path) -> None:
    """Add the simulated ankle with bSSFP and CT to the module Sample Data.

    :param logicClass: class with the method loadCompanions.
    :param pictures: folder of the thumbnail.
    """
    import SampleData

    name = "TrabecularQSM phantom with bSSFP and CT"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="TrabecularQSM",
        sampleName=name,
        uris="",
        fileNames=None,
        nodeNames=name,
        thumbnailFileName=str(pictures / "TrabecularQSMAnalysis-companions.png"),
        customDownloader=lambda source: loadCompanions(logicClass()),
    )


def withDialog(work, failure: str):
    """Do something long that was not started from a panel, under a dialog with progress and Cancel.

    :param work: function of a progress callback.
    :param failure: what the message box says if it fails.
    :return: what `work` returned; an empty list if it was cancelled.
    """
    with slicer.util.tryWithErrorDisplay(failure):
        dialog = slicer.util.createProgressDialog(
            windowTitle="TrabecularQSM", windowModality=qt.Qt.ApplicationModal, autoClose=False, autoReset=False
        )

        def progress(fraction, message):
            dialog.labelText, dialog.value = message, round(100 * fraction)
            slicer.app.processEvents()
            if dialog.wasCanceled:
                raise Cancelled

        try:
            with oneUndoStep():
                return work(progress)
        except Cancelled as reason:
            slicer.util.showStatusMessage(str(reason))
            return []
        finally:
            dialog.close()
            dialog.deleteLater()


def loadCompanions(logic) -> list:
    """Make the simulated ankle with bSSFP and CT, reconstruct its maps, and select them in the module.

    :param logic: the module's logic.
    """
    loaded = withDialog(logic.loadCompanions, _("The phantom could not be made."))
    if not loaded:
        return []
    nodes, maps = loaded
    slicer.util.setSliceViewerLayers(background=maps["mip"], foreground=None, label=None, fit=True)
    return [*nodes.phantom[:3], *nodes[1:], *maps.values()]


def selectCompanions(p, progress=None) -> tuple:
    """Simulate an ankle with bSSFP and CT, reconstruct its maps, and select all of them.

    :param p: parameters of the module TrabecularQSMAnalysis.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :return: the nodes of `scene.addCompanions`, and the maps.
    """
    nodes = addCompanions(SAMPLE, SAMPLE_COMPANIONS, progress=part(progress, 0.0, 0.5))
    settings = preset("default", inversion="closed-form")
    maps = reconstructNodes(*nodes.phantom[:2], settings=settings, progress=part(progress, 0.5, 1.0))
    for segmentation in (nodes.phantom.regions, nodes.boneReference):
        segmentation.GetDisplayNode().SetVisibility(False)  # so that the regions of all scans are seen
    with slicer.util.NodeModify(p.parameterNode):
        # Of several samples, each is a case of its own in the tables.
        p.case, p.segmentation = baseName(nodes.phantom.magnitudeSequence), nodes.boneRegions
        p.regions.reference = p.registration.fixed = maps["mip"]
        p.registration.moving = p.bvtv.image = nodes.bssfp
        p.measure.maps = [maps["chi"], maps["r2star"], maps["pdff"]]
        p.bvtv.bone_segmentation, p.ct.volume = nodes.boneReference, nodes.ct
    return nodes, maps


def loadPhantom(logic) -> list:
    """Make the simulated ankle, select it in the module, and show it.

    :param logic: the module's logic.
    """
    nodes = withDialog(logic.loadPhantom, _("The phantom could not be made."))
    if nodes:
        showEchoes(nodes[0])
    return nodes


def loadAnkle(logic) -> list:
    """Download the authors' example scan, if the user agrees, and select it in the module.

    :param logic: the module's logic.
    """
    if not slicer.util.confirmOkCancelDisplay(
        _(
            "The authors' example scan is a file of 1.2 GB from {url}. If it turns out to be a MATLAB 7.3 file, "
            "reading it needs the Python package h5py. Download it?"
        ).format(url=EXAMPLE_URL),
        windowTitle=_("Download sample data"),
    ):
        return []
    import SampleData

    with slicer.util.tryWithErrorDisplay(_("The example scan could not be loaded.")):
        paths = SampleData.SampleDataLogic().downloadFromURL(
            uris=EXAMPLE_URL, fileNames=EXAMPLE_FILE, checksums=EXAMPLE_CHECKSUM, loadFiles=False
        )
        # A file with the wrong checksum is deleted, and yet its path is returned.
        if not paths or not Path(paths[0]).exists():
            raise InputError(
                _(
                    "{url} could not be downloaded; try again later, or get data/{file} from the repository "
                    "maxdiefenbach/trabecular_bone_QSM with git lfs and load it with 'From file…'."
                ).format(url=EXAMPLE_URL, file=EXAMPLE_FILE)
            )
    nodes = withDialog(
        lambda progress: withPackages(lambda: logic.loadScan(paths[0], name="TrabecularQSM ankle", progress=progress)),
        _("The example scan could not be loaded."),
    )
    if nodes:
        showEchoes(nodes[0])
    return nodes
