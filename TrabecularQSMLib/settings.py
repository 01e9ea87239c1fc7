"""Every setting of a reconstruction, with the paper's value and source.

One convention for λ everywhere: the cost is ``‖W_d (Dχ − f)‖² + λ ‖W_g ∇χ‖_p^p`` (equation 1 of Diefenbach et al.,
MRM 2019, doi 10.1002/mrm.27531) without a factor ½, fields and χ in ppm, and the gradient per millimetre, so that λ
carries over between grids. A λ in voxel units is λ·h² for ℓ2 on isotropic voxels of h mm; the authors' TV code has a
½ before the data term, so its λ is half of the one here.
"""

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib import resources

from . import background, inversion
from .errors import InputError, worded
from .fieldmap.fat_models import FAT_MODELS


class _Choices(Mapping):
    """Names of settings to what they can be; a registry is read when it is asked, so that it may grow."""

    def __init__(self, **sources: Iterable):
        self._sources = sources

    def __getitem__(self, name):
        return tuple(self._sources[name])

    def __iter__(self):
        return iter(self._sources)

    def __len__(self):
        return len(self._sources)


# Choices of the settings that are names. The methods are whatever the registries hold.
CHOICES = _Choices(
    fat_model=FAT_MODELS,
    fat_spectrum=("given", "best", "shifted"),
    separate_rates=("no", "yes"),
    magnitude_maps=("no", "yes"),
    phase_sign=("auto", "+1", "-1"),
    readout=("auto", "monopolar", "bipolar"),
    trains=("auto", "1", "2", "3", "4"),
    echo_gains=("auto", "none"),
    echo_combination=("mip", "rss"),
    background=background.METHODS,
    air_first=background.AIR_FIRST,
    inversion=inversion.METHODS,
    edge_image=("opposed-phase", "magnitude", "smoothed-magnitude"),
    variation=("anisotropic", "isotropic"),
    separate_cortex=("no", "yes"),
    chi_sigma=("no", "yes"),
    reference=("none", "mask"),
    stop_after=(None, "fieldmap", "background"),
)
# Closed ranges of the settings that are numbers.
RANGES = {
    "fat_shift": (-1.0, 1.0),
    "temperature": (0.0, 60.0),
    "t1_weighting": (0.1, 10.0),
    "mask_threshold": (0.0, 1.0),
    "mask_erosion": (0.0, 50.0),
    "background_radius": (0.1, 100.0),
    "background_tolerance": (1e-12, 0.5),
    "regularization": (1e-12, 1e6),
    "edge_steepness": (1e-6, 1e3),
    "edge_threshold": (0.0, 1.0),
    "edge_fraction": (0.0, 1.0),
    "edge_weight": (0.0, 1.0),
    "weak_harmonic": (0.0, 1e9),
    "bregman_rounds": (1, 100),
    "fat_prior": (-10.0, 10.0),
    "padding": (0, 512),
    "inversion_tolerance": (1e-12, 0.5),
    "inversion_iterations": (1, 100_000),
}
# Those that are whole.
WHOLE = ("bregman_rounds", "padding", "inversion_iterations")
# Those of which the first that is given says what an edge is, so that the others do not count.
EDGE_KINDS = ("edge_steepness", "edge_threshold", "edge_fraction")
# Those that may be left out.
OPTIONAL = (
    "background_radius",
    "background_tolerance",
    "regularization",
    "edge_steepness",
    "edge_threshold",
    "inversion_tolerance",
    "inversion_iterations",
)


@dataclass(frozen=True)
class Settings:
    """Settings of `pipeline.reconstruct`; the defaults are those of the preset ``default``.

    Parameters
    ----------
    fat_model : str
        Name of a spectrum in ``data/fat_models.json``. Paper: seven peaks; authors' scripts: Ren marrow.
    fat_spectrum : {"given", "best", "shifted"}
        "best" takes the spectrum that fits the scan best, if one surely fits better than fat_model; "shifted" estimates
        by how much all its peaks are shifted against water, and puts that into fat_shift. Paper: given.
    fat_shift : float
        Shift in ppm of all peaks of fat against water, on top of the spectrum's.
    temperature : float
        Temperature of what was scanned in °C: water moves by -0.01 ppm/K against fat (doi 10.1002/jmri.21265). Spectra
        are given for the body, 37; a sample on the table may have 20.
    t1_weighting : float
        How many times stronger T1 leaves fat than water, for each proton; the fat fraction is that without. A note says
        it where flip angle and repetition time are known. Paper: 1, none (its 5° and 13 ms have about 1.14 at 3 T).
    separate_rates : {"no", "yes"}
        "yes" adds maps of R2* of water and of fat each, of a fit that does not change the other maps.
    magnitude_maps : {"no", "yes"}
        "yes" adds maps of R2* and fat fraction from the magnitude alone, to compare; of a scan without phase these are
        all that there is.
    phase_sign : {"auto", "+1", "-1"}
        "+1" when phase grows with frequency, "-1" when it falls; "auto" finds out from the fit.
    readout : {"auto", "monopolar", "bipolar"}
        "bipolar" when every other echo is read in the opposite direction: phase and magnitude of its own, linear in
        the image, are estimated and taken off; "auto" finds out from the fit. Paper: monopolar.
    trains : {"auto", "1", "2", "3", "4"}
        Interleaved echo trains that take turns, each with phase and magnitude of its own; "auto" tells one from three.
        Paper: three trains of three echoes.
    echo_gains : {"auto", "none"}
        "auto" finds errors of single echoes, in magnitude and phase the same all over the image, and takes them off;
        "none" leaves the echoes as they are. Paper: none.
    echo_combination : {"mip", "rss"}
        Magnitude image for the weights: maximum (paper) or root sum of squares (authors' scripts) over echoes.
    mask_threshold : float
        Body threshold as a fraction of the bright end (99th percentile) of the maximum over echoes. Authors'
        scripts: 0.02; the paper prints none.
    mask_erosion : float
        Distance in mm from the body's surface that is left out of the mask. Authors' scripts: six voxels, 4.6 mm; the
        paper prints none.
    background : str
        Background field removal. Paper: LBV.
    air_first : {"off", "on"}
        Whether the field of the air around the body, and harmonics of second order, are taken off before the
        background removal ("air-model" does only that). Ours; paper: off.
    background_radius : float or None
        Radius of spheres in mm: the largest of V-SHARP, that of RESHARP; left out, each method's own (12 and 5).
    background_tolerance : float or None
        Relative residual at which the background solver stops; left out, each method's own (1e-6 for LBV, 4e-4 for
        RESHARP, 2e-4 for PDF, 3e-3 for the air model).
    inversion : str
        Dipole inversion. Paper: closed form, MEDI-ℓ2 and TV-MEDI, the last being best.
    regularization : float or None
        λ of the cost, in mm² where the inversion squares gradients (closed form, MEDI-ℓ2), else in ppm·mm; left out,
        that of the preset for the inversion. Paper: 0.2, 0.1, 0.03 (see presets.json).
    edge_image : {"opposed-phase", "magnitude", "smoothed-magnitude"}
        Image whose edges are not penalised. Smoothed, noise makes no edges, and those of cortex are as wide as its
        voxels. Paper: |W − F|; authors' scripts: magnitude over echoes.
    edge_steepness : float or None
        Edges are soft and have a direction: W_g is one half where the edge image, always smoothed then, changes by this
        fraction of its bright end in a mm. With none, edges are all or nothing, by the two that follow. Ours; paper and
        authors' scripts: none.
    edge_threshold : float or None
        Without edge_steepness, edges are gradients above this fraction of the largest one in the mask. Paper: none;
        authors' scripts: 0.1.
    edge_fraction : float
        Share of mask voxels that count as edges where there is neither edge_steepness nor edge_threshold. Paper: 0.4.
    edge_weight : float
        W_g on edges, of soft ones the least; 1 elsewhere. Paper: 0.01; authors' scripts: 0.
    variation : {"anisotropic", "isotropic"}
        Whether the total variation of TV-MEDI and TGV sums the three differences of a voxel or takes their length.
        Paper: anisotropic.
    weak_harmonic : float
        β in mm⁴ of a term for what background removal left, a field that is nearly harmonic; 0 for none (paper). Not
        for the closed form and Nesterov's method.
    bregman_rounds : int
        Rounds of TV-MEDI: after each, what χ leaves of the field is added to the field, which gives steps of χ back
        that total variation takes. 1 for the minimum of the cost (paper). Ours; with 1, give a λ of 0.004.
    fat_prior : float
        χ of fat in ppm of a prior χ_fat·PDFF, less which χ is regularized; 0 for none (paper).
    separate_cortex : {"no", "yes"}
        Whether what gives no signal near thin dark layers, cortex above all, gets a χ of its own, whose field is taken
        off before the rest is inverted: it is blurred otherwise, and voxels that it cuts are misread. Not with voxels
        longer than 3.5 mm. Ours; paper: no.
    chi_sigma : {"no", "yes"}
        "yes" adds the standard deviation of χ by noise, of three draws that are inverted too: four times as long.
        Errors that are not noise are no part of it. Ours; paper: no.
    reference : {"none", "mask"}
        What χ is relative to: nothing, so that its mean over the inversion's grid is zero (paper), or its mean over the
        mask, which is taken off.
    padding : int
        Least voxels around the mask's box on every side of the (periodic) grid on which the inversion is solved: room
        for what background removal left. Ours.
    inversion_tolerance : float or None
        Where the iterative inversions stop; left out, each method's own (1e-3 for MEDI-ℓ2 and TV-MEDI, 3e-3 for TV-MEDI
        in rounds, 2.5e-3 for TGV, 1e-4 with Nesterov's method).
    inversion_iterations : int or None
        Most iterations; left out, each method's own (1,000 for MEDI-ℓ2, 500 for TV-MEDI, 200 for TGV,
        150 per continuation step with Nesterov's method).
    stop_after : {None, "fieldmap", "background"}
        Last stage to run.

    Raises
    ------
    InputError
        If a value is outside its range or not among its choices.
    """

    fat_model: str = "ren-marrow"
    fat_spectrum: str = "given"
    fat_shift: float = 0.0
    temperature: float = 37.0
    t1_weighting: float = 1.0
    separate_rates: str = "no"
    magnitude_maps: str = "no"
    phase_sign: str = "auto"
    readout: str = "auto"
    trains: str = "auto"
    echo_gains: str = "auto"
    echo_combination: str = "mip"
    mask_threshold: float = 0.05
    mask_erosion: float = 5.0
    background: str = "lbv"
    air_first: str = "off"
    background_radius: float | None = None
    background_tolerance: float | None = None
    inversion: str = "medi-tv"
    regularization: float | None = None
    edge_image: str = "smoothed-magnitude"
    edge_steepness: float | None = 0.0125
    edge_threshold: float | None = None
    edge_fraction: float = 0.4
    edge_weight: float = 0.005
    variation: str = "anisotropic"
    weak_harmonic: float = 0.0
    bregman_rounds: int = 2
    fat_prior: float = 0.0
    separate_cortex: str = "yes"
    chi_sigma: str = "no"
    reference: str = "none"
    padding: int = 12
    inversion_tolerance: float | None = None
    inversion_iterations: int | None = None
    stop_after: str | None = None

    def __post_init__(self):
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(f"`{name}` is {getattr(self, name)!r}; choose one of {_choices_text(choices)}.")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is None and name in OPTIONAL:
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not low <= value <= high or (name in WHOLE and not float(value).is_integer()):
                kind = "a whole number" if name in WHOLE else "a number"
                raise InputError(f"`{name}` is {value!r}; give {kind} between {low:g} and {high:g}.")
            if name in WHOLE:
                object.__setattr__(self, name, int(value))  # JSON may say 20.0
        if self.weak_harmonic and "weak_harmonic" not in inversion.METHODS[self.inversion].options.values():
            able = [name for name, one in inversion.METHODS.items() if "weak_harmonic" in one.options.values()]
            raise InputError(
                f"`weak_harmonic` is {self.weak_harmonic:g}, but the inversion {self.inversion} has no such term; set "
                f"it to 0, or choose one of {', '.join(able)}."
            )

    def as_dict(self) -> dict:
        """Return the settings as a dict that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict, source: str = "the settings") -> "Settings":
        """Read settings from a dict, such as the ``Settings`` of a sidecar; names left out keep their default."""
        known = [f.name for f in fields(cls)]
        if not isinstance(values, dict):
            raise InputError(
                f"{source} is not a table of names and values; give a JSON object such as a map's sidecar."
            )
        unknown = [name for name in values if name not in known]
        if unknown:
            raise InputError(
                f"{source} has the unknown setting {unknown[0]!r}; known are {', '.join(map(repr, known))}."
            )
        try:
            return cls(**values)
        except InputError as error:  # a door would take names in backticks for its own options
            raise InputError(f"{source}: {worded(str(error), {name: repr(name) for name in known})}") from error


def _choices_text(choices):
    return ", ".join("nothing" if choice is None else choice for choice in choices)


def setting_texts(docstring: str | None = Settings.__doc__) -> dict[str, str]:
    """Return what a numpydoc docstring says of its parameters, by name, each in one line.

    The compiler of Python 3.13 takes the indentation away that earlier ones leave; both are read.
    """
    section = inspect.cleandoc(docstring or "").partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    found = re.findall(r"^(\w+(?:, \w+)*) : .*((?:\n {4}.*)+)", section, flags=re.MULTILINE)
    return {name: " ".join(text.replace("``", "").split()) for names, text in found for name in names.split(", ")}


def load_presets() -> dict[str, dict]:
    """Return the presets of ``data/presets.json``: name to description, settings and λ of inversions."""
    text = resources.files(__package__).joinpath("data/presets.json").read_text(encoding="utf-8")
    return json.loads(text)["presets"]


def preset(name: str = "default", **changes) -> Settings:
    """Return the settings of a preset, with `changes` on top and λ chosen for the inversion.

    Parameters
    ----------
    name : str
        "paper", "authors-code" or "default".
    **changes
        Settings that differ from the preset. A λ not given is the preset's for the chosen inversion, or else the
        inversion's own. An edge_fraction or edge_threshold given alone counts, and not the preset's kind of edge.

    Raises
    ------
    InputError
        If there is no such preset, or a setting is out of its range.
    """
    presets = load_presets()
    if name not in presets:
        raise InputError(f"There is no preset {name!r}; choose one of {', '.join(presets)}.")
    settings = Settings(**{**presets[name]["settings"], **_counted(changes)})
    if settings.regularization is None:
        own = inversion.METHODS[settings.inversion].regularization
        chosen = presets[name]["regularization"].get(settings.inversion, own)
        settings = replace(settings, regularization=chosen)
    return settings


def merged(name: str, stored: dict, given: dict) -> Settings:
    """Return the settings of a preset with stored ones on top, such as those of a sidecar, and given ones on those.

    A stored λ belongs to the stored inversion: where another one is given, λ is the preset's for that.
    """
    if given.get("inversion", stored.get("inversion")) != stored.get("inversion"):
        stored = {key: value for key, value in stored.items() if key != "regularization"}
    return preset(name, **{**_counted(stored), **_counted(given)})


def _counted(given):
    """Settings given, without another kind of edge that would keep the one that is given from counting."""
    first = next((n for n, name in enumerate(EDGE_KINDS) if given.get(name) is not None), 0)
    return {**dict.fromkeys(EDGE_KINDS[:first]), **given}
