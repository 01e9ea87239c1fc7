"""Parameters of the steps of the module TrabecularQSMAnalysis, what they lack, and what is said of the results."""

from typing import Annotated

import slicer
from slicer import (
    vtkMRMLMarkupsCurveNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLMarkupsLineNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterPack

from ...analysis.bvtv import COMBINATIONS, RULES
from ...analysis.tables import parse_exclusion
from ...errors import InputError
from ..bones import NOTES_ATTRIBUTE
from ..echoes import notesOf
from ..regions import SIDES
from ..registration import STARTS, notesOnQuality, qualityOf
from ..volumes import gridDifference, quantityOf
from .numbers import numbers, words

# Buttons of the panel; each has a slot of its name, such as onTemplateButton.
BUTTONS = (
    "propose template loadRegions split register checkerboard measure bvtv "
    "proposeBone cycles ct rods profile regress figure statsmodels cancel layout"
).split()
# Steps of the panel; each has a button and a section of its name.
STEPS = ("regions", "registration", "measure", "bvtv", "ct", "profile", "regression", "cohort")

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


def missing(step: str, p) -> str:
    """Return what keeps a step from starting, in one phrase; nothing if it can.

    :param step: name of a button without "Button", or "draw".
    :param p: parameters of the module.
    """
    return _MISSING[step](p)


def rods(p) -> tuple[list[float], list[float]]:
    """Return attenuation and density of the rods of a calibration phantom.

    :param p: parameters of the module.
    """
    return numbers(p.ct.rods_hu, _("rods")), numbers(p.ct.rods_density, _("rods"))


def regressionOptions(p) -> dict:
    """Return the arguments of a regression.

    :param p: parameters of the module.
    """
    r = p.regression
    return {
        "tables": [node for node in r.tables if node],
        "x": r.x.strip(),
        "y": r.y.strip(),
        "group": r.group.strip() or None,
        "subject": r.subject.strip() or None,
        "pair": tuple(words(r.pair)) or None,
        "exclude": [parse_exclusion(word) for word in words(r.exclude)],
    }


def proposalMaps(p) -> tuple:
    """Return the volumes of fat fraction and echo MIP in which bones are looked for; nothing if there are none.

    They lie on one grid, that of the volume to draw on if one is selected; of several, the newest.

    :param p: parameters of the module.
    """
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[::-1]
    chosen = p.regions.reference
    if chosen:
        # The volume that is drawn on goes before another of its kind.
        volumes = [chosen, *(node for node in volumes if node is not chosen and not gridDifference(chosen, node))]
    fractions, mips = ([node for node in volumes if quantityOf(node)[0] == kind] for kind in ("pdff", "mip"))
    return next(((pdff, mip) for pdff in fractions for mip in mips if not gridDifference(pdff, mip)), ())


def _missingPropose(p):
    return "" if proposalMaps(p) else _("There is no fat fraction with an echo MIP on one grid")


def _missingTemplate(p):
    return "" if p.regions.reference else _("Select the volume to draw on")


def _missingRegions(p):
    return "" if p.segmentation else _("Select the regions")


def _missingSplit(p):
    if not p.regions.split_segment:
        return _missingRegions(p) or _("Select the region to split")
    return _missingRegions(p) or _missingTemplate(p)


def _missingCheckerboard(p):
    if not p.registration.fixed:
        return _("Select the fixed volume")
    if not p.registration.moving:
        return _("Select the moving volume")
    return "" if p.registration.fixed is not p.registration.moving else _("Fixed and moving must be two volumes")


def _missingRegister(p):
    r = p.registration
    found = _missingCheckerboard(p)
    if not found and r.start == "landmarks" and not (r.fixed_landmarks and r.moving_landmarks):
        return _("Select the points on both volumes")
    return found


def _missingCase(p):
    return _missingRegions(p) if p.case.strip() else _("Enter the case")


def _missingMeasure(p):
    return _missingCase(p) or ("" if any(p.measure.maps) else _("Tick at least one map"))


def _missingBvtv(p):
    if not p.bvtv.image:
        return _missingCase(p) or _("Select the bSSFP image")
    return _missingCase(p) or ("" if p.bvtv.bone_segment else _("Select the bone segment"))


def _missingProposeBone(p):
    return _missingRegions(p) if p.bvtv.image else _("Select the bSSFP image")


def _missingCycles(p):
    return "" if sum(map(bool, p.bvtv.cycles)) > 1 else _("Tick at least two phase cycles")


def _missingCt(p):
    return _missingCase(p) or ("" if p.ct.volume else _("Select the CT"))


def _missingRods(p):
    try:
        attenuation, density = rods(p)
    except InputError as error:
        return str(error)
    return "" if 1 < len(attenuation) == len(density) else _("Enter at least two rods, each with its density")


def _missingProfile(p):
    if not any(p.profile.volumes):
        return _("Tick at least one volume")
    return "" if p.profile.line else _("Select a line")


def _missingRegress(p):
    if not any(p.regression.tables):
        return _("Tick at least one table")
    if not p.regression.x.strip() or not p.regression.y.strip():
        return _("Enter x and y")
    try:
        options = regressionOptions(p)
    except InputError:
        return _("Enter rows to leave out as column=value")
    return _("Enter two groups as the pair") if options["pair"] and len(options["pair"]) != 2 else ""


_MISSING = {
    "propose": _missingPropose,
    "template": _missingTemplate,
    "draw": _missingRegions,
    "split": _missingSplit,
    "register": _missingRegister,
    "checkerboard": _missingCheckerboard,
    "measure": _missingMeasure,
    "bvtv": _missingBvtv,
    "proposeBone": _missingProposeBone,
    "cycles": _missingCycles,
    "ct": _missingCt,
    "rods": _missingRods,
    "profile": _missingProfile,
    "regress": _missingRegress,
    "figure": _missingRegress,
}


def proposalSummary(segmentation) -> str:
    """Return what was proposed, what a user should know of it, and what to do.

    :param segmentation: what `scene.proposeRegionsNodes` returned.
    """
    segments = segmentation.GetSegmentation()
    names = ", ".join(segments.GetNthSegment(number).GetName() for number in range(segments.GetNumberOfSegments()))
    notes = (segmentation.GetAttribute(NOTES_ATTRIBUTE) or "").splitlines()
    found = _("Proposed in {volume}: {names}.").format(
        volume=segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole()).GetName(),
        names=names,
    )
    return " ".join([found, *notes, _("Look at each region before you measure.")])


def registrationSummary(transform) -> str:
    """Return one line about a registration.

    :param transform: the transform node.
    """
    found = qualityOf(transform)
    said = [_("Registered before with these images and options; nothing changed.")] if "repeated" in found else []
    if "warning" not in found:
        text = _("Quality {quality:.2f} (0 to 1), overlap {overlap:.0%}; look at the checkerboard.")
        said.append(text.format(**found))
    return " ".join([*said, *notesOnQuality(found)])


def added(node) -> str:
    """Return that something was added, by its name.

    :param node: what was added.
    """
    return _("Added {name}.").format(name=node.GetName())


def tableSummary(table) -> str:
    """Return one line about a table, and what a user should know of it.

    :param table: the table node.
    """
    count = table.GetTable().GetNumberOfRows()
    text = _("{name}: one row.") if count == 1 else _("{name}: {count} rows.")
    return " ".join([text.format(name=table.GetName(), count=count), *notesOf(table)])


def calibrationSummary(line) -> str:
    """Return one line about the calibration of a CT.

    :param line: what `analysis.ct.fit_calibration` returned.
    """
    return _("Density = {slope:.4g} mg/cm³ per HU × attenuation {intercept:+.4g} mg/cm³.").format(
        slope=line.slope, intercept=line.intercept
    )


def regressionSummary(nodes) -> str:
    """Return the pooled line, and what a user should know of it.

    :param nodes: what `scene.regressNodes` returned.
    """
    line, unit = nodes.result.pooled, nodes.table.GetColumnUnitLabel("slope")
    slope = f"{line.slope:.4g} {unit}".strip()
    text = _("Pooled: slope {slope}, R² {r2:.3f}, p {p:.2g}, n {n}.").format(
        slope=slope, r2=line.r2, p=line.p, n=line.n
    )
    return " ".join([text, *nodes.result.warnings])
