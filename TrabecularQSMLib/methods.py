"""What is known of a method beside its code: a record, from which flags, panels and Docs/Methods.md follow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Method:
    """A method, as people and the rest of the library need to know it.

    Parameters
    ----------
    function : callable
        What computes it.
    title : str
        What people call it.
    solves : str
        What it minimizes or solves, in one line.
    test : str
        Test class that holds its truth, ``"test_file.ClassTest"``.
    reference : str
        Publication with its DOI; empty where the method is ours.
    options : mapping of str to str
        Keyword of `function` to the name of the setting that it gets. A setting that is None is not passed: the
        function's own default counts then.
    """

    function: Callable
    title: str
    solves: str
    test: str
    reference: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def arguments(self, settings) -> dict:
        """Return the keywords of the function that `settings` give."""
        values = {keyword: getattr(settings, name) for keyword, name in self.options.items()}
        return {keyword: value for keyword, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Background(Method):
    """A background field removal.

    Parameters
    ----------
    needs : tuple of str
        Which of ``b0_direction``, ``data_weight`` and ``body`` its function takes.
    """

    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Inversion(Method):
    """A dipole inversion.

    Parameters
    ----------
    power : int
        p of the regularizer ``λ ‖W_g ∇χ‖_p^p``, 1 or 2, which gives λ its unit.
    weighted : bool
        Whether the function takes `data_weight` and `edge_weight`.
    total : bool
        Whether it takes the total field, of a mask that is not eroded, and no background removal before.
    regularization : float
        λ where a preset names none for this inversion.
    beyond : float, optional
        W_g of links beyond the interior where edges are soft (`inversion.weights.beyond_interior`): χ there stands for
        what background removal left, and edges of the image tell nothing of it. Default: that of edges.
    effort : float
        About how long it takes against all stages before it, on the digital ankle, so that what is left of a run can be
        foretold.
    """

    power: int
    weighted: bool
    regularization: float
    effort: float = 1.0
    total: bool = False
    beyond: float | None = None

    @property
    def unit(self) -> str:
        """Unit of λ."""
        return "mm²" if self.power == 2 else "ppm·mm"
