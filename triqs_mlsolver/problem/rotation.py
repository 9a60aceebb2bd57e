# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Orbitals in which an off-diagonal hybridisation is diagonal at all times, and the problem seen in them.

Dimers with equal sites, degenerate orbitals in a rotated basis, and any crystal field that the bath shares have one
orthogonal matrix per block that makes h_loc0 and Δ(τ) diagonal for all τ. With :math:`c_i = \sum_a R_{ia} d_a` the
interaction :math:`\sum T_{ijkl} c^\dagger_i c^\dagger_j c_k c_l` takes R for each index. Solved in these orbitals the
problem can be learned, and sampling it has less of a sign problem.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..numerics import legendre
from .problem import DiscreteBath, Problem
from .solution import Solution
from .symmetry import why_not_learnable

_ROUNDING = 1e-7  # of Δ off the diagonal, and of interaction terms, beside their largest: what rotating leaves behind
_DEGENERATE = 1e-8  # relative difference of eigenvalues that leave a choice of orbitals


@dataclass(frozen=True, eq=False)
class Rotation:
    """One orthogonal matrix per block, its columns the orbitals in which the problem is diagonal.

    Parameters
    ----------
    blocks : tuple of (n, n) arrays
    """

    blocks: tuple[np.ndarray, ...]

    @classmethod
    def diagonalising(cls, problem: Problem) -> Rotation | None:
        """The rotation that makes `problem` diagonal; None if it is, if there is none, or if nothing is gained.

        No orbital may lose all of its hybridisation. The model must describe the rotated interaction, and a
        density-density one must remain so, as it does where all U_ij are equal: a database holds interactions of one
        kind.
        """
        if problem.is_diagonal:
            return None
        rotation = cls(tuple(_common_eigenvectors(h, d) for h, d in zip(problem.h_loc0, problem.Delta_l)))
        for R, h, d in zip(rotation.blocks, problem.h_loc0, problem.Delta_l):
            if _off_diagonal(R.T @ h @ R) > _ROUNDING * max(np.max(np.abs(h)), problem.scale):
                return None
            if _off_diagonal(R.T @ d @ R) > _ROUNDING * np.max(np.abs(d)):
                return None
        rotated = rotation.problem(problem)
        if any(np.any(after & ~before) for before, after in zip(problem.unreached, rotated.unreached)):
            return None  # sampling would say nothing of an orbital without hybridisation
        same_kind = rotated.is_density_density == problem.is_density_density
        return rotation if same_kind and why_not_learnable(rotated) is None else None

    def problem(self, problem: Problem) -> Problem:
        """The same problem for the new orbitals."""
        diagonal = lambda a: a * np.eye(a.shape[-1])
        U, terms = self._interaction(problem)
        return replace(
            problem,
            h_loc0=tuple(diagonal(R.T @ h @ R) for R, h in zip(self.blocks, problem.h_loc0)),
            Delta_l=tuple(diagonal(R.T @ d @ R) for R, d in zip(self.blocks, problem.Delta_l)),
            U=U,
            terms=terms,
            bath=None
            if problem.bath is None
            else tuple(DiscreteBath(b.eps, b.V @ R) for R, b in zip(self.blocks, problem.bath)),
        )

    def solution(self, problem: Problem, rotated: Solution) -> Solution:
        """The answer to `problem` from that for the new orbitals.

        Pair correlators between different orbitals are not among what is known, and NaN: they take correlators of four
        different orbitals. What the solver itself handed out stays behind, since it is about the new orbitals.
        """
        back = lambda blocks: None if blocks is None else tuple(R @ a @ R.T for R, a in zip(self.blocks, blocks))
        error = lambda blocks: None if blocks is None else tuple(
            np.sqrt(R**2 @ e**2 @ (R**2).T) for R, e in zip(self.blocks, blocks)
        )  # fmt: skip
        G_l = back(rotated.G_l)
        densities = [-np.diag(legendre.at_ends(problem.beta, g)[1]) for g in G_l]
        nn = np.full_like(rotated.nn, np.nan)
        np.fill_diagonal(nn, np.concatenate(densities))
        return replace(
            rotated,
            G_l=G_l,
            G_l_error=error(rotated.G_l_error),
            F_l=back(rotated.F_l),
            F_l_error=error(rotated.F_l_error),
            Sigma_infty=back(rotated.Sigma_infty),
            Sigma_1=back(rotated.Sigma_1),
            nn=nn,
            nn_error=None,
            statistics={},
        )

    def _interaction(self, problem: Problem) -> tuple[np.ndarray, tuple]:
        """U_ij and the other terms for the new orbitals."""
        N = problem.n_flavours
        R = np.zeros((N, N))
        for o, block in zip(problem.offsets, self.blocks):
            R[o : o + len(block), o : o + len(block)] = block
        T = np.zeros((N,) * 4)
        for i, j in zip(*np.nonzero(problem.U)):
            T[i, j, j, i] += 0.5 * problem.U[i, j]
        for value, indices in problem.terms:
            T[indices] += value
        T = np.einsum("ijkl,ia,jb,kc,ld->abcd", T, R, R, R, R, optimize=True)
        T = T - T.swapaxes(0, 1)
        T = T - T.swapaxes(2, 3)
        T[np.abs(T) <= _ROUNDING * np.max(np.abs(T), initial=0.0)] = 0.0
        U, terms = np.zeros((N, N)), []
        for a, b, c, d in zip(*(index.tolist() for index in np.nonzero(T))):
            if a < b and c > d:
                if (a, b) == (d, c):
                    U[a, b] = U[b, a] = T[a, b, c, d]
                else:
                    terms.append((float(T[a, b, c, d]), (a, b, c, d)))
        return U, tuple(terms)


def _common_eigenvectors(h: np.ndarray, Delta_l: np.ndarray) -> np.ndarray:
    """Columns that diagonalise h and all Delta_l (n_l, n, n), if anything does; unity where all are diagonal.

    Commuting matrices have the eigenvectors of a combination of them that is no accident.
    """
    size = len(h)
    if _off_diagonal(h) == 0 and _off_diagonal(Delta_l) == 0:
        return np.eye(size)
    matrices = np.concatenate([h[None], Delta_l])
    strength = np.max(np.abs(matrices), axis=(1, 2), keepdims=True)
    weight = 0.5 + np.mod(np.arange(1, len(matrices) + 1) * 0.5 * (1 + np.sqrt(5)), 1.0)
    kept = strength[:, 0, 0] > 1e-3 * np.max(strength[1:], initial=0.0)
    mixed = np.tensordot(weight[kept], matrices[kept] / strength[kept], axes=1)
    values, vectors = np.linalg.eigh(0.5 * (mixed + mixed.T))
    cuts = np.flatnonzero(np.diff(values) > _DEGENERATE * np.max(np.abs(values))) + 1
    for group in np.split(np.arange(size), cuts):  # of degenerate orbitals, those along the given ones
        inside = vectors[:, group]
        vectors[:, group] = inside @ np.linalg.eigh(inside.T @ np.diag(np.arange(size)) @ inside)[1]
    return vectors


def _off_diagonal(a: np.ndarray) -> float:
    return float(np.max(np.abs(a - a * np.eye(a.shape[-1])), initial=0.0))
