"""What regions of known names are: codes of the terminology that the modules bring, and colors."""

import colorsys
import re

PRIVATE_SCHEME = "99TRABQSM"
TERMINOLOGY = "Trabecular bone"
_ANATOMY, _TISSUE = "SCT^123037004^Anatomical Structure", "SCT^85756007^Tissue"
_NONE, _RIGHT = "^^", "SCT^24028007^Right"
SIDES = {"right": _RIGHT, "left": "SCT^7771000^Left", "not stated": _NONE}
# Category, type and modifier, each scheme, code and meaning, of the phantom's and the paper's regions, and of bones
# that are proposed. A region without a code there has none here.
REGION_CODES = {
    "calcaneus subtalar": (_ANATOMY, f"{PRIVATE_SCHEME}^subtalar_region^Subtalar region of calcaneus", _RIGHT),
    "calcaneus tuber": (_ANATOMY, "SCT^82474009^Calcaneal tubercle", _RIGHT),
    "calcaneus cavum": (_ANATOMY, f"{PRIVATE_SCHEME}^cavum_calcanei^Cavum calcanei", _RIGHT),
    "distal tibia": (_ANATOMY, "SCT^64605006^Distal tibia", _RIGHT),
    "talus": (_ANATOMY, "SCT^67453005^Talus", _RIGHT),
    "muscle": (_TISSUE, "SCT^71616004^Muscle", _NONE),
    "skin fat": (_TISSUE, "SCT^248300009^Body fat", _NONE),
    "calcaneus": (_ANATOMY, "SCT^80144004^Calcaneus", _RIGHT),
    "tibia": (_ANATOMY, "SCT^12611008^Tibia", _RIGHT),
    "bone": (_TISSUE, "SCT^272673000^Bone", _NONE),
}


def proposed_codes(names, side: str | None = None) -> dict[str, tuple[str, str, str]]:
    """Return the codes of bones by their names, with the side where there is one: "left", "right" or None."""
    codes = {}
    for name in names:
        category, kind, modifier = REGION_CODES.get(re.sub(r" (\d+|remainder)$", "", name), (None, None, None))
        if category:
            codes[name] = (category, kind, _NONE if modifier == _NONE else SIDES[side or "not stated"])
    return codes


def terminology_entry(codes: tuple[str, str, str]) -> str:
    """Return what a segment's tag holds, in the form of 3D Slicer."""
    return "~".join((TERMINOLOGY, *codes, "", _NONE, _NONE))


def segment_color(number: int) -> tuple[float, float, float]:
    """Hues a golden section apart stay distinct however many there are, and the same from run to run."""
    return colorsys.hsv_to_rgb(0.618034 * number % 1, 0.65, 0.95)
