"""How the marrow around one sphere or cylinder dephases, by integrals over its analytic field; shared by the tests.

In the static dephasing regime N objects of volume v at random places in V leave of the marrow's signal
``S(t) = exp(−(N v / V) g)`` with ``g = (1/v) ∫_outside (1 − e^{iω(r)t}) d³r`` of one object (Yablonskiy & Haacke, MRM
1994, doi 10.1002/mrm.1910320610). Early, g is 2/5 (sphere) or 1/4 (cylinder) of the square of the turn δω t; late, it
grows by 2π/(3√3) or 1 for each radian. δω is γ B0 Δχ / 3 for a sphere and γ B0 Δχ sin²θ / 2 for a cylinder.
"""

import numpy as np
from scipy.special import j0


def sphere(turn: float, reach: float = 0.0) -> complex:
    """g of a sphere for δω t in rad: ω = δω x (3u² − 1) with x = (R/r)³ and u = cos θ, to r where x is `reach`.

    ``∫ dx/x² ½ ∫ du (1 − e^{i turn x (3u² − 1)})``
    """
    u, weight = np.polynomial.legendre.leggauss(200)
    return _over_shells(lambda x: (1 - np.exp(1j * turn * x[:, None] * (3 * u**2 - 1))) @ weight / 2, reach)


def cylinder(turn: float, reach: float = 0.0) -> complex:
    """g of a cylinder for δω t in rad: ω = δω x cos 2φ with x = (R/r)², to r where x is `reach`.

    ``∫ dx/x² (1 − J0(turn x))``
    """
    return _over_shells(lambda x: 1 - j0(turn * x), reach)


def _over_shells(lost, reach):
    """Integral of ``lost(x) / x²`` from `reach` to 1, in the logarithm of x."""
    # Nearer to zero nothing is lost that counts: the integrand is even there.
    low = np.log(max(reach, 1e-6))
    node, weight = np.polynomial.legendre.leggauss(400)
    x = np.exp(low * (1 - node) / 2)
    return (-low / 2) * np.sum(weight * lost(x) / x)
