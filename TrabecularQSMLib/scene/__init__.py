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
from .profile import ProfileNodes, profileNodes
from .protocol import ProtocolNodes, protocolNodes
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
    "CompanionNodes",
    "ConfigurationNodes",
    "DicomNodes",
    "DicomScan",
    "LCurveNodes",
    "MapRow",
    "PhantomNodes",
    "ProfileNodes",
    "ProtocolNodes",
    "RegressionNodes",
    "Run",
    "SimulationNodes",
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
    "runsInScene",
    "saveRegressionFigure",
    "scanValues",
    "sequencesFromVolumes",
    "shownMap",
    "simulateNodes",
    "splitRegionNodes",
    "volumesThatAreNoEchoes",
]
