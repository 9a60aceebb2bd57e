# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Self-energy of a cluster with one to three bath sites: non-perturbative, blind to the finer bath.

The best sites jump where minima of a fit exchange their order. These here vary smoothly with the problem: the bath's
Hamiltonian is projected on as many of its states (`numerics.bath.projected_bath`), which average the bath over the
frequencies

.. math::
    a_{kj} = \omega_k\, e^{-\omega_k / w_j} \quad (k \ge j), \qquad w_0 = \sqrt{c\, \pi T D} .

D is the problem's scale, c and the other widths w_j are such that the error of G is small on random baths at all
temperatures. At high temperature, these are the sites whose Δ is right at the first frequencies.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ..exact.ed.impurity_operators import pair_correlators
from ..exact.ed.solver import green_functions, joined_bath, orbital_basis
from ..exact.ed.spectrum import Spectrum
from ..numerics.bath import projected_bath
from ..problem import DiscreteBath, Problem, Solution
from .cluster import answer_of_cluster
from .local import LocalGrid, pair_occupancy

_N_IW = 256  # Matsubara frequencies that are averaged over
_WIDTHS = {1: (0.1,), 2: (0.02, 0.3), 3: (0.02, 0.1, 0.5)}  # per number of sites: c, and the other w_j / D
_NARROW = 0.01  # width, in units of T, at which a filter passes one frequency only


@dataclass(frozen=True)
class FewSiteED:
    """Σ from exact diagonalisation with `n_bath` sites, G = 1/(iω − h − Δ − Σ) with the full Δ.

    Exact for U = 0 and for Δ = 0. Putting Σ into the full bath halves the error of the cluster's own G.

    Parameters
    ----------
    n_bath : int, default 1
        Bath sites per flavour, 1 to 3; several orbitals allow as many as make 16 spin-orbitals with them.
    """

    n_bath: int = 1

    def __post_init__(self):
        if self.n_bath not in (1, 2, 3):
            raise ValueError(f"n_bath = {self.n_bath}: the few-site approximation takes 1, 2 or 3 bath sites")

    @property
    def name(self) -> str:
        return f"ed{self.n_bath}"

    def solve(self, problem: Problem) -> Solution:
        """The answer with the cluster's self-energy; ValueError where the cluster is too large."""
        return copy.deepcopy(_solved(self, _Asked(_content(problem), problem)))  # the kept one is nobody's to change

    def _solve(self, problem: Problem) -> Solution:
        bath = self._bath(problem)
        if [size for _, size in problem.gf_struct] != [1, 1]:
            return answer_of_cluster(problem, bath, self.name)
        local = LocalGrid(problem)
        spectrum = Spectrum(problem, bath)
        G_l = np.stack([g[:, 0, 0] for g in green_functions(spectrum)[0]], axis=1)
        nn = pair_correlators(problem, spectrum.populations())
        Sigma = local.iw - local.levels - sum_of_poles(local.iw, bath) - 1 / local.grid.iw_of_legendre(G_l)
        G = 1 / (local.iw - local.levels - local.Delta - Sigma)
        static = problem.U @ np.diag(nn)
        pair = pair_occupancy(local, G, Sigma, static)
        n = local.density(G)
        return local.solution(G, np.array([[n[0], pair], [pair, n[1]]]), self.name)

    def _bath(self, problem: Problem) -> tuple[DiscreteBath, ...]:
        filters = low_frequency_filters(problem.beta * problem.scale, self.n_bath)
        baths = []
        for Delta_l, Delta_iw in zip(problem.Delta_l, problem.Delta_iw(len(filters))):
            basis = orbital_basis(Delta_l)
            orbitals = np.einsum("ak,wab,bk->kw", basis, Delta_iw, basis)
            baths.append(joined_bath([projected_bath(problem.beta, d, filters) for d in orbitals], basis))
        return tuple(baths)


@dataclass(frozen=True)
class _Asked:
    """A problem that is another one where all of its numbers are: `Problem` itself forgives rounding and other
    names.
    """

    content: tuple
    problem: Problem = field(compare=False)


@lru_cache(maxsize=4)  # IPT asks for the densities, then the model for G
def _solved(solver: FewSiteED, asked: _Asked) -> Solution:
    return solver._solve(asked.problem)


def _content(problem: Problem) -> tuple:
    """All that tells the problem from others, hashable."""
    arrays = [*problem.h_loc0, *problem.Delta_l, problem.U]
    arrays += [array for bath in problem.bath or () for array in (bath.eps, bath.V)]
    exact = tuple((array.shape, array.tobytes()) for array in arrays)
    return problem.beta, problem.gf_struct, problem.terms, problem.bath is None, exact


def low_frequency_filters(beta_scale: float, n: int) -> np.ndarray:
    """a_kj, (256, n), for `beta_scale` = βD; each normalised to its largest element."""
    omega = np.pi * (2 * np.arange(_N_IW) + 1)  # in units of T
    lowest, *others = _WIDTHS[n]
    width = np.array([np.sqrt(lowest * np.pi * beta_scale), *(w * beta_scale for w in others)])
    exponent = np.log(omega)[:, None] - omega[:, None] / np.maximum(width, _NARROW)
    exponent[np.arange(_N_IW)[:, None] < np.arange(n)] = -np.inf
    return np.exp(exponent - exponent.max(axis=0))


def sum_of_poles(iw: np.ndarray, bath) -> np.ndarray:
    """Δ(iω) of one-orbital baths at frequencies `iw` (n, 1); shape (n, number of blocks)."""
    return np.concatenate([np.sum(b.V[:, 0] ** 2 / (iw - b.eps), axis=1, keepdims=True) for b in bath], axis=1)
