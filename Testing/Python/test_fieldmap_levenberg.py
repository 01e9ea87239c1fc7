"""Least squares in many voxels at once, against minima that are known."""

import unittest

import numpy as np

from TrabecularQSMLib.fieldmap.levenberg import invertible, minimize


def valley(some, at):
    """Rosenbrock's valley (1 − x)² + 100 (y − x²)² as a sum of squares, for every voxel: its minimum is (1, 1)."""
    x, y = at.T
    residual = np.stack([1 - x, 10 * (y - x**2)])
    jacobian = np.stack([np.stack([np.ones_like(x), 20 * x]), np.stack([np.zeros_like(x), -10 * np.ones_like(x)])])
    return (residual**2).sum(axis=0), np.einsum("pev,ev->vp", jacobian, residual), normal_of(jacobian)


def normal_of(jacobian):
    return np.einsum("pev,qev->vpq", jacobian, jacobian)


def bend(some, at):
    """(arctan x)²: from beyond 1.39 the plain step of Gauss and Newton leads ever farther away."""
    x = at[:, 0]
    residual, jacobian = -np.arctan(x), (1 / (1 + x**2))[None, None]
    return residual**2, np.einsum("pev,ev->vp", jacobian, residual[None]), normal_of(jacobian)


def solve(equations, start, **changes):
    given = {"rates": slice(1, None), "limits": (-np.inf, np.inf), "iterations": 200}
    moving = lambda before, after: np.abs(after - before).max(axis=1) > 1e-9  # noqa: E731
    return minimize(equations, np.asarray(start, float), **{**given, "is_moving": moving, **changes})


class MinimizeTest(unittest.TestCase):
    def test_the_end_of_a_bent_valley_is_found_from_all_sides(self):
        start = np.random.default_rng(0).uniform(-3, 3, (50, 2))
        kept = start.copy()
        np.testing.assert_allclose(solve(valley, start), 1, atol=1e-6)
        np.testing.assert_array_equal(start, kept)

    def test_a_step_that_raises_the_cost_is_taken_back_and_damped_until_it_lowers_it(self):
        np.testing.assert_allclose(solve(bend, [[3.0], [-20.0], [0.5]]), 0, atol=1e-9)

    def test_rates_stay_within_their_limits_and_others_are_free(self):
        found = solve(valley, [[0.3, 0.2], [2.0, 0.1]], limits=(0.0, 0.25))
        np.testing.assert_allclose(found[:, 1], 0.25)
        self.assertGreater(found[:, 0].min(), 0.5)
        np.testing.assert_allclose(solve(valley, [[0.3, 0.2]], limits=(0.0, 1.5)), 1, atol=1e-6)

    def test_a_voxel_that_is_done_is_left_alone_while_others_go_on(self):
        counts = []

        def counting(some, at):
            counts.append(len(at))
            return valley(some, at)

        solve(counting, [[1.0, 1.0], [-2.0, 3.0]])
        self.assertEqual((counts[0], set(counts[1:])), (2, {1}))

    def test_a_matrix_without_curvature_can_be_inverted(self):
        normal = np.stack([np.zeros((3, 3)), np.diag([4.0, 0.0, 1.0])])
        self.assertTrue(np.isfinite(np.linalg.inv(invertible(normal))).all())
        np.testing.assert_allclose(invertible(normal), normal, atol=1e-11)


if __name__ == "__main__":
    unittest.main()
