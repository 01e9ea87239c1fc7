"""Work on nodes of a 3D Slicer scene. The only package here that imports slicer and vtk.

It runs inside the application and, without it, on the libraries of ``slicer-core``.

>>> from TrabecularQSMLib import scene
>>> nodes = scene.reconstructNodes(magnitudeSequence, phaseSequence, fieldStrength=3.0)  # doctest: +SKIP
>>> nodes["chi"].GetName()  # doctest: +SKIP
'ankle chi (ppm)'
"""

from .echoes import acquisitionFromSequences, addEchoSequences, echoTimesFromSequence
from .reconstruct import addMapVolumes, reconstructNodes
from .regions import addSegmentation, regionsFromSegmentation
from .volumes import addMapVolume, affineFromVolume

__all__ = [
    "acquisitionFromSequences",
    "addEchoSequences",
    "addMapVolume",
    "addMapVolumes",
    "addSegmentation",
    "affineFromVolume",
    "echoTimesFromSequence",
    "reconstructNodes",
    "regionsFromSegmentation",
]
