# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Non-crossing approximation at finite U in imaginary time (Bickers, Rev. Mod. Phys. 59, 845 (1987)).

Every occupation state m of the atom, of energy E_m, becomes a pseudo-particle with propagator R_m(τ), R_m(0) = 1, on
0 ≤ τ ≤ β:

.. math::
    -\partial_\tau R_m = E_m R_m - \int_0^\tau d\tau'\, S_m(\tau - \tau') R_m(\tau'), \qquad
    S_m(\tau) = -\sum_{i \notin m} \Delta_i(\beta - \tau) R_{m+i}(\tau) - \sum_{i \in m} \Delta_i(\tau) R_{m-i}(\tau),

.. math::
    G_i(\tau) = -\frac{1}{Z} \sum_{m \not\ni i} R_{m+i}(\tau) R_m(\beta - \tau), \qquad Z = \sum_m R_m(\beta) .

The physical subspace, one pseudo-particle, is built in: the integrals are time-ordered (Eckstein, Werner, PRB 82,
115115 (2010)). All E_m are shifted by a common λ that makes Z = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..numerics import legendre
from ..numerics.convolution import convolution_matrices
from ..problem import Problem, Solution
from .local import LocalGrid, occupation_states

_LARGEST = 10  # flavours; there are 2^N pseudo-particles
_STEP = 80.0  # βD N per step in which Δ is switched on, so that no step changes Z beyond all digits
_SLOWER = (1, 2, 4, 8)  # factors on the number of steps in which the self-energies are brought in


@dataclass(frozen=True)
class NCA:
    """All diagrams in Δ without crossing lines, for up to ten flavours with density-density interaction.

    Exact for Δ = 0. ⟨n_i n_j⟩ is right to first order in Δ. So is G of a single flavour; of several, it lacks the lines
    of other flavours that cross its ends. Not exact for U = 0. G is causal, but the self-energy that Dyson's equation
    gives for it need not be at low temperature: a feature to learn from, no answer.

    Parameters
    ----------
    tolerance : float, default 1e-9
        Largest change of any R_m(τ) in the last iteration. The iteration converges faster than geometrically.
    max_iterations : int, default 200

    Examples
    --------
    >>> p = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> round(float(NCA().solve(p).density[0]), 9)
    0.5
    """

    tolerance: float = 1e-9
    max_iterations: int = 200
    name: ClassVar[str] = "nca"

    def solve(self, problem: Problem) -> Solution:
        """The non-crossing answer.

        Raises
        ------
        ValueError
            If the problem is not diagonal, has terms beyond density-density, or more than ten flavours.
        RuntimeError
            If the iteration does not converge, as with a hybridisation that is not causal.
        """
        if problem.n_flavours > _LARGEST:
            raise ValueError(
                f"NCA takes up to {_LARGEST} flavours, not {problem.n_flavours}: it keeps all 2^N states of the atom"
            )
        local = LocalGrid(problem)
        particles = _PseudoParticles(local)
        R = self._converged(particles)
        n_nodes = problem.n_l + 24
        at_nodes = R @ local.grid.quadrature_from_tau(n_nodes).T
        G = np.stack([-np.sum(at_nodes[full] * at_nodes[empty, ::-1], axis=0) for empty, full in particles.pairs])
        G_l = legendre.project(problem.beta, G.T, problem.n_l)
        weights = R @ particles.end
        nn = np.einsum("s,si,sj->ij", weights, particles.states, particles.states)
        return local.solution_of_legendre(G_l, nn, self.name)

    def _converged(self, particles: _PseudoParticles) -> np.ndarray:
        """R_m(τ), (2^N, r), normalised to Z = 1; where Z turns negative, the self-energies are brought in more
        slowly.
        """
        change = np.nan
        for slower in _SLOWER:
            R, shift = particles.isolated()
            n_steps = slower * particles.n_steps
            for done in range(max(self.max_iterations, 2 * n_steps)):
                before = R
                share = min(1.0, (done + 1) / n_steps)
                R, shift = particles.improved(R, shift, share)
                change = np.max(np.abs(R - before))
                if change <= self.tolerance and share == 1:
                    return R
                if not np.isfinite(change):
                    break
        raise RuntimeError(
            f"NCA did not converge in {self.max_iterations} iterations (last change {change:.2g}): check that Δ(τ) is "
            "negative, or raise max_iterations"
        )


class _PseudoParticles:
    """One step of the self-consistency, in units of the temperature."""

    def __init__(self, local: LocalGrid):
        problem, self.grid = local.problem, local.grid
        beta, flavours = problem.beta, range(problem.n_flavours)
        self.n_steps = 1 + int(beta * problem.scale * problem.n_flavours / _STEP)
        self.states, energies = occupation_states(problem)
        self.energies = beta * (energies - energies.min())
        empty = [np.flatnonzero(self.states[:, i] == 0) for i in flavours]
        self.pairs = [(e, e + (1 << i)) for i, e in zip(flavours, empty)]
        tau_of = lambda coefficients: -(beta**2) * self.grid.tau_of_legendre(beta, coefficients)
        self.forward = [tau_of(problem.delta_l(i)) for i in flavours]
        self.backward = [tau_of(legendre.particle_hole(problem.delta_l(i))) for i in flavours]
        self.end = self.grid.interpolation(np.ones(1))[0]

    def isolated(self) -> tuple[np.ndarray, float]:
        """R_m(τ) and λ of the isolated atom."""
        shift = -float(np.log(np.sum(np.exp(-self.energies))))
        return self._bare(shift), shift

    def improved(self, R: np.ndarray, shift: float, share: float) -> tuple[np.ndarray, float]:
        """R_m(τ) in `share` of the self-energies of the R_m given, and the λ that normalises it."""
        bare, S = self._bare(shift), share * self._self_energies(R)
        kernel = convolution_matrices(self.grid, bare) @ convolution_matrices(self.grid, S)
        R = np.linalg.solve(np.eye(len(self.grid.tau)) - kernel, bare[:, :, None])[:, :, 0]
        Z = np.sum(R @ self.end)
        correction = -np.log(Z) if Z > 0 else np.nan
        return R * np.exp(correction * self.grid.tau), shift + correction

    def _self_energies(self, R: np.ndarray) -> np.ndarray:
        """S_m(τ), (2^N, r)."""
        S = np.zeros_like(R)
        for (empty, full), forward, backward in zip(self.pairs, self.forward, self.backward):
            S[empty] += backward * R[full]
            S[full] += forward * R[empty]
        return S

    def _bare(self, shift: float) -> np.ndarray:
        return np.exp(-np.outer(self.energies - shift, self.grid.tau))
