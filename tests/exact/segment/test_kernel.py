# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The compiled kernel of the segment solver: sweeps against numpy, and the state of a chain against its definition."""

from __future__ import annotations

from dataclasses import fields

import numba
import numpy as np
import pytest

from triqs_mlsolver.exact.bins import cell_projection
from triqs_mlsolver.exact.segment import kernel, sweeps
from triqs_mlsolver.exact.segment.chain import MarkovChain, RawBins
from triqs_mlsolver.exact.segment.symmetries import Symmetries
from triqs_mlsolver.exact.segment.vectors import row_times_matrix
from triqs_mlsolver.numerics import legendre
from triqs_mlsolver.problem import Problem


@numba.njit
def every_sweep(S, E, M, out, t, beta, n):
    row_times_matrix(out[0], S, M, n, n)
    sweeps.copy(out[1], S, n)
    sweeps.added(out[2], S, 0.5, E, n)
    return (
        sweeps.dot(S, E, n),
        sweeps.steps_before(S, E, t, n),
        sweeps.stretches_between(S, E, t, t + 1, n),
        sweeps.nearest_after(S, t, beta, n),
        sweeps.nearest_before(S, t, beta, n),
    )


@pytest.mark.parametrize("n", [1, 7, 8, 9, 23])
def test_sweeps_are_what_numpy_says(n):
    rng, beta, t = np.random.default_rng(n), 5.0, 1.7
    S, E = np.zeros((2, 24))
    S[:n], E[:n] = rng.uniform(0, beta, (2, n))
    M = np.zeros((24, 24))
    M[:n, :n] = rng.normal(size=(n, n))
    out = np.full((3, 24), np.nan)
    absent = np.arange(24) >= n
    S_far, E_far = np.where(absent, sweeps.NEVER, S), np.where(absent, sweeps.NEVER, E)
    product, *_ = every_sweep(S, E, M, out, t, beta, n)
    _, steps, stretches, after, before = every_sweep(S_far, E_far, M, np.empty((3, 24)), t, beta, n)
    assert np.allclose(out[0, :n], S[:n] @ M[:n, :n], atol=1e-12)
    assert np.array_equal(out[1, :n], S[:n]) and np.allclose(out[2, :n], (S + 0.5 * E)[:n])
    assert product == pytest.approx(S @ E)
    assert steps == np.sum(S[:n] <= t) - np.sum(E[:n] <= t)
    until = lambda x, u: np.sum(np.maximum(u - x[:n], 0))
    assert stretches == pytest.approx(until(S, t + 1) - until(E, t + 1) - until(S, t) + until(E, t))
    assert after == pytest.approx(np.min((S[:n] - t) % beta))
    assert before == pytest.approx(np.min((t - S[:n]) % beta))


@pytest.fixture(scope="module", params=[(20.0, 0.35, 0.9), (40.0, 0.6, 0.2), (15.0, 2.0, 1.1)])
def chain(request):
    """A chain that has run through orders from 0 to beyond the first vectors, at last beyond its first memory."""
    beta, V, mu = request.param
    problem = Problem.siam(beta=beta, U=2.0, mu=mu, eps=[-0.8, 0.3, 0.7], V=[V, V, V], field=0.1)
    symmetries = Symmetries.of(problem, [problem.delta_l(0), problem.delta_l(1)])
    chain = MarkovChain(problem, symmetries, 20, seed=5)
    chain.advance(1, 60007, False)
    return problem, chain


def test_inverse_matrices_invert_the_hybridisation(chain):
    problem, markov = chain
    c, beta = markov.chain, problem.beta
    for f, q in enumerate(c.slot):
        n = c.n_pairs[q]
        x = c.E[q, :n, None] - c.S[q, None, :n]
        Delta_l = markov.sampled[markov.model.delta_class[f]]
        Delta = legendre.evaluate(beta, Delta_l, np.where(x < 0, -x, beta - x).ravel()).reshape(n, n)
        F = -np.sign(x) * Delta
        assert np.allclose(c.M[q, :n, :n] @ F, np.eye(n), atol=1e-6)
        assert c.log_det[q] == pytest.approx(np.linalg.slogdet(F)[1], abs=1e-6)


def test_occupation_is_that_of_the_operators(chain):
    problem, markov = chain
    c, beta = markov.chain, problem.beta
    tau = np.unique(np.concatenate([[0.0, beta], c.S[c.S < beta], c.E[c.E < beta]]))
    middle, width = 0.5 * (tau[1:] + tau[:-1]), np.diff(tau)
    count = lambda times: np.sum(times[None, :] <= middle[:, None], axis=1)
    occupied = np.array([c.n0[q] + count(c.S[q]) - count(c.E[q]) for q in range(len(c.S))])
    assert set(np.unique(occupied)) <= {0, 1}
    overlap = np.einsum("qt,rt,t->qr", occupied, occupied, width)
    assert np.allclose(np.diag(overlap), c.length, atol=1e-8 * beta)
    assert overlap[0, 1] == pytest.approx(c.overlap[0, 1], abs=1e-8 * beta)


def test_what_lies_beyond_the_order_is_inert(chain):
    c = chain[1].chain
    for q, n in enumerate(c.n_pairs):
        assert np.all(c.S[q, n:] == sweeps.NEVER) and np.all(c.E[q, n:] == sweeps.NEVER)
        assert np.all(c.M[q, n:] == 0) and np.all(c.M[q, :, n:] == 0)
        assert np.all(c.S[q, :n] < chain[0].beta) and np.all(c.E[q, :n] < chain[0].beta)


def test_bins_of_ranks_stand_in_the_order_of_time():
    of_rank = lambda r: RawBins(*(np.arange(3.0)[:, None] + 10 * r for _ in fields(RawBins)))
    assert np.array_equal(RawBins.of_ranks([of_rank(0), of_rank(1)]).nn.ravel(), [0, 10, 1, 11, 2, 12])


def test_cubics_carry_the_legendre_polynomials():
    n_l = 80
    projection = cell_projection(8 * n_l, n_l, kernel.N_MOMENTS)
    half, u = 4 * n_l, np.linspace(-1, 1, 7)
    y = (np.arange(half)[:, None] + 0.5 * (u + 1)) / (half * np.sqrt(2))
    exact = legendre.vandermonde((2 * y**2 - 1).ravel(), n_l)
    cubic = np.einsum("um,cml->cul", np.vander(u, 4, increasing=True), projection[:half]).reshape(-1, n_l)
    assert np.max(np.abs(cubic - exact) / np.sqrt(2 * np.arange(n_l) + 1)) < 3e-6
