"""The physics of χ and R2′ in trabecular bone: bony inclusions of known shape, their field, and what is measured of it.

`draw_geometry` places inclusions, `FieldModel` has their field and their χ, `measure_geometry` measures one geometry,
and `monte_carlo` repeats that over a grid of parameters.
"""
