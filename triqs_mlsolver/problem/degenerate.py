# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Blocks that are declared degenerate: averaged where they differ by noise, refused where they differ by more.

What a problem does not tell apart is found without being declared; but Δ out of a Monte Carlo G is noisy, and blocks
that differ by noise are different problems to every solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..numerics import legendre
from .problem import Problem

ALLOWED = 0.02  # difference of degenerate blocks, relative to the size of what is compared, that passes for noise
_SAME_INTERACTION = 1e-9  # relative to the largest energy: h_int carries no noise


def averaged(problem: Problem, degenerate: Sequence[Sequence[str]], *, allowed: float = ALLOWED) -> Problem:
    """`problem` with levels and Δ averaged over each set of degenerate blocks.

    Parameters
    ----------
    problem : Problem
        Its bath, if known to be discrete, is forgotten where anything is declared.
    degenerate : sequence of sequences of str
        Sets of block names, such as ``[["up", "down"]]``; a block that is in none stays as it is.
    allowed : float
        Largest difference of a block from its average: of Δ(τ) relative to −Δ(0⁺) − Δ(β⁻), and of levels relative to
        the scale D.

    Raises
    ------
    ValueError
        If blocks differ by more, by how much; if the interaction tells them apart; for unknown names, names in two sets
        and blocks of different sizes.

    Examples
    --------
    >>> p = Problem.siam(beta=10.0, U=2.0, mu=1.0, eps=[-0.5, 0.5], V=[0.35, 0.35], field=0.001)
    >>> averaged(p, [["up", "down"]]).levels.tolist()
    [-1.0, -1.0]
    >>> averaged(p, [["up", "down"]], allowed=0.0005)
    Traceback (most recent call last):
    ...
    ValueError: blocks 'up', 'down' were declared degenerate, but their levels differ from their mean by 0.001 D, more
    than \
the 0.0005 allowed for noise: correct the input, or declare fewer blocks degenerate
    """
    sets = block_numbers(problem.gf_struct, degenerate)
    if not sets:
        return problem
    h_loc0, Delta_l = list(problem.h_loc0), list(problem.Delta_l)
    for members in sets:
        names = ", ".join(repr(problem.gf_struct[b][0]) for b in members)
        n_l = max(len(Delta_l[b]) for b in members)
        Delta = [legendre.resized(Delta_l[b], n_l) for b in members]
        level, bath = (np.mean(values, axis=0) for values in ([h_loc0[b] for b in members], Delta))
        strength = max(float(np.max(-sum(legendre.at_ends(problem.beta, bath)))), 1e-300)
        tau, _ = legendre.quadrature(problem.beta, 64)
        off_bath = max(np.max(np.abs(legendre.evaluate(problem.beta, d - bath, tau))) for d in Delta) / strength
        off_level = max(np.max(np.abs(h_loc0[b] - level)) for b in members) / problem.unit
        for what, off, unit in (("levels", off_level, " D"), ("Delta(tau)", off_bath, " of its size")):
            if off > allowed:
                raise ValueError(
                    f"blocks {names} were declared degenerate, but their {what} differ from their mean by "
                    f"{off:.2g}{unit}, more than the {allowed:g} allowed for noise: correct the input, or declare "
                    "fewer "
                    "blocks degenerate"
                )
        _check_interaction(problem, members, names)
        for b in members:
            h_loc0[b], Delta_l[b] = level, bath
    return replace(problem, h_loc0=tuple(h_loc0), Delta_l=tuple(Delta_l), bath=None)


def block_numbers(gf_struct: Sequence[tuple[str, int]], degenerate: Sequence[Sequence[str]]) -> list[list[int]]:
    """Numbers of the blocks of each set; TypeError or ValueError for what cannot be degenerate."""
    names = [name for name, _ in gf_struct]
    if isinstance(degenerate, str) or any(isinstance(members, str) for members in degenerate):
        raise TypeError(f"degenerate = {degenerate!r}: give a list of lists of block names, such as [['up', 'down']]")
    every = [name for members in degenerate for name in members]
    if unknown := sorted(set(every) - set(names)):
        raise ValueError(f"degenerate names the blocks {unknown}, which are not in gf_struct: it has {names}")
    if twice := sorted({name for name in every if every.count(name) > 1}):
        raise ValueError(f"degenerate names the blocks {twice} more than once: join the sets they are in")
    sets = [[names.index(name) for name in members] for members in degenerate]
    for members in sets:
        sizes = {names[b]: gf_struct[b][1] for b in members}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"blocks of different sizes cannot be degenerate: {sizes}")
    return sets


def _check_interaction(problem: Problem, members: list[int], names: str) -> None:
    """Each orbital of the blocks must see the same interaction, in some order of the others."""
    seen = np.array(
        [[np.sort(problem.U[problem.offsets[b] + a]) for a in range(problem.gf_struct[b][1])] for b in members]
    )
    off = float(np.max(np.abs(seen - seen[0])))
    if off > _SAME_INTERACTION * max(problem.largest_energy, 1e-300):
        raise ValueError(
            f"blocks {names} were declared degenerate, but their density-density interactions differ by {off:.2g}: "
            "correct h_int, or declare fewer blocks degenerate"
        )
    terms = [[_terms_of(problem, problem.offsets[b] + a) for a in range(problem.gf_struct[b][1])] for b in members]
    limit = _SAME_INTERACTION * max(problem.largest_energy, 1e-300)
    for others in terms[1:]:
        for one, other in zip(terms[0], others):
            if len(one) != len(other) or np.any(np.abs(one - other) > limit):
                raise ValueError(
                    f"blocks {names} were declared degenerate, but further terms of h_int, such as pair-hopping, "
                    "differ "
                    "between them: correct h_int, or declare fewer blocks degenerate"
                )


def _terms_of(problem: Problem, flavour: int) -> np.ndarray:
    """Sizes of the interaction terms in which a flavour takes part, in order."""
    return np.sort([abs(value) for value, indices in problem.terms if flavour in indices])
