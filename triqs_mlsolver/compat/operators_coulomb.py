# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
r"""Coulomb tensors of a shell, in the convention of TRIQS.

H = ½ Σ U_ijkl c†_iσ c†_jσ' c_lσ' c_kσ. In the basis of spherical harmonics, m = −l … l,

    U_{m1 m2 m3 m4} = Σ_k F_k (2l+1)² (l k l; 0 0 0)² (−1)^{m1+m2+q} (l k l; −m1 q m3) (l k l; −m2 −q m4),  q = m1 − m3,

with three-j symbols and the radial integrals F_0, F_2, … F_2l.
"""

from __future__ import annotations

from math import factorial, sqrt

import numpy as np

from ..tools.validation import check_name

# F_2k = ratio × F_2 (k > 1), and J = F_2 × what is given; of the hydrogen-like shells as TRIQS has them
_RATIOS = {1: (1.0,), 2: (1.0, 0.63), 3: (1.0, 451 / 675, 1001 / 2025)}
_HUND = {1: 1 / 5, 2: 1.63 / 14, 3: (286 + 195 * 451 / 675 + 250 * 1001 / 2025) / 6435}

_NAMES = {
    0: ("s",),
    1: ("x", "y", "z"),
    2: ("xy", "yz", "z^2", "xz", "x^2-y^2"),
    3: ("x(x^2-3y^2)", "z(x^2-y^2)", "xz^2", "z^3", "yz^2", "xyz", "y(3x^2-y^2)"),
    "t2g": ("xy", "yz", "xz"),
    "eg": ("z^2", "x^2-y^2"),
}
_LETTERS = {"s": 0, "p": 1, "d": 2, "f": 3}
#: Each cubic harmonic as m and √2 times the coefficients of Y_{−m} and Y_m.
_CUBIC = {
    "x": (1, 1, -1), "y": (1, 1j, 1j), "xy": (2, 1j, -1j), "yz": (1, 1j, 1j), "xz": (1, 1, -1), "x^2-y^2": (2, 1, 1),
    "x(x^2-3y^2)": (3, 1, -1), "z(x^2-y^2)": (2, 1, 1), "xz^2": (1, 1, -1), "yz^2": (1, 1j, 1j), "xyz": (2, 1j, -1j),
    "y(3x^2-y^2)": (3, 1j, 1j),
}  # fmt: skip
_ON_AXIS = {"s", "z", "z^2", "z^3"}  # m = 0
#: Phases of Wien2k's projectors, as TRIQS has them.
_CUBIC_WIEN2K = {**_CUBIC, "xy": (2, -1, 1), "yz": (1, 1, -1), "xz": (1, 1, 1)}
_WANNIER90 = {0: ("s",), 1: ("z", "x", "y"), 2: ("z^2", "xz", "yz", "x^2-y^2", "xy")}
_WIEN2K = {0: ("s",), 1: _NAMES[1], 2: ("z^2", "x^2-y^2", "xy", "yz", "xz")}
#: Order of the cubic harmonics in each program.
_ORDERS = {"triqs": _NAMES, "vasp": _NAMES, "wannier90": _WANNIER90, "qe": _WANNIER90, "wien2k": _WIEN2K}


def three_j_symbol(jm1, jm2, jm3) -> float:
    """Wigner's three-j symbol of three pairs (j, m) of integers, by Racah's formula."""
    (j1, m1), (j2, m2), (j3, m3) = jm1, jm2, jm3
    outside = any(abs(m) > j for j, m in (jm1, jm2, jm3))
    if outside or m1 + m2 + m3 != 0 or not abs(j1 - j2) <= j3 <= j1 + j2:
        return 0.0
    f = factorial
    triangle = f(j1 + j2 - j3) * f(j1 - j2 + j3) * f(-j1 + j2 + j3) / f(j1 + j2 + j3 + 1)
    states = f(j1 - m1) * f(j1 + m1) * f(j2 - m2) * f(j2 + m2) * f(j3 - m3) * f(j3 + m3)
    total = 0.0
    for t in range(max(j2 - j3 - m1, j1 - j3 + m2, 0), min(j1 - m1, j2 + m2, j1 + j2 - j3) + 1):
        below = f(t) * f(j3 - j2 + m1 + t) * f(j3 - j1 - m2 + t)
        total += (-1) ** t / (below * f(j1 + j2 - j3 - t) * f(j1 - m1 - t) * f(j2 + m2 - t))
    return (-1.0) ** (j1 - j2 - m3) * sqrt(triangle) * sqrt(states) * total


def angular_matrix_element(l: int, k: int, m1: int, m2: int, m3: int, m4: int) -> float:
    """Coefficient of the radial integral F_k in U_{m1 m2 m3 m4}."""
    q = m1 - m3
    size = (2 * l + 1) ** 2 * three_j_symbol((l, 0), (k, 0), (l, 0)) ** 2
    sign = (-1.0) ** (m1 + m2 + q)
    return size * sign * three_j_symbol((l, -m1), (k, q), (l, m3)) * three_j_symbol((l, -m2), (k, -q), (l, m4))


def U_J_to_radial_integrals(l: int, U_int: float, J_hund: float) -> np.ndarray:
    """F_0, F_2, … (l + 1,) of a shell l = 1, 2 or 3, in the units of `U_int` and `J_hund`."""
    F2 = J_hund / _hund(l)
    return np.array([U_int, *(ratio * F2 for ratio in _RATIOS[l])], dtype=float)


def radial_integrals_to_U_J(l: int, F) -> tuple[float, float]:
    """U and J of a shell l = 1, 2 or 3 from F_0 and F_2."""
    return F[0], F[1] * _hund(l)


def U_matrix_slater(l, radial_integrals=None, U_int=None, J_hund=None, basis="spherical", T=None) -> np.ndarray:
    """The tensor U_ijkl of a shell.

    Parameters
    ----------
    l : int
        Angular momentum.
    radial_integrals : sequence of float, optional
        F_0, F_2, …; else from `U_int` and `J_hund`.
    U_int, J_hund : float, optional
    basis : str
        "spherical"; "cubic"; or "other", given by `T`.
    T : array, optional
        b†_i = Σ_j T_ij a†_j, from spherical harmonics a to new orbitals b.

    Returns
    -------
    (2l+1, 2l+1, 2l+1, 2l+1) array

    Raises
    ------
    ValueError
        If neither the radial integrals nor U and J are given, or no `T` for another basis.
    """
    check_name("basis", basis, ["spherical", "cubic", "other"])
    if radial_integrals is None:
        if U_int is None or J_hund is None:
            raise ValueError("U_matrix_slater needs radial_integrals, or both U_int and J_hund")
        radial_integrals = U_J_to_radial_integrals(l, U_int, J_hund)
    if basis == "cubic":
        T = spherical_to_cubic(l)
    if basis == "other" and T is None:
        raise ValueError("basis = 'other' needs T, which turns spherical harmonics into that basis")
    U = np.zeros((2 * l + 1,) * 4)
    m = np.arange(-l, l + 1)
    transfer = m[:, None] - m[None, :]
    conserving = transfer[:, None, :, None] == -transfer[None, :, None, :]  # m1 + m2 = m3 + m4
    for k, F in zip(range(0, 2 * len(radial_integrals), 2), radial_integrals):
        symbols = np.array([[three_j_symbol((l, -a), (k, a - b), (l, b)) for b in range(-l, l + 1)]
                            for a in range(-l, l + 1)])  # fmt: skip
        size = (2 * l + 1) ** 2 * three_j_symbol((l, 0), (k, 0), (l, 0)) ** 2
        # (−1)^(m1 + m2 + q) with q = m4 − m2
        sign = (-1.0) ** (m[:, None, None, None] + m[None, None, None, :])
        U += F * size * sign * conserving * np.einsum("ac,bd->abcd", symbols, symbols)
    return U if T is None else transform_U_matrix(U, T)


def U_matrix_kanamori(n_orb, U_int, J_hund, Up_int=None, full_Uijkl=False, Jc_hund=None):
    """Kanamori interaction of `n_orb` orbitals.

    Parameters
    ----------
    n_orb : int
    U_int, J_hund : float
    Up_int : float, optional
        Between orbitals; U − 2J unless given.
    full_Uijkl : bool
        Return the tensor with U_iiii = U, U_ijij = U', U_ijji = J and U_iijj = J_C instead.
    Jc_hund : float, optional
        Pair hopping J_C, for the tensor alone; J unless given.

    Returns
    -------
    U, Uprime : (n_orb, n_orb) arrays
        Between equal and between opposite spins; or the tensor, (n_orb,) * 4.
    """
    if Jc_hund is not None and not full_Uijkl:
        raise ValueError("Jc_hund is of the full tensor alone: give full_Uijkl=True")
    Up = U_int - 2 * J_hund if Up_int is None else Up_int
    one = np.eye(n_orb)
    if not full_Uijkl:
        return (Up - J_hund) * (1 - one), U_int * one + Up * (1 - one)
    U = Up * np.einsum("ik,jl->ijkl", one, one) + J_hund * np.einsum("il,jk->ijkl", one, one)
    U += (J_hund if Jc_hund is None else Jc_hund) * np.einsum("ij,kl->ijkl", one, one)
    same = range(n_orb)
    U[same, same, same, same] = U_int
    return U


def reduce_4index_to_2index(U_4index) -> tuple[np.ndarray, np.ndarray]:
    """(U, Uprime) between equal and between opposite spins: U_ijij − U_ijji and U_ijij, real parts."""
    direct = np.real(np.einsum("ijij->ij", U_4index)).astype(float)
    return direct - np.real(np.einsum("ijji->ij", U_4index)), direct


def transform_U_matrix(U_matrix, T) -> np.ndarray:
    """U_ijkl of the orbitals b†_i = Σ_j T_ij a†_j from that of the orbitals a."""
    return np.einsum("ai,bj,ijkl,ck,dl->abcd", np.conj(T), np.conj(T), U_matrix, T, T, optimize=True)


def spherical_to_cubic(l: int, convention: str = "triqs") -> np.ndarray:
    """T with cubic harmonics as rows and spherical ones, m = −l … l, as columns.

    Parameters
    ----------
    l : int
        0 to 3; up to 2 for the conventions of wien2k, wannier90 and qe.
    convention : str
        Order of the rows: "triqs", "vasp", "wien2k", "wannier90" or "qe".
    """
    check_name("convention", convention, _ORDERS)
    order = _ORDERS[convention].get(l)
    if order is None:
        raise ValueError(
            f"cubic harmonics of l = {l} in the convention {convention!r} are not known: "
            f"l is one of {[k for k in _ORDERS[convention] if isinstance(k, int)]}"
        )
    T = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    harmonics = _CUBIC_WIEN2K if convention == "wien2k" else _CUBIC
    for row, name in enumerate(order):
        if name in _ON_AXIS:
            T[row, l] = 1
        else:
            m, minus, plus = harmonics[name]
            T[row, l - m], T[row, l + m] = minus / sqrt(2), plus / sqrt(2)
    return T


def cubic_names(l) -> tuple[str, ...]:
    """Names of the cubic harmonics of a shell, given as 0 to 3, "s" to "f", "t2g" or "eg"."""
    check_name("l", l, [*_NAMES, *_LETTERS])
    return _NAMES[_LETTERS.get(l, l)]


def t2g_submatrix(U, convention: str = "triqs") -> np.ndarray:
    """Part of a two- or four-index interaction of a d shell that belongs to xy, yz, xz."""
    return _part(U, _NAMES["t2g"], convention)


def eg_submatrix(U, convention: str = "triqs") -> np.ndarray:
    """Part of a two- or four-index interaction of a d shell that belongs to z², x² − y²."""
    return _part(U, _NAMES["eg"], convention)


def _part(U, names, convention: str) -> np.ndarray:
    check_name("convention", convention, _ORDERS)
    places = [k for k, name in enumerate(_ORDERS[convention][2]) if name in names]
    return np.asarray(U)[np.ix_(*[places] * np.ndim(U))]


def _hund(l: int) -> float:
    if l not in _HUND:
        raise ValueError(f"U and J of a shell with l = {l} are not tied to radial integrals: l is 1, 2 or 3")
    return _HUND[l]
