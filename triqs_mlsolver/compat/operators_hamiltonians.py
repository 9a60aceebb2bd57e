# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Interactions and observables of a shell as operators, with TRIQS' signatures.

In all of them spins go by `spin_names` and orbitals by their number. Operators are labelled (spin, orbital) with
``off_diag=True``, ("spin_orbital", 0) with ``off_diag=False``, or as ``map_operator_structure[spin, orbital]`` says.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from itertools import product

import numpy as np

from ..tools.validation import check_name
from .operators import Operator, c, c_dag, n
from .operators_coulomb import spherical_to_cubic

_PAULI = {
    "x": np.array([[0, 1], [1, 0]]),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.array([[1, 0], [0, -1]]),
    "+": np.array([[0, 2], [0, 0]]),
    "-": np.array([[0, 0], [2, 0]]),
}

# -- labels ------------------------------------------------------------------------------------------------------------


def get_mkind(off_diag: bool | None, map_operator_structure: dict | None) -> Callable[[str, int], tuple]:
    """The function from spin and orbital to the label of an operator."""
    if map_operator_structure is not None:
        return lambda spin, orbital: map_operator_structure[spin, orbital]
    if off_diag is None:
        raise ValueError("give off_diag (True or False) or map_operator_structure: they say how operators are labelled")
    return (lambda spin, orbital: (spin, orbital)) if off_diag else (lambda spin, orbital: (f"{spin}_{orbital}", 0))


def set_operator_structure(spin_names, n_orb: int, off_diag: bool) -> list[list]:
    """Blocks of Green's functions and their sizes, as ``[[name, size], ...]``."""
    n_orb = _count(n_orb)
    if off_diag:
        return [[spin, n_orb] for spin in spin_names]
    return [[f"{spin}_{orbital}", 1] for spin, orbital in product(spin_names, range(n_orb))]


# -- interactions ------------------------------------------------------------------------------------------------------


def h_int_density(
    spin_names, n_orb, U, Uprime, off_diag=None, map_operator_structure=None, H_dump=None, orb_names=None
) -> Operator:
    """½ Σ U_ij n_iσ n_jσ between equal spins, and with `Uprime` between opposite ones.

    Parameters
    ----------
    spin_names : sequence of str
    n_orb : int
    U, Uprime : (n_orb, n_orb) arrays
    off_diag, map_operator_structure
        Labels: see this module.
    H_dump : str, optional
        A file that receives the terms, one a line.
    orb_names
        No longer supported, as in TRIQS.
    """
    n_orb = _count(n_orb, orb_names)
    label = get_mkind(off_diag, map_operator_structure)
    terms = _density_terms(spin_names, n_orb, U, Uprime, label)
    return _summed(terms, H_dump, "Density-density")


def h_int_kanamori(
    spin_names, n_orb, U, Uprime, J_hund, off_diag=None, map_operator_structure=None, H_dump=None, orb_names=None
) -> Operator:
    """The interaction of `h_int_density` with spin flips and pair hopping of strength `J_hund`.

    H = … + J Σ_{i≠j} (−c†_i↑ c_i↓ c†_j↓ c_j↑ + c†_i↑ c†_i↓ c_j↓ c_j↑); parameters as in `h_int_density`.
    """
    n_orb = _count(n_orb, orb_names)
    label = get_mkind(off_diag, map_operator_structure)
    terms = list(_density_terms(spin_names, n_orb, U, Uprime, label))
    for (s, t), (a, b) in product(product(spin_names, repeat=2), product(range(n_orb), repeat=2)):
        if s != t and a != b:
            flip = c_dag(*label(s, a)) * c(*label(t, a)) * c_dag(*label(t, b)) * c(*label(s, b))
            hop = c_dag(*label(s, a)) * c_dag(*label(t, a)) * c(*label(t, b)) * c(*label(s, b))
            terms += [(-0.5 * J_hund, flip), (0.5 * J_hund, hop)]
    return _summed(terms, H_dump, "Kanamori")


def h_int_slater(
    spin_names, n_orb, U_matrix, off_diag=None, map_operator_structure=None, H_dump=None, complex=False, orb_names=None
) -> Operator:
    """½ Σ U_ijkl c†_iσ c†_jσ' c_lσ' c_kσ.

    Parameters
    ----------
    U_matrix : (n_orb,) * 4 array
    complex : bool
        Keep imaginary parts of U; else they are refused.

    Raises
    ------
    ValueError
        If U has imaginary parts beyond 1e-10 and `complex` is not set.

    Other parameters as in `h_int_density`.
    """
    n_orb = _count(n_orb, orb_names)
    label = get_mkind(off_diag, map_operator_structure)
    U = np.asarray(U_matrix)
    if not complex and np.abs(np.imag(U)).max(initial=0.0) > 1e-10:
        raise ValueError("elements of U_matrix are not real: use a basis in which they are (cubic), or complex=True")
    U = U if complex else np.real(U)
    terms = []
    for i, j, k, l in np.argwhere(U[:n_orb, :n_orb, :n_orb, :n_orb]).tolist():
        for s, t in product(spin_names, repeat=2):
            operator = c_dag(*label(s, i)) * c_dag(*label(t, j)) * c(*label(t, l)) * c(*label(s, k))
            terms.append((0.5 * U[i, j, k, l], operator))
    return _summed(terms, H_dump, "Slater")


def _density_terms(spin_names, n_orb, U, Uprime, label) -> Iterable[tuple[float, Operator]]:
    for (s, t), (a, b) in product(product(spin_names, repeat=2), product(range(n_orb), repeat=2)):
        yield 0.5 * (U if s == t else Uprime)[a, b], n(*label(s, a)) * n(*label(t, b))


def _summed(terms, path: str | None = None, title: str = "") -> Operator:
    """Σ value × operator of pairs; written to the file `path` where one is given."""
    terms = [(value, operator) for value, operator in terms if value != 0 and not operator.is_zero()]
    if path is not None:
        with open(path, "w", encoding="utf-8") as file:
            print(f"{title} Hamiltonian:", *(f"{v}\t{op}" for v, op in terms), sep="\n", file=file)
    total = Operator()
    for value, operator in terms:
        total += value * operator
    return total


def _count(n_orb, orb_names=None) -> int:
    """Number of orbitals; older scripts list their names instead."""
    if orb_names is not None:
        raise RuntimeError("orb_names is no longer taken: give n_orb, how many orbitals there are")
    if isinstance(n_orb, (list, tuple)):
        warnings.warn("orbitals go by number: give how many there are, not a list of their names", stacklevel=3)
        return len(n_orb)
    return n_orb


# -- observables -------------------------------------------------------------------------------------------------------


def N_op(spin_names, n_orb, off_diag=None, map_operator_structure=None, orb_names=None) -> Operator:
    """Number of electrons."""
    n_orb = _count(n_orb, orb_names)
    label = get_mkind(off_diag, map_operator_structure)
    return _summed((1.0, n(*label(s, a))) for s, a in product(spin_names, range(n_orb)))


def S_op(component, spin_names, n_orb, off_diag=None, map_operator_structure=None, orb_names=None) -> Operator:
    """A component of the spin: "x", "y", "z", "+" or "-"."""
    n_orb = _count(n_orb, orb_names)
    check_name("component", component, _PAULI)
    label = get_mkind(off_diag, map_operator_structure)
    pairs = product(enumerate(spin_names), enumerate(spin_names), range(n_orb))
    return _summed(
        (0.5 * _PAULI[component][i, j], c_dag(*label(s, a)) * c(*label(t, a))) for (i, s), (j, t), a in pairs
    )


def S2_op(spin_names, n_orb, off_diag=None, map_operator_structure=None, orb_names=None) -> Operator:
    """Square of the total spin."""
    z, plus, minus = (S_op(k, spin_names, n_orb, off_diag, map_operator_structure, orb_names) for k in ("z", "+", "-"))
    return z * z + 0.5 * (plus * minus + minus * plus)


def L_op(
    component, spin_names, n_orb, off_diag=None, map_operator_structure=None, basis="spherical", T=None, orb_names=None
) -> Operator:
    """A component of the angular momentum of a shell, l = (n_orb − 1)/2; `basis` and `T` as in `U_matrix_slater`."""
    n_orb = _count(n_orb, orb_names)
    check_name("component", component, _PAULI)
    check_name("basis", basis, ["spherical", "cubic", "other"])
    l = (n_orb - 1) / 2
    m = np.arange(n_orb) - l
    plus = np.diag(np.sqrt(l * (l + 1) - m[:-1] * (m[:-1] + 1)), -1)  # ⟨m+1|L+|m⟩
    L = {"z": np.diag(m), "+": plus, "-": plus.T, "x": (plus + plus.T) / 2, "y": (plus - plus.T) / 2j}[component]
    if basis == "cubic":
        if n_orb % 2 == 0:
            raise ValueError(f"n_orb = {n_orb} orbitals are no shell of cubic harmonics: there are 2l + 1 of them")
        T = spherical_to_cubic(n_orb // 2)
    if basis == "other" and T is None:
        raise ValueError("basis = 'other' needs T, which turns spherical harmonics into that basis")
    if T is not None:
        L = np.conj(T) @ L @ np.transpose(T)
    label = get_mkind(off_diag, map_operator_structure)
    triples = product(spin_names, range(n_orb), range(n_orb))
    return _summed((L[a, b], c_dag(*label(s, a)) * c(*label(s, b))) for s, a, b in triples)


def L2_op(
    spin_names, n_orb, off_diag=None, map_operator_structure=None, basis="spherical", T=None, orb_names=None
) -> Operator:
    """Square of the angular momentum."""
    z, plus, minus = (
        L_op(k, spin_names, n_orb, off_diag, map_operator_structure, basis, T, orb_names) for k in ("z", "+", "-")
    )
    return z * z + 0.5 * (plus * minus + minus * plus)


def LS_op(
    spin_names, n_orb, off_diag=None, map_operator_structure=None, basis="spherical", T=None, orb_names=None
) -> Operator:
    """Spin-orbit coupling L · S."""
    label = (off_diag, map_operator_structure)
    Sz, Sp, Sm = (S_op(k, spin_names, n_orb, *label, orb_names) for k in ("z", "+", "-"))
    Lz, Lp, Lm = (L_op(k, spin_names, n_orb, *label, basis, T, orb_names) for k in ("z", "+", "-"))
    return Lz * Sz + 0.5 * (Lp * Sm + Lm * Sp)
