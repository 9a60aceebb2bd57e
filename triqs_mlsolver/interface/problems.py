# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""From the input of a solver, as containers, to an impurity problem; and what of its answer only TRIQS has."""

from __future__ import annotations

import logging

import numpy as np

from ..compat.containers import block_arrays
from ..decision.decision import Answer
from ..numerics import hybridisation, legendre
from ..problem import Problem, Solution
from .operators import Interaction

logger = logging.getLogger("triqs_mlsolver")

_UNNOTICED = 1e-12  # relative size of what is dropped without a word


def problem_from_G0(
    G0_iw, gf_struct, mesh, interaction, off_diag_threshold: float = 0.0, imag_threshold: float = 0.0
) -> Problem:
    """The impurity problem of a Weiss field; blocks that are equal are analysed once.

    The thresholds are those of cthyb: off-diagonal levels and imaginary parts that are taken for zero (energy).
    """
    found: list[tuple[np.ndarray, tuple]] = []
    h, Delta_l = [], []
    for (bl, _), data in zip(gf_struct, block_arrays(G0_iw, gf_struct, mesh, "G0_iw")):
        known = next(
            (result for other, result in found if other.shape == data.shape and np.array_equal(other, data)), None
        )
        if known is None:
            known = hybridisation.from_G0(mesh.beta, data, bl, imag_threshold)
            found.append((data, known))
        level = known[0].copy()
        dropped = (np.abs(level) < off_diag_threshold) & ~np.eye(len(level), dtype=bool)
        if (size := np.max(np.abs(level[dropped]), initial=0.0)) > _UNNOTICED * np.max(np.abs(level)):
            logger.warning(
                "block %r: off-diagonal levels up to %.3g are dropped, since off_diag_threshold = %.3g allows it",
                bl, size, off_diag_threshold,
            )  # fmt: skip
        level[dropped] = 0.0
        h.append(level)
        Delta_l.append(known[1])
    return _problem(mesh.beta, gf_struct, h, Delta_l, interaction)


def problem_from_Delta(Delta_tau, h_loc0, gf_struct, mesh, interaction) -> Problem:
    """The impurity problem of Δ(τ) and a quadratic local Hamiltonian given as matrices per block.

    Raises
    ------
    ValueError, TypeError
        If Δ(τ) was never assigned (zero in all blocks), or is not on the blocks and mesh of the solver.
    """
    arrays = block_arrays(Delta_tau, gf_struct, mesh, "Delta_tau")
    if not any(np.any(d) for d in arrays):
        raise ValueError(
            f"Delta_tau is not set (all zero in {', '.join(repr(bl) for bl, _ in gf_struct)}): with "
            f"delta_interface=True fill it before solve(), e.g. S.Delta_tau[{gf_struct[0][0]!r}].data[:, 0, 0] = ..., "
            "with Delta(tau) <= 0. For an isolated atom use delta_interface=False and G0_iw << inverse(iOmega_n + mu)"
        )
    Delta_l = [hybridisation.from_Delta_tau(mesh.beta, d, bl) for (bl, _), d in zip(gf_struct, arrays)]
    return _problem(mesh.beta, gf_struct, h_loc0, Delta_l, interaction)


def _problem(beta, gf_struct, h_loc0, Delta_l, interaction) -> Problem:
    h = tuple(a + b for a, b in zip(h_loc0, interaction.quadratic))
    return Problem(beta, tuple(gf_struct), h, tuple(Delta_l), interaction.U, interaction.terms)


def occupations(problem: Problem, solution: Solution) -> list[np.ndarray]:
    """⟨c†_a c_b⟩ of each block, (n, n) (dimensionless)."""
    found = [-legendre.at_ends(problem.beta, g)[1].T for g in solution.G_l]
    for o, rho in zip(problem.offsets, found):
        np.fill_diagonal(rho, solution.density[o : o + len(rho)])
    return found


def interaction_energy(answer: Answer, interaction: Interaction, rho: list[np.ndarray]) -> float | None:
    """⟨h_int⟩ (energy): of the two-body terms in whichever orbitals they were solved in, plus what else h_int holds.

    Parameters
    ----------
    answer : Answer
        As solved; None is returned where it does not know the energy of its interaction.
    interaction : Interaction
        What h_int says.
    rho : list of (n, n) arrays
        `occupations`, in the orbitals of h_int.
    """
    problem, solution = answer.problem, answer.solution
    if solution.h_int is not None:
        two_body = solution.h_int
    elif problem.is_density_density:
        two_body = 0.5 * float(np.sum(problem.U * solution.nn))
    else:
        return None
    one_body = sum(float(np.sum(q * r)) for q, r in zip(interaction.quadratic, rho))
    return two_body + one_body + interaction.constant


def fock_states_by_energy(levels: np.ndarray, U: float) -> list[int]:
    """Fock states 0, ↑, ↓, ↑↓ (bit k = flavour k) of one orbital by energy, the order of TRIQS' atom_diag."""
    energy = np.array([0.0, levels[0], levels[1], levels[0] + levels[1] + U])
    unit = np.max(np.abs(energy)) or 1.0  # states closer than rounding keep the order of their bits
    return [int(i) for i in np.argsort(np.round(energy / unit, 12), kind="stable")]


def single_orbital_density_matrix(nn: np.ndarray, levels: np.ndarray, U: float) -> list[np.ndarray]:
    """Reduced density matrix, one (1, 1) block per Fock state, from ⟨n_i n_j⟩ of two flavours."""
    up, down, both = nn[0, 0], nn[1, 1], nn[0, 1]
    probability = [1 - up - down + both, up - both, down - both, both]
    return [np.array([[probability[s]]]) for s in fock_states_by_energy(levels, U)]
