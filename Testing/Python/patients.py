"""Digital patients that several tests look at, made once."""

from functools import lru_cache

import numpy as np

from TrabecularQSMLib.phantom import PhantomSettings, make_phantom

COARSE = PhantomSettings(shape=(48, 48, 24), snr=None)
TRUTHS = {
    "chi", "pdff", "field_hz", "total_field", "local_field", "r2star", "bvtv", "cortex", "water", "fat", "signal",
}  # fmt: skip


@lru_cache(maxsize=8)
def made(settings):
    return make_phantom(settings)


def positions_ras(phantom):
    """RAS coordinates in mm of all voxels, (3, K, J, I)."""
    k, j, i = np.indices(phantom.regions.shape)
    affine = phantom.acquisition.affine
    return np.einsum("rc,ckji->rkji", affine[:3, :3], np.stack([i, j, k])) + affine[:3, 3].reshape(3, 1, 1, 1)


def region_mean(phantom, name, label):
    return phantom.truth[name][phantom.regions == label].mean(dtype=float)
