# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""`solve_generic`: one function from Δ(iω), levels and interaction to G and Σ, as the solvers of TRIQS 4 have it.

triqs_cthyb and triqs_ctseg bring a function of that name and these arguments, which DMFT codes such as triqs_modest
call. Levels and self-energies come as one matrix per block, Σ split into its static and its dynamic part.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import compat
from ..compat import containers
from ..decision.learned_solver import LearnedSolver
from ..numerics import hybridisation, legendre
from .solver import Solver

_N_IW, _N_TAU = 1025, 10001
_shared: dict[tuple, tuple[LearnedSolver, dict]] = {}  # by options: model and history that later calls go on with


@dataclass(frozen=True, eq=False)
class SolverResults:
    """What `solve_generic` found.

    Attributes
    ----------
    Solver : Solver
        The solver, with all further results and `last_decision`.
    G_iw, G_tau, Sigma_iw : BlockGf
    Sigma_dynamic : BlockGf
        Σ(iω) − Σ(∞) (energy).
    Sigma_HartreeFock : list of (n, n) arrays
        Σ(∞) of each block (energy).
    """

    Solver: Solver
    G_iw: object
    G_tau: object
    Sigma_iw: object
    Sigma_dynamic: object
    Sigma_HartreeFock: list[np.ndarray]


def solve_generic(
    Delta_iw: object,
    h_loc0: object | Sequence[np.ndarray],
    h_int: object,
    postprocess: object | None = None,
    *,
    n_iw: int | None = None,
    n_tau: int | None = None,
    n_l: int = 30,
    **options,
) -> SolverResults:
    """Solve an impurity problem given by its hybridisation.

    Calls with the same options share one open database, model and run history in this process, as the iterations of a
    loop with one `Solver` do.

    Parameters
    ----------
    Delta_iw : BlockGf
        Δ(iω) on Matsubara frequencies (MeshImFreq or MeshDLRImFreq); names and sizes of the blocks
        follow from it.
    h_loc0 : Operator or sequence of (n, n) arrays
        Quadratic local Hamiltonian, −μ included: an operator, or one matrix per block in the order of `Delta_iw`.
    h_int : Operator
        The interaction.
    postprocess : optional
        How the solvers of TRIQS are to make Σ of noisy data. Answers here have exact tails, and nothing is left to do.
    n_iw, n_tau, n_l : int, optional
        Sizes of the meshes handed out; by default as many frequencies as `Delta_iw` has, and at least 10001 times.
    **options
        Options of `Solver` (`database`, `tolerance`, `exact`, ...) and solve parameters (`n_cycles`, ...) together.

    Returns
    -------
    SolverResults

    Raises
    ------
    TypeError, ValueError
        As `Solver` and its `solve`; for a mesh that is none of Matsubara frequencies, Δ that is not Hermitian, complex
        or does not vanish at high frequency, and matrices that do not fit the blocks.

    Examples
    --------
    >>> from triqs_mlsolver.compat import BlockGf, MeshImFreq, SemiCircular, n
    >>> Delta = BlockGf(mesh=MeshImFreq(10.0, "Fermion", 300), gf_struct=[("up", 1), ("down", 1)])
    >>> for _, d in Delta:
    ...     _ = d << 0.25 * SemiCircular(1.0)
    >>> found = solve_generic(Delta, [[[-1.0]], [[-1.0]]], 2.0 * n("up", 0) * n("down", 0), database=None, exact="ed")
    >>> round(float(found.Sigma_HartreeFock[0][0, 0].real), 6)
    1.0
    """
    if not isinstance(Delta_iw, compat.BlockGf):
        raise TypeError(f"Delta_iw must be a BlockGf, {type(Delta_iw).__name__} given")
    gf_struct = [(name, d.target_shape[0]) for name, d in Delta_iw]
    n_iw = n_iw or _n_iw(Delta_iw.mesh)
    names = _names_of_options()
    of_solver = {k: v for k, v in options.items() if k in names}
    params = {k: v for k, v in options.items() if k not in names}
    beta = float(Delta_iw.mesh.beta)
    S = Solver(beta, gf_struct, n_iw, n_tau or max(_N_TAU, 2 * n_iw), n_l, delta_interface=True, **of_solver)
    Delta_l = [hybridisation.from_Delta_iw(beta, _on_all_frequencies(d, n_iw).data, name) for name, d in Delta_iw]
    containers.fill(S.Delta_tau, [legendre.on_uniform_mesh(beta, d, S.n_tau) for d in Delta_l])
    _share_engine(S, _key(of_solver, gf_struct))
    S.solve(h_loc0=_as_operator(h_loc0, gf_struct), h_int=h_int, **params)
    dynamic = S.Sigma_iw.copy()
    static = [S.Sigma_Hartree[name] for name, _ in gf_struct]
    for (_, sigma), constant in zip(dynamic, static):
        sigma.data[...] -= constant
    return SolverResults(S, S.G_iw.copy(), S.G_tau.copy(), S.Sigma_iw.copy(), dynamic, [s.copy() for s in static])


def _share_engine(S: Solver, key: tuple) -> None:
    """Let `S` go on with the model and history of earlier calls of the same `key`."""
    known = _shared.get(key)
    S._learned = S._engine if known is None else known[0]
    # options that are objects are told apart by what they are: they must not be collected, on any rank
    _shared.setdefault(key, (S._learned, S._options))


def _n_iw(mesh) -> int:
    """Number of positive frequencies of a full Matsubara mesh; cthyb's default for a sparse one."""
    return len(mesh) // 2 if isinstance(mesh, compat.MeshImFreq) else _N_IW


def _on_all_frequencies(Delta, n_iw: int):
    """One block of Δ(iω) on a full Matsubara mesh."""
    if isinstance(Delta.mesh, compat.MeshImFreq):
        return Delta
    if isinstance(Delta.mesh, compat.MeshDLRImFreq):
        return compat.make_gf_imfreq(compat.make_gf_dlr(Delta), n_iw)
    raise TypeError(
        f"Delta_iw is given on a {type(Delta.mesh).__name__}: give Matsubara frequencies (MeshImFreq or MeshDLRImFreq)"
    )


def _names_of_options() -> set[str]:
    """Keywords that `Solver` takes itself or hands on to `LearnedSolver`; all others are solve parameters."""
    named = inspect.signature(Solver.__init__).parameters.values()
    own = {p.name for p in named if p.kind is inspect.Parameter.KEYWORD_ONLY}
    return own | set(inspect.signature(LearnedSolver.__init__).parameters) - {"self"}


def _key(options: dict, gf_struct: list[tuple[str, int]]) -> tuple:
    """What calls must have in common to share a model: blocks and options, an object being the same only as itself."""

    def known(name: str, value):
        if name == "database" and isinstance(value, (str, os.PathLike)):
            return os.path.abspath(value)
        return (
            value
            if isinstance(value, (str, int, float, type(None)))
            else repr(value)
            if name == "degenerate"
            else id(value)
        )

    return tuple(gf_struct), tuple(sorted((name, known(name, value)) for name, value in options.items()))


def _as_operator(h_loc0, gf_struct):
    """An operator as it is, matrices per block as an operator."""
    if isinstance(h_loc0, compat.Operator):
        return h_loc0
    matrices = [np.asarray(h) for h in h_loc0]
    sizes = [h.shape for h in matrices]
    if sizes != [(size, size) for _, size in gf_struct]:
        raise ValueError(
            f"h_loc0 has matrices of shape {sizes}, Delta_iw has the blocks {gf_struct}: give one per block"
        )
    imaginary = max(float(np.abs(h.imag).max()) for h in matrices)
    if imaginary > 1e-10 * max(float(np.abs(h).max()) for h in matrices):
        raise ValueError(f"h_loc0 is complex (largest imaginary part {imaginary:.3g}): only real levels are supported")
    return containers.quadratic_operator(gf_struct, [h.real for h in matrices])
