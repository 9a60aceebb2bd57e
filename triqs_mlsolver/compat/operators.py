# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Many-body operators for machines without TRIQS: polynomials in c and c_dag, in TRIQS' normal order and notation."""

from __future__ import annotations

import numbers
from collections.abc import Iterator

from .operators_h5 import read_terms, write_operator

# One factor: (dagger, indices), indices being a tuple such as ("up", 0).
Factor = tuple[bool, tuple]
Monomial = tuple[Factor, ...]


class Operator:
    """A polynomial in fermionic operators with real or complex coefficients.

    Monomials are kept in normal order: creation operators with ascending indices, then annihilation operators with
    descending indices. Iterating yields pairs ``([(dagger, [block, index]), ...], coefficient)`` as in TRIQS.

    Examples
    --------
    >>> 2 * n("up", 0) * n("down", 0)
    2*c_dag('down',0)*c_dag('up',0)*c('up',0)*c('down',0)
    >>> (c("up", 0) * c_dag("up", 0) + n("up", 0) - 1).is_zero()
    True
    """

    __array_ufunc__ = None  # numpy scalars on the left leave the operation to this class
    __slots__ = ("_terms",)

    def __init__(self, constant: complex = 0):
        self._terms: dict[Monomial, complex] = {} if constant == 0 else {(): _plain(constant)}

    @classmethod
    def _from_terms(cls, terms: dict[Monomial, complex]) -> Operator:
        op = cls()
        op._terms = {m: v for m, v in terms.items() if v != 0}
        return op

    def is_zero(self) -> bool:
        """Whether no term is left."""
        return not self._terms

    @property
    def real(self) -> Operator:
        """The operator with the real parts of its coefficients."""
        return Operator._from_terms({m: v.real for m, v in self._terms.items()})

    @property
    def imag(self) -> Operator:
        """The operator with the imaginary parts of its coefficients."""
        return Operator._from_terms({m: v.imag for m, v in self._terms.items()})

    def __iter__(self) -> Iterator[tuple[list, complex]]:
        for monomial, coefficient in sorted(self._terms.items(), key=lambda term: _monomial_key(term[0])):
            yield [(dagger, list(indices)) for dagger, indices in monomial], coefficient

    def __add__(self, other) -> Operator:
        other = _as_operator(other)
        if other is None:
            return NotImplemented
        terms = dict(self._terms)
        for monomial, coefficient in other._terms.items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Operator._from_terms(terms)

    __radd__ = __add__

    def __neg__(self) -> Operator:
        return Operator._from_terms({m: -v for m, v in self._terms.items()})

    def __sub__(self, other) -> Operator:
        other = _as_operator(other)
        return NotImplemented if other is None else self + (-other)

    def __rsub__(self, other) -> Operator:
        return (-self) + other

    def __mul__(self, other) -> Operator:
        other = _as_operator(other)
        if other is None:
            return NotImplemented
        terms: dict[Monomial, complex] = {}
        for left, a in self._terms.items():
            for right, b in other._terms.items():
                for monomial, sign in _normal_ordered(left + right):
                    terms[monomial] = terms.get(monomial, 0) + sign * a * b
        return Operator._from_terms(terms)

    def __rmul__(self, other) -> Operator:
        other = _as_operator(other)
        return NotImplemented if other is None else other * self

    def __truediv__(self, other) -> Operator:
        if not isinstance(other, numbers.Number):
            return NotImplemented
        return Operator._from_terms({m: v / _plain(other) for m, v in self._terms.items()})

    def __eq__(self, other) -> bool:
        other = _as_operator(other)
        return NotImplemented if other is None else (self - other).is_zero()

    __hash__ = None

    def __repr__(self) -> str:
        if self.is_zero():
            return "0"
        return " + ".join(_number(v) + "".join("*" + _factor(d, i) for d, i in m) for m, v in self)

    def __write_hdf5__(self, group, key: str) -> None:
        write_operator(self, group._group, key)

    def __reduce__(self):
        return Operator._from_terms, (self._terms,)


def read_operator(group, key: str) -> Operator:
    """The operator stored under `key` of an h5py group."""
    op = Operator()
    for monomial, value in read_terms(group, key):
        term = Operator(value)
        for dagger, indices in monomial:
            term = term * (c_dag if dagger else c)(*indices)
        op = op + term
    return op


def c(*indices) -> Operator:
    """Annihilation operator, e.g. ``c("up", 0)``."""
    return Operator._from_terms({((False, tuple(indices)),): 1.0})


def c_dag(*indices) -> Operator:
    """Creation operator, e.g. ``c_dag("up", 0)``."""
    return Operator._from_terms({((True, tuple(indices)),): 1.0})


def n(*indices) -> Operator:
    """Number operator c_dag c."""
    return c_dag(*indices) * c(*indices)


def dagger(op: Operator) -> Operator:
    """Hermitian conjugate."""
    return Operator._from_terms(
        {tuple((not d, i) for d, i in reversed(m)): v.conjugate() for m, v in op._terms.items()}
    )


def _as_operator(x) -> Operator | None:
    if isinstance(x, Operator):
        return x
    return Operator(x) if isinstance(x, numbers.Number) else None


def _plain(x) -> float | complex:
    return float(x) if isinstance(x, numbers.Real) else complex(x)


def _indices_key(indices: tuple) -> tuple:
    """Integers sort before strings, as in TRIQS' std::variant<long, std::string>."""
    return tuple((1, i) if isinstance(i, str) else (0, int(i)) for i in indices)


class _Descending:
    """Reverses the order of a sort key."""

    __slots__ = ("key",)

    def __init__(self, key):
        self.key = key

    def __lt__(self, other) -> bool:
        return other.key < self.key

    def __eq__(self, other) -> bool:
        return other.key == self.key


def _factor_key(factor: Factor) -> tuple:
    dag, indices = factor
    key = _indices_key(indices)
    return (0, key) if dag else (1, _Descending(key))


def _monomial_key(monomial: Monomial) -> tuple:
    return len(monomial), [_factor_key(f) for f in monomial]


def _normal_ordered(factors: Monomial) -> list[tuple[Monomial, int]]:
    """The product of `factors` as a sum of normal-ordered monomials with signs (bubble sort with contractions)."""
    done: list[tuple[Monomial, int]] = []
    pending = [(list(factors), 1)]
    while pending:
        m, sign = pending.pop()
        k = 1
        while k < len(m):
            left, right = m[k - 1], m[k]
            if left == right:  # c c = c_dag c_dag = 0
                break
            if _factor_key(right) < _factor_key(left):
                if left[1] == right[1]:  # c c_dag = 1 - c_dag c
                    pending.append((m[: k - 1] + m[k + 1 :], sign))
                m[k - 1], m[k] = right, left
                sign = -sign
                k = max(k - 1, 1)
            else:
                k += 1
        else:
            done.append((tuple(m), sign))
    return done


def _number(v: complex) -> str:
    return f"{v:.6g}" if isinstance(v, float) else f"({v.real:.6g}{v.imag:+.6g}j)"


def _factor(dag: bool, indices: list) -> str:
    inner = ",".join(f"'{i}'" if isinstance(i, str) else str(i) for i in indices)
    return f"c{'_dag' if dag else ''}({inner})"
