"""Colors of maps, the same in figures and in the scene."""

import numpy as np

# Anchors at equal steps, red, green and blue of 255. Both are dark where there is little to see, as is the background
# of slice views and the page of figures, and get lighter from there: sequential from low to high (as matplotlib's
# viridis), diverging from the middle to both ends, blue below and red above. Its hues are those of matplotlib's berlin,
# but 19, 40, 57 and 75 of 100 light on either side, so that a field and its negative stand out alike.
_ANCHORS = {
    "sequential": (
        (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140), (40, 174, 128), (94, 201, 98),
        (173, 220, 48), (253, 231, 37),
    ),
    "diverging": (
        (165, 181, 255), (72, 143, 191), (38, 101, 130), (21, 49, 64), (12, 12, 12), (86, 27, 2), (156, 67, 40),
        (196, 115, 102), (242, 164, 164),
    ),
}  # fmt: skip
COLORS = 256


def color_table(kind: str) -> np.ndarray:
    """Return red, green and blue, 0 to 1, of a kind of map from its lowest to its highest value, (256, 3).

    Parameters
    ----------
    kind : {"sequential", "diverging"}
        As `quantities.Quantity.colors` has it.
    """
    anchors = np.array(_ANCHORS[kind]) / 255
    along, places = np.linspace(0, 1, COLORS), np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(along, places, channel) for channel in anchors.T], axis=1)
