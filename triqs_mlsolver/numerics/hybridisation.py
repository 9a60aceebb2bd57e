# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Local levels and hybridisation of an impurity problem from tabulated functions of one block.

The levels h and the hybridisation come from A(iω) = iω − G0⁻¹(iω) = h + Δ(iω) with exact tails (`numerics.pole_fit`).
"""

from __future__ import annotations

import logging

import numpy as np

from . import pole_fit

logger = logging.getLogger("triqs_mlsolver")

_HERMITICITY = 1e-6  # relative violation that is still taken for rounding and symmetrised away
_ROUNDING = 1e-12  # relative size of imaginary parts that are not worth a word
_COEFFICIENT = 1e-5  # deviation of the coefficient of 1/iω in G0 from one that is still taken for rounding
_NOTHING = 1e-10  # β² Δ(τ) that is taken for rounding where a block has no hybridisation
_CONSTANT = 1e-2  # Δ(∞) beside the largest Δ(iω) that is no noise in its tail


def from_G0(
    beta: float, G0_iw: np.ndarray, name: str = "", imag_threshold: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Levels and Legendre coefficients of Δ from the Weiss field of one block.

    Parameters
    ----------
    beta : float
        Inverse temperature (1/energy).
    G0_iw : (2 n_iw, n, n) array
        G0 at ω = (2m+1)π/β, m = −n_iw … n_iw − 1 (1/energy).
    name : str
        Name of the block, for error messages.
    imag_threshold : float
        Imaginary parts of levels and Δ(τ) that are dropped rather than refused (energy).

    Returns
    -------
    h_loc0 : (n, n) array
        lim (iω − G0⁻¹), real and symmetric (energy).
    Delta_l : (n_l, n, n) array
        Legendre coefficients of Δ(τ) (energy).

    Raises
    ------
    ValueError
        If G0 is unset, singular, contains NaN, is not Hermitian, does not fall off like 1/iω, or if Δ(∞) or Δ(τ) is
        not real.
    """
    A = _bare_part(beta, np.asarray(G0_iw), name, imag_threshold)
    omega = (2 * np.arange(len(A)) + 1) * np.pi / beta
    _check_tail(A, omega, name)
    A = _of_unit_coefficient(A, omega, name)
    fit = pole_fit.from_matsubara(beta, A, has_constant=True)
    h = 0.5 * (fit.constant + fit.constant.T)
    if fit.doubt > 1e-3 * max(np.abs(A.real - h).max(), 1 / beta):
        logger.warning(
            "G0_iw of block %r ends at omega = %.3g, before its tail: the local level is uncertain by %.2g. Increase "
            "n_iw",
            name,
            omega[-1],
            fit.doubt,
        )
    rounding = 8 * np.finfo(float).eps * (omega[-1] + np.abs(h).max())
    if np.abs(fit.coefficients).max() <= rounding:
        return h, np.zeros((4, *h.shape))
    return h, pole_fit.trimmed(0.5 * (fit.coefficients + fit.coefficients.transpose(0, 2, 1)))


def from_Delta_iw(beta: float, Delta_iw: np.ndarray, name: str = "") -> np.ndarray:
    """Legendre coefficients (n_l, n, n) of Δ(iω) of one block, given like G0 in `from_G0` (energy).

    Raises
    ------
    ValueError
        If Δ(iω) contains NaN, is not Hermitian, is not real in τ, or does not vanish at high frequency.
    """
    Delta_iw = np.asarray(Delta_iw)
    if not np.all(np.isfinite(Delta_iw)):
        raise ValueError(
            f"Delta_iw of block {name!r} contains NaN or infinity: check the self-consistency that fills it"
        )
    dagger = Delta_iw[::-1].conj().transpose(0, 2, 1)
    scale, violation = np.abs(Delta_iw).max(initial=0.0), np.abs(Delta_iw - dagger).max(initial=0.0)
    if violation > _HERMITICITY * scale:
        raise ValueError(
            f"Delta_iw of block {name!r} is not Hermitian: Delta(-i omega) differs from the conjugate transpose of "
            f"Delta(i omega) by {violation:.3g}. Set negative frequencies too, or symmetrise with make_hermitian"
        )
    A = 0.5 * (Delta_iw + dagger)[len(Delta_iw) // 2 :]
    _check_real(A, name)
    A = 0.5 * (A + A.transpose(0, 2, 1))
    fit = pole_fit.from_matsubara(beta, A, has_constant=True)
    constant = np.abs(fit.constant).max(initial=0.0)
    if constant > max(10 * fit.doubt, _CONSTANT * scale):
        raise ValueError(
            f"Delta_iw of block {name!r} tends to a constant of {constant:.3g} at high frequency: a hybridisation "
            "vanishes there. Put the constant into h_loc0"
        )
    coefficients = pole_fit.from_matsubara(beta, A).coefficients
    return pole_fit.trimmed(0.5 * (coefficients + coefficients.transpose(0, 2, 1)))


def from_Delta_tau(beta: float, Delta_tau: np.ndarray, name: str = "") -> np.ndarray:
    """Legendre coefficients (n_l, n, n) of Δ given on n_tau equidistant points of [0, β], ends included (energy).

    Raises
    ------
    ValueError
        If Δ(τ) contains NaN, is complex or is not symmetric.
    """
    Delta_tau = np.asarray(Delta_tau)
    if not np.all(np.isfinite(Delta_tau)):
        raise ValueError(f"Delta_tau of block {name!r} contains NaN or infinity: fill every block before solve()")
    scale = np.max(np.abs(Delta_tau), initial=0.0)
    allowed = max(_HERMITICITY * scale, _NOTHING / beta**2)
    imaginary = np.abs(Delta_tau.imag).max(initial=0.0)
    if imaginary > allowed:
        raise ValueError(
            f"Delta_tau of block {name!r} is complex (largest imaginary part {imaginary:.3g}): only real hybridisation "
            "functions are supported"
        )
    values = Delta_tau.real
    asymmetry = np.abs(values - values.transpose(0, 2, 1)).max(initial=0.0)
    if asymmetry > allowed:
        raise ValueError(f"Delta_tau of block {name!r} is not symmetric in its orbitals (deviation {asymmetry:.2g})")
    return pole_fit.from_tau(beta, 0.5 * (values + values.transpose(0, 2, 1)))


# -- the function to be fitted ----------------------------------------------------------------------


def _bare_part(beta: float, G0: np.ndarray, name: str, imag_threshold: float) -> np.ndarray:
    """A(iω) = iω − G0⁻¹ at the positive frequencies, checked and made symmetric; (n_iw, n, n)."""
    if not np.all(np.isfinite(G0)):
        raise ValueError(f"G0_iw of block {name!r} contains NaN or infinity: check the self-consistency that fills it")
    if not np.any(G0):
        raise ValueError(
            f"G0_iw of block {name!r} is not set (all zero): fill it before solve(), e.g. S.G0_iw[{name!r}] << "
            "inverse(iOmega_n + mu - Delta)"
        )
    n_iw, eye = len(G0) // 2, np.eye(G0.shape[1])
    try:
        inverse = np.linalg.inv(G0)
    except np.linalg.LinAlgError:
        raise ValueError(
            f"G0_iw of block {name!r} is singular at some frequency: fill all of them, negative ones too"
        ) from None
    omega = (2 * np.arange(-n_iw, n_iw) + 1) * np.pi / beta
    A = 1j * omega[:, None, None] * eye - inverse
    _check_hermiticity(A, G0, omega, name)
    dagger = A[::-1].conj().transpose(0, 2, 1)
    A = 0.5 * (A + dagger)[n_iw:]
    _check_real(A, name, imag_threshold)
    return 0.5 * (A + A.transpose(0, 2, 1))


def _check_hermiticity(A: np.ndarray, G0: np.ndarray, omega: np.ndarray, name: str) -> None:
    violation = np.abs(G0 - G0[::-1].conj().transpose(0, 2, 1))
    worst = violation.max()
    if worst <= _HERMITICITY * np.abs(G0).max():
        return
    n_iw = len(A) // 2
    anti = 0.5 * (A - A[::-1].conj().transpose(0, 2, 1))[n_iw:]
    tail = anti[n_iw // 2 :].mean(axis=0)
    if np.abs(tail).max() > 0.5 * np.abs(anti).max():  # the same at every frequency: a complex level
        raise ValueError(
            f"Delta(infinity) is not real: i omega - 1/G0_iw of block {name!r} tends to a constant with imaginary part "
            f"{np.abs(tail).max():.3g}. Levels must be Hermitian: remove imaginary constants (broadening) from G0_iw"
        )
    at = np.unravel_index(np.argmax(violation), violation.shape)
    raise ValueError(
        f"G0_iw of block {name!r} is not Hermitian: G0(-i omega) differs from the conjugate transpose of G0(i omega) "
        f"by {worst:.3g} at omega = {omega[at[0]]:.4g}, element ({at[1]}, {at[2]}). Set negative frequencies too, or "
        "symmetrise with make_hermitian"
    )


def _check_tail(A: np.ndarray, omega: np.ndarray, name: str) -> None:
    """Im A must fall off at high frequency; if G0 → c/(iω) with c ≠ 1, it grows like ω to the end."""
    quarter, half = len(A) // 4, len(A) // 2

    def slope(part: slice) -> np.ndarray:
        return np.tensordot(omega[part], A.imag[part], axes=(0, 0)) / np.sum(omega[part] ** 2)

    before, end = slope(slice(quarter, half)), slope(slice(half, None))
    if np.any((np.abs(end) > 1e-2) & (np.abs(end) > 0.9 * np.abs(before))):
        raise ValueError(
            f"G0_iw of block {name!r} does not fall off like 1/(i omega): i omega - 1/G0 grows like "
            f"{np.abs(end).max():.2g} omega up to the last frequency {omega[-1]:.3g}. Set it by Dyson's equation, "
            "e.g. S.G0_iw << inverse(iOmega_n + mu - Delta), or increase n_iw if the bath reaches further than that"
        )


def _of_unit_coefficient(A: np.ndarray, omega: np.ndarray, name: str) -> np.ndarray:
    """A of a G0 that falls off like 1/(iω) exactly, from one that does within rounding.

    G0 → c/(iω) makes A grow like (1 − 1/c) iω, beside h + m/(iω) + …: the Hermitian matrix c⁻¹ shows at the highest
    frequencies.

    Raises
    ------
    ValueError
        If c is not one, by more than rounding and by more than the tail leaves open.
    """
    slope, other = (_slope(A[part:], omega[part:]) for part in (len(A) // 2, 3 * len(A) // 4))
    size, doubt = np.abs(slope).max(), np.abs(slope - other).max()
    if size <= 10 * doubt:
        return A  # the tail is not reached, or there is nothing but rounding
    if size > _COEFFICIENT:
        coefficient = np.linalg.inv(np.eye(len(slope)) - slope)
        a, b = np.unravel_index(np.argmax(np.abs(coefficient - np.eye(len(slope)))), slope.shape)
        raise ValueError(
            f"G0_iw of block {name!r} falls off like c/(i omega) with c = {coefficient[a, b]:.7g} instead of "
            f"{int(a == b)} in element "
            f"({a}, {b}). Check what it was made from: a density of states or a sum over k must be normalised to one"
        )
    return A - 1j * slope * omega[:, None, None]


def _slope(A: np.ndarray, omega: np.ndarray) -> np.ndarray:
    """s (n, n) of Im A = s ω + a/ω + b/ω³, by least squares."""
    x = omega / omega[-1]
    basis = np.stack([x, 1 / x, 1 / x**3], axis=1)
    return np.linalg.lstsq(basis, A.imag.reshape(len(A), -1), rcond=None)[0][0].reshape(A.shape[1:]) / omega[-1]


def _check_real(A: np.ndarray, name: str, imag_threshold: float = 0.0) -> None:
    """A real problem has A symmetric in the orbitals; what is antisymmetric is i times a complex Hermitian part."""
    skew = 0.5 * (A - A.transpose(0, 2, 1))
    size = np.abs(skew).max()
    constant = np.abs(skew[len(A) // 2 :].mean(axis=0)).max()
    scale = max(np.abs(A).max(), 1e-300)
    if size <= max(_HERMITICITY * scale, imag_threshold):
        if size > _HERMITICITY * scale:
            logger.warning(
                "block %r: imaginary parts of levels and Delta up to %.3g are dropped, since imag_threshold = %.3g "
                "allows it. "
                "The problem that is solved is another one",
                name,
                size,
                imag_threshold,
            )
        elif size > _ROUNDING * scale:
            logger.info("block %r: imaginary parts of levels and Delta up to %.3g are taken for rounding", name, size)
        return
    if constant > 0.5 * size:
        raise ValueError(
            f"Delta(infinity) is not real: the largest imaginary element in block {name!r} is {constant:.3g}. Only "
            "real local levels are supported: choose real orbitals"
        )
    raise ValueError(
        f"the hybridisation of block {name!r} is complex (imaginary part of Delta(tau) up to {size:.3g} in i omega): "
        "only real hybridisation functions are supported: choose real orbitals"
    )
