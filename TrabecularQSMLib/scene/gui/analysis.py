"""Parameters of the steps of the module TrabecularQSMAnalysis, as its parameter node holds them."""

from typing import Annotated

from slicer import (
    vtkMRMLMarkupsCurveNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLMarkupsLineNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterPack

from ...analysis.bvtv import COMBINATIONS, RULES
from ..regions import SIDES
from ..registration import STARTS

# What registers: this library, or Slicer's General Registration (BRAINS).
PROGRAMS = ("SimpleITK", "BRAINS")
Count = Annotated[int, WithinRange(2, 1000)]


@parameterPack
class RegionParameters:
    """New regions.

    reference - Volume on which they are drawn.
    side - Side of the body.
    split_segment, split_count - Segment that is split, and into how many parts.
    """

    reference: vtkMRMLScalarVolumeNode | None
    side: Annotated[str, Choice(list(SIDES))] = "right"
    split_segment: str = ""
    split_count: Count = 10


@parameterPack
class RegistrationParameters:
    """Registration of one volume to another.

    fixed, moving - The volumes.
    start - From where it starts.
    fixed_landmarks, moving_landmarks - Point lists of the start from landmarks.
    mask - Segmentation inside which the volumes are compared.
    program - What registers.
    tiles - Tiles of the checkerboard along its longest edge.
    """

    fixed: vtkMRMLScalarVolumeNode | None
    moving: vtkMRMLScalarVolumeNode | None
    start: Annotated[str, Choice(list(STARTS))] = "geometry"
    fixed_landmarks: vtkMRMLMarkupsFiducialNode | None
    moving_landmarks: vtkMRMLMarkupsFiducialNode | None
    mask: vtkMRMLSegmentationNode | None
    program: Annotated[str, Choice(list(PROGRAMS))] = "SimpleITK"
    tiles: Count = 8


@parameterPack
class MeasureParameters:
    """Statistics of maps.

    maps - What is measured.
    table - Where rows are added; a new table if there is none.
    """

    maps: list[vtkMRMLScalarVolumeNode]
    table: vtkMRMLTableNode | None


@parameterPack
class BvtvParameters:
    """Apparent BV/TV.

    image - The bSSFP volume.
    bone_segmentation, bone_segment - Pure bone; a segment of the regions if there is no segmentation.
    bias_correction - Whether shading is taken out first.
    rule - How the level of marrow is found.
    table - Where rows are added; a new table if there is none.
    cycles, combination - Phase cycles to be combined, and how.
    """

    image: vtkMRMLScalarVolumeNode | None
    bone_segmentation: vtkMRMLSegmentationNode | None
    bone_segment: str = ""
    bias_correction: bool = True
    rule: Annotated[str, Choice(list(RULES))] = RULES[0]
    table: vtkMRMLTableNode | None
    cycles: list[vtkMRMLScalarVolumeNode]
    combination: Annotated[str, Choice(list(COMBINATIONS))] = COMBINATIONS[0]


@parameterPack
class CtParameters:
    """Attenuation of a CT.

    volume - The CT.
    slope, intercept - From Hounsfield units to mg/cm³; no density if the slope is 0.
    table - Where rows are added; a new table if there is none.
    rods_hu, rods_density - Attenuation and density of the rods of a calibration phantom.
    """

    volume: vtkMRMLScalarVolumeNode | None
    slope: Annotated[float, WithinRange(0.0, 100.0)] = 0.0
    intercept: Annotated[float, WithinRange(-10000.0, 10000.0)] = 0.0
    table: vtkMRMLTableNode | None
    rods_hu: str = ""
    rods_density: str = ""


@parameterPack
class ProfileParameters:
    """Values along a line.

    volumes - Of what.
    line - Where.
    """

    volumes: list[vtkMRMLScalarVolumeNode]
    line: vtkMRMLMarkupsLineNode | vtkMRMLMarkupsCurveNode | None


@parameterPack
class RegressionParameters:
    """Regression.

    tables - Where the values are.
    x, y - Columns or quantities.
    group, subject - Columns that tell groups and subjects apart; region and case, where they are, if empty.
    pair - Two groups whose differences are regressed, separated by a comma.
    exclude - Rows that are left out, as column=value (several with " and "), separated by commas.
    """

    tables: list[vtkMRMLTableNode]
    x: str = "bvtv"
    y: str = "chi"
    group: str = ""
    subject: str = ""
    pair: str = ""
    exclude: str = ""
