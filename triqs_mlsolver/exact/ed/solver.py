# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Exact diagonalisation of an impurity with a discrete bath at finite temperature: any blocks, any real interaction."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...numerics import legendre
from ...numerics.bath import fit_bath
from ...problem import DiscreteBath, Problem, Solution
from ...problem.solution import static_moments
from ...problem.symmetry import pair_mean, pair_orbits
from ...version import version
from .impurity_operators import ImpurityOperators, pair_correlators, why_not_hermitian
from .spectrum import Spectrum, why_too_large

_LARGEST_BATH = 6
_USUAL_BATH, _USUAL_MODES = 5, 12  # bath sites per flavour, and spin-orbitals in all, that are not exceeded unasked
_EXACT, _POOR = 1e-6, 0.02  # residuals of a bath fit below which it counts as exact, above which it is worth a warning
_SAFETY = 1.55  # with it 1.96 error bars of a fitted bath contained all true errors on the Bethe lattice
_ALIKE = 1e-12  # relative difference of hybridisations that share one fitted bath
_DIAGONAL = 1e-10  # size of off-diagonal elements of Δ that count as none
_DEGENERATE = 1e-6  # relative difference of eigenvalues of Δ(iω₀) that count as equal

log = logging.getLogger("triqs_mlsolver")


@dataclass(frozen=True, kw_only=True)
class ED:
    """Exact diagonalisation; a bath that is not discrete from the start is fitted.

    Parameters
    ----------
    n_bath : int, optional
        Bath sites per flavour used where the bath has to be fitted (1–6). By default 5, or as many as keep the problem
        within 12 spin-orbitals: 2 for two orbitals, 1 for three.
    improved_estimator : bool
        Deliver F = Σ G too. Where the bath is fitted, F/G is the self-energy of the discrete problem; Dyson's
        equation with the full Δ gives another.

    Notes
    -----
    `provenance["bath_residual"]` is the largest error of the fitted Δ(τ) relative to −Δ(0⁺) − Δ(β⁻) (zero for a bath
    known to be discrete), and `provenance["fidelity"]` is "exact" below 1e-6, else "bath-fit": such an answer has error
    bars from what one bath site less would change. They are no statistical noise, the same problem gives the same
    numbers, and true errors on the Bethe lattice were at most 1.96 of them. `statistics["density_matrix"]` is the
    impurity's, over Fock states whose bit i is flavour i and whose creators stand in ascending order.

    Examples
    --------
    >>> p = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35])
    >>> round(float(ED().solve(p).density[0]), 12)
    0.5
    """

    n_bath: int | None = None
    improved_estimator: bool = False
    name: ClassVar[str] = "ed"

    def __post_init__(self):
        if self.n_bath is not None and self.n_bath not in range(1, _LARGEST_BATH + 1):
            raise ValueError(
                f"n_bath = {self.n_bath!r}: this exact diagonalisation takes 1 to {_LARGEST_BATH} bath sites per "
                "flavour"
            )

    @staticmethod
    def supports(problem: Problem) -> str | None:
        """None where `problem` can be solved, else the reason why not."""
        if problem.terms and (reason := why_not_hermitian(problem)):
            return reason
        if problem.is_isolated or 2 * problem.n_flavours <= _USUAL_MODES:
            return None  # where the bath is too large, a fit will do
        if problem.bath is not None:
            return why_too_large(problem, problem.bath)
        return (
            f"{problem.n_flavours} flavours with a bath are too many to diagonalise (at most {_USUAL_MODES // 2}), "
            "unless the bath is known to be small (Problem.from_bath)"
        )

    def solve(self, problem: Problem) -> Solution:
        """G, correlators and self-energy moments of `problem`.

        Raises
        ------
        ValueError
            If the problem is too large or not Hermitian (see `supports`).
        """
        reason = self.supports(problem)
        if reason:
            raise ValueError(reason)
        start = time.perf_counter()
        n_sites = self._sites(problem)
        bath, residual = self.bath_of(problem, n_sites)
        if reason := why_too_large(problem, bath):
            raise ValueError(f"{reason}: lower n_bath = {self.n_bath}")
        found = self._answer(problem, bath)
        if residual >= _EXACT:
            coarse, coarse_residual = self.bath_of(problem, n_sites - 1)
            share = min(residual / coarse_residual, 1.0) if n_sites > 1 else 1.0
            found = replace(found, **_error_bars(problem, bath, found, self._answer(problem, coarse), share))
        if residual > _POOR:
            log.warning(
                "ed: %d bath sites fit the hybridisation to %.2g only, the answer is about as uncertain",
                n_sites,
                residual,
            )
        provenance = {
            "solver": self.name,
            "version": version,
            "seed": 0,
            "settings": f"n_bath={max(len(b.eps) for b in bath)}",
            "bath_residual": residual,
            "fidelity": "exact" if residual < _EXACT else "bath-fit",
            "seconds": time.perf_counter() - start,
        }
        return replace(found, provenance={**found.provenance, **provenance})

    def _answer(self, problem: Problem, bath: tuple[DiscreteBath, ...]) -> Solution:
        spectrum = Spectrum(problem, bath)
        G_l, F_l = green_functions(spectrum, improved_estimator=self.improved_estimator)
        return Solution(problem.beta, problem.gf_struct, G_l, F_l=F_l, **local_quantities(spectrum))

    # -- bath ------------------------------------------------------------------------------------------------------

    def bath_of(self, problem: Problem, n_sites: int | None = None) -> tuple[tuple[DiscreteBath, ...], float]:
        """The problem's own discrete bath, or one fitted with `n_sites` per flavour, and the residual of the fit."""
        n_sites = self._sites(problem) if n_sites is None else n_sites
        if problem.bath is not None and why_too_large(problem, problem.bath) is None:
            return problem.bath, 0.0
        if problem.is_isolated or n_sites == 0:
            return tuple(DiscreteBath(np.zeros(0), np.zeros((0, size))) for _, size in problem.gf_struct), 0.0
        fits: list[tuple[np.ndarray, tuple]] = []
        baths = [self._block_bath(problem, d, n_sites, fits) for d in problem.Delta_l]
        return tuple(b for b, _ in baths), max(r for _, r in baths)

    def _sites(self, problem: Problem) -> int:
        """Bath sites per flavour of a fit."""
        if self.n_bath is not None:
            return self.n_bath
        return min(_USUAL_BATH, (_USUAL_MODES - problem.n_flavours) // problem.n_flavours)

    def _block_bath(
        self, problem: Problem, Delta_l: np.ndarray, n_sites: int, fits: list
    ) -> tuple[DiscreteBath, float]:
        """Bath of one block, fitted in the basis that diagonalises Δ(iω₀), and the residual."""
        basis = orbital_basis(Delta_l)
        rotated = np.einsum("ak,lab,bk->kl", basis, Delta_l, basis)
        # an orbital that the bath does not reach has no sites; the fit of its rounding errors would count as a poor one
        reached = np.max(np.abs(rotated), axis=1) > _DIAGONAL * np.max(np.abs(rotated))
        unreached = np.zeros(0), np.zeros(0), 0.0
        found = [
            self._orbital_fit(problem, d, n_sites, fits) if there else unreached for d, there in zip(rotated, reached)
        ]
        bath = joined_bath([(eps, V) for eps, V, _ in found], basis)
        residual = max(r for _, _, r in found)
        if np.any(basis != np.eye(len(basis))):
            tau = legendre.quadrature(problem.beta, 64)[0]
            kernel = legendre.fermi_kernel(problem.beta, tau, bath.eps)
            missed = np.tensordot(kernel, bath.weights, axes=1) - legendre.evaluate(problem.beta, Delta_l, tau)
            strength = max(float(-sum(legendre.at_ends(problem.beta, d))) for d in rotated)
            residual = max(residual, float(np.max(np.abs(missed)) / strength))
        return bath, residual

    def _orbital_fit(self, problem: Problem, Delta_l: np.ndarray, n_sites: int, fits: list) -> tuple:
        """Levels, couplings and residual for one orbital; hybridisations that are alike share one fit."""
        size = np.max(np.abs(Delta_l), initial=0.0)
        for other, known in fits:
            if other.shape == Delta_l.shape and np.max(np.abs(other - Delta_l)) <= _ALIKE * size:
                return known
        symmetric = bool(np.max(np.abs(Delta_l[1::2]), initial=0.0) <= 1e-9 * size)
        found = fit_bath(problem.beta, Delta_l, n_sites, reach=problem.largest_energy, symmetric=symmetric)
        fits.append((Delta_l, found))
        return found


def _error_bars(
    problem: Problem, bath: tuple[DiscreteBath, ...], found: Solution, fewer: Solution, share: float
) -> dict:
    """Error bars of an answer with a fitted bath, as fields of `Solution`.

    Its differences from one with `fewer` sites, on G the `share` of them by which the residual of the fit has become
    smaller; or what the missed hybridisation changes at the same self-energy, where that is more: a site at the Fermi
    level of an insulator changes nothing. Σ(iω₀) of an insulator depends on the lowest energies, of which a residual
    says little: there the whole difference counts.
    """
    difference = [_SAFETY * (x - y) for x, y in zip(found.G_l, fewer.G_l)]
    changes = [
        [share * d for d in difference],
        [_SAFETY * _missed(problem, *block) for block in zip(found.G_l, problem.Delta_l, bath)],
    ]
    tau = np.linspace(0, problem.beta, 201)
    on_tau = lambda change: max(float(np.max(np.abs(legendre.evaluate(problem.beta, c, tau)))) for c in change)
    occupation = max(float(np.max(np.abs(legendre.at_ends(problem.beta, c)[1]))) for c in changes[1])
    at_iw0 = lambda change: max(float(np.max(np.abs(legendre.to_matsubara(c, 1)))) for c in change)
    return {
        "G_l_error": tuple(np.max(np.abs(pair), axis=0) for pair in zip(*changes)),
        "F_l_error": None if found.F_l is None else tuple(np.abs(x - y) for x, y in zip(found.F_l, fewer.F_l)),
        "nn_error": np.maximum(_SAFETY * share * np.abs(found.nn - fewer.nn), occupation),
        "provenance": {
            "G_tau_systematic": max(map(on_tau, changes)),
            "G_iw0_systematic": max(map(at_iw0, [difference, changes[1]])) / problem.beta,
        },
    }


def _missed(problem: Problem, G_l: np.ndarray, Delta_l: np.ndarray, bath: DiscreteBath) -> np.ndarray:
    """Change of G_l (n_l, n, n) when the whole Δ takes the place of the fitted bath and Σ stays."""
    n_iw = max(64, int(6 * problem.beta * problem.largest_energy))  # it falls like 1/ω³
    n_l = max(len(Delta_l), problem.n_l)
    fitted = legendre.from_poles(problem.beta, bath.eps, bath.weights, n_l)
    G = legendre.to_matsubara(G_l, n_iw)
    missed = legendre.to_matsubara(legendre.resized(Delta_l, n_l) - fitted, n_iw)
    change = np.linalg.inv(np.linalg.inv(G) - missed) - G
    return 2 * np.tensordot(legendre.transfer_matrix(np.arange(n_iw), len(G_l)).conj(), change, axes=(0, 0)).real


def orbital_basis(Delta_l: np.ndarray) -> np.ndarray:
    """Columns that diagonalise Im Δ(iω₀), and Re Δ(iω₀) where that leaves a choice, (n, n); unity for a diagonal Δ.

    The particle-hole map changes the sign of the real part alone, so that both problems have one basis.
    """
    size = Delta_l.shape[1]
    if np.max(np.abs(Delta_l * (1 - np.eye(size)))) <= _DIAGONAL * np.max(np.abs(Delta_l)):
        return np.eye(size)
    Delta = legendre.to_matsubara(Delta_l, 1)[0]
    strength, basis = np.linalg.eigh(Delta.imag)
    groups = np.split(np.arange(len(strength)), np.flatnonzero(np.diff(strength) > _DEGENERATE * np.ptp(strength)) + 1)
    for group in groups:
        inside = basis[:, group]
        basis[:, group] = inside @ np.linalg.eigh(inside.T @ Delta.real @ inside)[1]
    return basis


def joined_bath(sites: list[tuple[np.ndarray, np.ndarray]], basis: np.ndarray) -> DiscreteBath:
    """The bath of a block from levels and couplings of the sites of each orbital in `basis`."""
    V = [np.outer(couplings, orbital) for (_, couplings), orbital in zip(sites, basis.T)]
    return DiscreteBath(np.concatenate([eps for eps, _ in sites]), np.concatenate(V))


def green_functions(
    spectrum: Spectrum, *, improved_estimator: bool = False
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...] | None]:
    """Legendre coefficients of G, and of F if asked for, per block; what is alike by symmetry is computed once."""
    problem, space = spectrum.problem, spectrum.space
    N = problem.n_flavours
    labels = {"G": pair_orbits(spectrum.flavour_permutations, N)}
    if improved_estimator:  # Σ G is no symmetric matrix
        labels["F"] = pair_orbits(spectrum.flavour_permutations, N, ordered=True)
        commutators = ImpurityOperators(problem).commutators
    blocks = [range(o, o + size) for o, (_, size) in zip(problem.offsets, problem.gf_struct)]
    operators, pairs = {}, {}
    for kind, label in labels.items():
        for k in {int(label[a, b]) for block in blocks for a in block for b in block}:
            a, b = divmod(k, N)
            for flavour in (a, b):
                operators["c", flavour] = space.creation(flavour)
            if kind == "F" and ("q", a) not in operators:
                operators["q", a] = space.impurity_operator(commutators[a].T, N)
            pairs[kind, k] = (("c" if kind == "G" else "q", a), ("c", b))
    tau, _ = legendre.quadrature(problem.beta, problem.n_l + 24)
    values = spectrum.correlators(tau, operators, pairs.values())
    coefficients = {key: legendre.project(problem.beta, values[pair], problem.n_l) for key, pair in pairs.items()}
    matrix = lambda kind, block: [[coefficients[kind, int(labels[kind][a, b])] for b in block] for a in block]
    found = {kind: tuple(np.array(matrix(kind, block)).transpose(2, 0, 1) for block in blocks) for kind in labels}
    return found["G"], found.get("F")


def local_quantities(spectrum: Spectrum) -> dict:
    """nn, Σ∞, Σ₁, ⟨H_int⟩ and the density matrix of the impurity, as arguments of `Solution`."""
    problem = spectrum.problem
    if problem.is_density_density and problem.is_diagonal:  # nothing mixes the impurity's Fock states
        populations = spectrum.populations()
        nn = _alike(pair_correlators(problem, populations), spectrum)
        Sigma_infty, Sigma_1 = static_moments(problem, nn)
        h_int, rho = 0.5 * float(np.sum(problem.U * nn)), np.diag(populations)
    else:
        rho = spectrum.density_matrix()
        operators = ImpurityOperators(problem)
        nn = _alike(pair_correlators(problem, np.diag(rho)), spectrum)
        Sigma_infty, Sigma_1 = operators.moments(rho)
        h_int = operators.expectation(operators.h_int, rho)
    return {
        "nn": nn,
        "Sigma_infty": Sigma_infty,
        "Sigma_1": Sigma_1,
        "h_int": h_int,
        "statistics": {"density_matrix": rho},
    }


def _alike(pairs: np.ndarray, spectrum: Spectrum) -> np.ndarray:
    """Pair correlators that symmetries connect, made equal beyond rounding."""
    return pair_mean(pairs, pair_orbits(spectrum.flavour_permutations, len(pairs)))
