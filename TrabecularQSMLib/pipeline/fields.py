"""What all scans need before inversion: the local field of a total field, and its weights."""

import numpy as np

from .. import background
from ..acquisition import Acquisition, MeasuredField, b0_direction, on_field_of_view, on_strength, voxel_size
from ..analysis.placement import on_mask_orientation
from ..errors import InputError
from ..fieldmap import masks
from ..inversion.weights import SMOOTHING_MM, data_weight, edge_weight, link_weight
from ..settings import Settings
from . import remarks


class Fields:
    """The stages before inversion, run on construction of a subclass; everything in the closest RAS order.

    `maps` has what they give by name, `settings` what was found, `notes` what a user should know. Where background was
    removed, there are also `total_field`, the `local_field` and the `interior` in which it holds, `mask` in which χ is
    solved and `drawn`, its part with a field, both weights, and `signal` at echo time zero with its `fat_fraction`.
    `given_mask` is the user's, or None. `entry.fields_of` chooses the subclass.
    """

    def __init__(self, acquisition: Acquisition | MeasuredField, settings: Settings, mask):
        self.acquisition = acquisition  # not needed any more once this is made
        self.imaging_frequency = acquisition.imaging_frequency
        self.settings = self.given = settings
        self.notes_on_view = on_field_of_view(acquisition.affine, acquisition.shape, acquisition.source)
        of_strength = on_strength(acquisition.imaging_frequency, acquisition.source)
        self.notes = [*acquisition.notes, *self.notes_on_view, *of_strength]
        self.maps: dict[str, np.ndarray] = {}
        self.apart: dict[int, tuple] = {}  # what `solving.cortex_apart` finds, by padding: once for all inversions
        self.echo_times = None
        self.reorientation = acquisition.reorientation
        affine = self.reorientation.apply_affine(acquisition.affine)
        self.voxel_size = voxel_size(affine)
        self.b0_direction = b0_direction(affine, acquisition.b0_patient)
        self.fit_residual = None
        self.given_mask = None
        if mask is not None:
            self.given_mask = self.reorientation.apply(masks.checked_mask(mask, acquisition.shape))

    @property
    def signal(self) -> np.ndarray:
        """Signal at echo time zero; of a field, its magnitude."""
        return self.maps["water"] + self.maps["fat"] if "water" in self.maps else self.magnitude

    def _on_mask(self, signal, body) -> list[str]:
        """How the mask, which was given, lies on what gives signal."""
        placed = on_mask_orientation(self.mask, body, remarks.DIRECTIONS)
        return [*remarks.on_mask(self.mask, signal, self.acquisition.source), *placed]

    def _eroded(self, body) -> np.ndarray:
        """Mask of the body without its surface."""
        mask = masks.erode(body, self.settings.mask_erosion, self.voxel_size)
        if not mask.any() and self.notes_on_view:
            raise InputError(self.notes_on_view[0])  # a depth in mm is not what lies wrong then
        if not mask.any():
            raise InputError(
                f"No voxel of {self.acquisition.source} is farther than {self.settings.mask_erosion:g} mm from the "
                "surface of what gives signal; lower mask_threshold or mask_erosion, or give a mask."
            )
        return mask

    def _remove_background(self, total_ppm, edges, trust, progress):
        self.total_field, self.trust = total_ppm, trust
        self.local_field, self.interior = self.local(total_ppm, progress)
        self.maps["reliability"] = np.where(self.interior, trust, 0)
        self.drawn = self.mask & _planes_with(self.interior)
        self.maps["mask"] = self.drawn.astype(np.float32)
        # A mask that was made here may end where it likes.
        given = self.given_mask is not None
        left_out = np.count_nonzero(self.mask & ~self.drawn) if given else 0
        if given or self.settings.mask_erosion < remarks.NEAR_SKIN_MM:
            self.notes += remarks.on_surroundings(self.mask, self.body, self.voxel_size, self.settings.background)
        self.notes += remarks.on_slab(self.interior, int(left_out), self.voxel_size)
        self.maps["local_field"] = self.local_field
        self.weigh(edges)

    def weigh(self, edges: np.ndarray) -> None:
        """Make both weights, with edges of χ where those of an image are."""
        self.edges = edges
        self.data_weight = data_weight(self.magnitude, self.interior, self.trust)
        settings, image = self.settings, (edges, self.mask, self.voxel_size)
        smoothed = settings.edge_image == "smoothed-magnitude" or settings.edge_steepness is not None
        options = {"weight": settings.edge_weight, "smoothing": SMOOTHING_MM if smoothed else 0.0}
        if settings.edge_steepness is not None:
            self.edge_weight = link_weight(*image, steepness=settings.edge_steepness, **options)
        else:
            options |= {"fraction": settings.edge_fraction, "threshold": settings.edge_threshold}
            self.edge_weight = edge_weight(*image, **options)

    def local(self, total_ppm, progress) -> tuple[np.ndarray, np.ndarray]:
        """Return the local field of a total field, and where it holds."""
        local, interior = background.remove(
            # Where nothing was measured the field is noise of whole periods, which spheres and surfaces would spread.
            masks.fill_unreliable(total_ppm, self.trust, self.mask, self.voxel_size),
            self.mask,
            self.voxel_size,
            method=self.settings.background,
            air_first=self.settings.air_first,
            b0_direction=self.b0_direction,
            data_weight=data_weight(self.magnitude, self.mask, self.trust),
            body=self.body,
            progress=progress,
            **background.METHODS[self.settings.background].arguments(self.settings),
        )
        # Where nothing was measured (cortex, air) it is noise of whole periods, which weighted inversions do not see,
        # but others do.
        return masks.fill_unreliable(local, np.where(interior, self.trust, 0), interior, self.voxel_size), interior

    def change_of_local(self, more: np.ndarray, progress) -> np.ndarray:
        """Return by what a field more changes the local field, also where nothing was measured.

        A difference of two, since an air model takes off a field of its own: removals are affine, not linear.
        """
        return self.local(self.total_field + more, progress)[0] - self.local_field


def _planes_with(mask):
    """Voxels in whose planes, across each axis, lies a voxel of the mask."""
    return remarks.occupied(mask, 0) & remarks.occupied(mask, 1) & remarks.occupied(mask, 2)
