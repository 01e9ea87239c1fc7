"""Work on nodes of a 3D Slicer scene. The only package here that imports slicer and vtk.

It runs inside the application and, without it, on the libraries of ``slicer-core``.

>>> from TrabecularQSMLib import scene
>>> nodes = scene.reconstructNodes(magnitudeSequence, phaseSequence, fieldStrength=3.0)  # doctest: +SKIP
>>> nodes["chi"].GetName()  # doctest: +SKIP
'ankle χ [ppm]'
"""

from .bone import BvtvNodes, attenuationNodes, bvtvNodes, combinePhaseCyclesNodes
from .bones import proposeBoneReferenceNode, proposeMaskNode, proposeRegionsNodes
from .cohort import cohortTable, loadMaps
from .companions import CompanionNodes, addCompanionNodes, addCompanions
from .dicom import DicomNodes, DicomScan, examineDicom, loadDicomScan, loadedDicomScan
from .echoes import (
    acquisitionFromSequences,
    addEchoBrowser,
    addEchoSequences,
    browsed,
    echoTimesFromSequence,
    notesOf,
    scanValues,
    sequencesFromVolumes,
)
from .export import exportDicom, exportScan
from .lcurve import LCurveNodes, lcurveNodes
from .load import loadScan
from .measure import measureNodes
from .phantom import PhantomNodes, addPhantom
from .preview import Preview, missingOfPreview, removePreviews
from .profile import ProfileNodes, profileNodes
from .protocol import ProtocolNodes, protocolNodes
from .protocol_bone import ChainNodes, SweepNodes, chainNodes, sweepNodes
from .reconstruct import addMapVolumes, reconstructField, reconstructNodes
from .regions import (
    addSegmentation,
    loadRegions,
    maskFromSegment,
    masksFromSegmentation,
    regionsFromSegmentation,
    regionTemplate,
    splitRegionNodes,
)
from .registration import checkerboardNodes, registerNodes
from .regression import RegressionNodes, regressNodes, saveRegressionFigure
from .results import MapRow, Run, medianReliability, runsInScene, shownMap, volumesThatAreNoEchoes
from .simulation import ConfigurationNodes, SimulationNodes, configurationNodes, simulateNodes
from .volumes import addMapVolume, affineFromVolume

__all__ = [
    "BvtvNodes",
    "ChainNodes",
    "CompanionNodes",
    "ConfigurationNodes",
    "DicomNodes",
    "DicomScan",
    "LCurveNodes",
    "MapRow",
    "PhantomNodes",
    "Preview",
    "ProfileNodes",
    "ProtocolNodes",
    "RegressionNodes",
    "Run",
    "SimulationNodes",
    "SweepNodes",
    "acquisitionFromSequences",
    "addCompanionNodes",
    "addCompanions",
    "addEchoBrowser",
    "addEchoSequences",
    "addMapVolume",
    "addMapVolumes",
    "addPhantom",
    "addSegmentation",
    "affineFromVolume",
    "attenuationNodes",
    "browsed",
    "bvtvNodes",
    "chainNodes",
    "checkerboardNodes",
    "cohortTable",
    "combinePhaseCyclesNodes",
    "configurationNodes",
    "echoTimesFromSequence",
    "examineDicom",
    "exportDicom",
    "exportScan",
    "lcurveNodes",
    "loadDicomScan",
    "loadMaps",
    "loadRegions",
    "loadScan",
    "loadedDicomScan",
    "maskFromSegment",
    "masksFromSegmentation",
    "measureNodes",
    "medianReliability",
    "missingOfPreview",
    "notesOf",
    "profileNodes",
    "proposeBoneReferenceNode",
    "proposeMaskNode",
    "proposeRegionsNodes",
    "protocolNodes",
    "reconstructField",
    "reconstructNodes",
    "regionTemplate",
    "regionsFromSegmentation",
    "registerNodes",
    "regressNodes",
    "removePreviews",
    "runsInScene",
    "saveRegressionFigure",
    "scanValues",
    "sequencesFromVolumes",
    "shownMap",
    "simulateNodes",
    "splitRegionNodes",
    "sweepNodes",
    "volumesThatAreNoEchoes",
]
