# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`Solver`: the interface of `triqs_cthyb.Solver`, answered from a learned database."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from .. import compat
from ..compat import containers
from ..problem import Problem, Solution
from . import error_bars, operators, problems
from .solver_core import SolverCore


class Solver(SolverCore):
    """Impurity solver with the interface of `triqs_cthyb.Solver`.

    Each `solve` answers from the database of solved problems where the model's error bound is within the tolerance, and
    runs the exact solver otherwise, whose answer is learned.

    Parameters
    ----------
    beta : float
        Inverse temperature (1/energy).
    gf_struct : list of (str, int)
        Names and sizes of the blocks, e.g. ``[("up", 1), ("down", 1)]``.
    n_iw, n_tau, n_l : int
        Sizes of the meshes handed out; n_tau ≥ 2 n_iw. They have no influence on the accuracy of the answer.
    delta_interface : bool
        Take Δ(τ) from `Delta_tau` and the levels from the `h_loc0` of `solve`, instead of `G0_iw`.
    database : str, path, Database or None
        File of solved problems, created where missing; "starter": the one that comes with the package, your own points
        in `mlsolver.h5`; None to keep the points in memory only.
    exact : str or object
        What to run where the model does not know: "auto", "segment", "matrix", "cthyb", "ed", or an object with
        ``solve(problem)`` and a string `name`.
    tolerance : float
        Largest accepted bound on the error of G(τ) (dimensionless); 0 means always exact.
    sigma_tolerance : float, optional
        Largest accepted bound on the relative error of Σ(iω₀); default: ten times `tolerance`.
    audit_rate : float
        Fraction of accepted problems that are solved exactly as well, to check the bounds.
    learn : bool
        Whether exact answers are added to the database.
    degenerate : list of lists of str, optional
        Sets of blocks that are alike, such as ``[["up", "down"]]``: levels and Δ are averaged over each set before
        every solve, where they differ by no more than noise. What does not differ at all is found without being
        declared.
    **options
        Further options of `LearnedSolver`, e.g. `allow_uncertified`, `random_seed`.

    Attributes
    ----------
    G0_iw, Delta_tau : BlockGf
        Input: fill the one that `delta_interface` selects. The other one is filled by `solve`.
    G_iw, Sigma_iw : BlockGf
        G(iω) and Σ(iω); start values may be assigned before the first `solve`.
    G_iw_raw, Sigma_iw_raw, G_tau, G_l : BlockGf or None
        As measured or predicted; None before `solve`.
    interaction_energy : float or None
        ⟨h_int⟩, its constant and its one-body terms included (energy); None before `solve` and where it is not known.
    G_tau_error, Sigma_iw_error : BlockGf or None
        One standard error of `G_tau` and abs `Sigma_iw`.
    last_decision : Decision or None
        Who answered, with which error bound, and why.

    Examples
    --------
    >>> from triqs_mlsolver import Solver
    >>> from triqs_mlsolver.compat import iOmega_n, inverse, n
    >>> S = Solver(beta=10.0, gf_struct=[("up", 1), ("down", 1)], n_iw=200, n_tau=1001, database=None, exact="ed")
    >>> for name, g0 in S.G0_iw:
    ...     _ = g0 << inverse(iOmega_n + 1.0 - 0.25 * inverse(iOmega_n - 0.3))
    >>> S.solve(h_int=2.0 * n("up", 0) * n("down", 0))
    >>> S.last_decision.source
    'exact'
    """

    _hdf5_format_ = "MLSolver"
    _IS_POST_PROCESSED = True
    _RESULTS = (
        *SolverCore._RESULTS, "G_iw", "G_iw_raw", "Sigma_iw", "Sigma_iw_raw", "G_moments", "Sigma_moments",
        "Sigma_Hartree", "orbital_occupations",
    )  # fmt: skip

    def __init__(
        self,
        beta: float,
        gf_struct: Sequence[tuple[str, int]],
        n_iw: int = 1025,
        n_tau: int = 10001,
        n_l: int = 30,
        delta_interface: bool = False,
        *,
        database: str | PathLike | object | None = "mlsolver.h5",
        exact: str | object = "auto",
        tolerance: float = 0.002,
        sigma_tolerance: float | None = None,
        audit_rate: float = 0.01,
        learn: bool = True,
        degenerate: Sequence[Sequence[str]] = (),
        **options,
    ):
        super().__init__(
            beta, gf_struct, n_iw, n_tau, n_l, delta_interface, database=database, exact=exact, tolerance=tolerance,
            sigma_tolerance=sigma_tolerance, audit_rate=audit_rate, learn=learn, degenerate=degenerate, **options,
        )  # fmt: skip
        self.G_iw = containers.block_gf(self._frequencies, self.gf_struct)
        self.Sigma_iw = containers.block_gf(self._frequencies, self.gf_struct)

    @property
    def Sigma_iw_error(self) -> object | None:
        """One standard error of abs `Sigma_iw` as a BlockGf (energy); None before `solve`."""
        if self._answer is None:
            return self._stored.get("Sigma_iw_error")
        return self._on_frequencies(error_bars.of_Sigma_iw(self._answer, self.n_iw))

    def _on_frequencies(self, positive: Sequence[np.ndarray]) -> object:
        return containers.block_gf(self._frequencies, self.gf_struct, [containers.both_signs(a) for a in positive])

    def _fill(self, problem: Problem, solution: Solution, parsed: operators.Interaction) -> None:
        super()._fill(problem, solution, parsed)
        G, Sigma = solution.G_iw(self.n_iw), solution.Sigma_iw(problem, self.n_iw)
        # G0⁻¹ − Σ where Σ was measured, so that Dyson's equation holds between what is handed out
        G0_inverse = problem.G0_inverse_iw(self.n_iw)
        consistent = G if solution.F_l is None else [np.linalg.inv(g0 - s) for g0, s in zip(G0_inverse, Sigma)]
        containers.fill(self.G_iw, [containers.both_signs(g) for g in consistent])
        self.G_iw_raw = self._on_frequencies(G)
        # cthyb's Σ contains the one-body part of h_int, our problem counts it among the levels
        self.Sigma_iw_raw = self._on_frequencies([s + q for s, q in zip(Sigma, parsed.quadratic)])
        self.Sigma_iw = self.Sigma_iw_raw.copy()
        self._fill_moments(problem, solution, parsed)

    def _fill_moments(self, problem: Problem, solution: Solution, parsed: operators.Interaction) -> None:
        """Moments and occupations in the form cthyb has them: dicts over blocks."""
        names = [bl for bl, _ in self.gf_struct]
        static = [s + q for s, q in zip(solution.Sigma_infty, parsed.quadratic)]
        self.Sigma_moments = {bl: np.array([s0, s1], complex) for bl, s0, s1 in zip(names, static, solution.Sigma_1)}
        self.Sigma_Hartree = {bl: m[0] for bl, m in self.Sigma_moments.items()}
        second = [h + s for h, s in zip(problem.h_loc0, solution.Sigma_infty)]
        self.G_moments = {bl: np.array([0 * m, np.eye(len(m)), m], complex) for bl, m in zip(names, second)}
        self.orbital_occupations = dict(zip(names, problems.occupations(problem, solution)))


compat.register_class(Solver)
