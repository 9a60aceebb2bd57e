# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Small atoms for machines without TRIQS: a Hamiltonian diagonalised in the subspaces of Fock space it does not mix.

As in TRIQS, bit i of a Fock state is the occupation of the i-th label; every creation and annihilation operator maps a
subspace to one other; subspaces are ordered by their lowest energy, and energies count from the lowest.
"""

from __future__ import annotations

import numpy as np
from dcorelib.triqs_compat.h5 import register_class

from .operators import Operator, read_operator
from .operators_h5 import read_labels

_MOST = 14  # modes: beyond, matrices of Fock space are for TRIQS
_SPLIT = 1e-10  # subspaces of one energy stay in the order in which they were found


class AtomDiag:
    """A diagonalised atom.

    Parameters
    ----------
    h : Operator
    fops : sequence of (block, orbital)
        Labels of all modes; at least those of `h`.
    n_min, n_max : int, optional
        Keep states of so many electrons only.
    qn_vector : list of Operator, optional
        Divide Fock space by these quantum numbers instead, which must be diagonal in it.

    Examples
    --------
    >>> from triqs_mlsolver.compat import n
    >>> atom = AtomDiag(4.0 * n("up", 0) * n("down", 0), [("up", 0), ("down", 0)])
    >>> atom.n_subspaces, atom.full_hilbert_space_dim
    (4, 4)
    """

    def __init__(self, h: Operator, *args, **kwargs):
        if not isinstance(h, Operator):
            raise TypeError(f"the Hamiltonian must be an Operator: {type(h).__name__} given")
        hyb = args[0] if args and isinstance(args[0], Operator) else kwargs.pop("hyb", Operator())
        args = args[1:] if args and isinstance(args[0], Operator) else args
        fops, n_min, n_max, qn_vector = _arguments(*args, **kwargs)
        self._set_modes(h, fops)
        if qn_vector is None:
            states = self._closed_classes(hyb, n_min, n_max)
        else:
            states = self._classes_of(qn_vector)
        systems = [(s, *np.linalg.eigh(self._matrix(h, s, s))) for s in states]
        order = sorted(range(len(systems)), key=lambda k: systems[k][1][0] + _SPLIT * k)
        self.gs_energy = float(min(energies[0] for _, energies, _ in systems))
        self._set_systems([(s, energies - self.gs_energy, U) for s, energies, U in (systems[k] for k in order)])

    def _set_modes(self, h, fops) -> None:
        self.h_atomic = h
        self.fops = [tuple(label) for label in fops]
        self._place = {label: k for k, label in enumerate(self.fops)}
        missing = [tuple(i) for monomial, _ in h for _, i in monomial if tuple(i) not in self._place]
        if missing:
            raise ValueError(f"fops = {self.fops} lacks {missing[0]}, which the Hamiltonian has")
        if len(self.fops) > _MOST:
            raise NotImplementedError(
                f"an atom of {len(self.fops)} modes needs triqs.atom_diag: conda install -c conda-forge triqs "
                f"(here are at most {_MOST})"
            )
        self.is_real = all(not isinstance(value, complex) for _, value in h)

    def _set_systems(self, systems) -> None:
        self.fock_states = [states for states, _, _ in systems]
        self.energies = [energies for _, energies, _ in systems]
        self.unitary_matrices = [U for _, _, U in systems]
        self._subspace = np.full(2 ** len(self.fops), -1)
        for k, states in enumerate(self.fock_states):
            self._subspace[states] = k
        self._starts = np.cumsum([0, *map(len, self.fock_states)])

    # -- subspaces -----------------------------------------------------------------------------------------------------

    def _closed_classes(self, hyb, n_min, n_max) -> list[np.ndarray]:
        """The finest partition that the Hamiltonian and `hyb` do not mix and every c and c† maps part by part."""
        number = np.arange(2 ** len(self.fops))
        for op in (self.h_atomic, hyb):
            for monomial, _ in op:
                source, target, _ = self._applied(monomial)
                number = _joined(number, source, target)
        ladder = [self._applied([(creates, label)])[:2] for label in self.fops for creates in (True, False)]
        while True:
            before = number
            for source, target in ladder:  # all images of one part are one part
                first = np.full(len(number), -1)
                first[number[source]] = target
                number = _joined(number, first[number[source]], target)
            if np.array_equal(before, number):
                break
        electrons = _electrons(np.arange(len(number)))
        kept = np.flatnonzero((electrons >= n_min) & (electrons <= n_max))
        self.quantum_numbers = []
        return [kept[number[kept] == part] for part in np.unique(number[kept])]

    def _classes_of(self, qn_vector) -> list[np.ndarray]:
        everything = np.arange(2 ** len(self.fops))
        values = np.zeros((len(everything), len(qn_vector)))
        for column, op in enumerate(qn_vector):
            for monomial, value in op:
                source, target, sign = self._applied(monomial)
                same = source == target
                values[source[same], column] += np.real(value) * sign[same]
        keys, part = np.unique(np.round(values, 8), axis=0, return_inverse=True)
        part = part.ravel()
        order = np.argsort([np.flatnonzero(part == k)[0] for k in range(len(keys))])
        self.quantum_numbers = [keys[k].tolist() for k in order]
        return [np.flatnonzero(part == k) for k in order]

    @property
    def n_subspaces(self) -> int:
        return len(self.energies)

    @property
    def full_hilbert_space_dim(self) -> int:
        """Of the whole of Fock space, truncated or not."""
        return 2 ** len(self.fops)

    def get_subspace_dim(self, sp_index: int) -> int:
        return len(self.energies[sp_index])

    def get_subspace_dims(self) -> list[int]:
        return [len(energies) for energies in self.energies]

    def get_eigenvalue(self, sp_index: int, i: int) -> float:
        """Energy above the ground state."""
        return float(self.energies[sp_index][i])

    def flatten_subspace_index(self, sp_index: int, i: int) -> int:
        return int(self._starts[sp_index] + i)

    @property
    def vacuum_subspace_index(self) -> int:
        return int(self._subspace[0])

    @property
    def vacuum_state(self) -> np.ndarray:
        k = self.vacuum_subspace_index
        state = np.zeros(self._starts[-1], dtype=self.unitary_matrices[k].dtype)
        place = np.flatnonzero(self.fock_states[k] == 0)[0]
        state[self._starts[k] : self._starts[k + 1]] = self.unitary_matrices[k][place].conj()
        return state

    # -- matrix elements -----------------------------------------------------------------------------------------------

    def _applied(self, monomial) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fock states, their images under a product of ladder operators where there are any, and the signs."""
        source = np.arange(2 ** len(self.fops))
        target, sign = source.copy(), np.ones(len(source))
        for creates, label in reversed(list(monomial)):
            mode = self._place.get(tuple(label))
            if mode is None:
                raise ValueError(f"the operator has the label {tuple(label)}, the atom has {self.fops}")
            alive = (target >> mode & 1) != creates
            source, target, sign = source[alive], target[alive], sign[alive]
            sign = sign * (-1.0) ** (_electrons(target & ((1 << mode) - 1)) % 2)
            target = target ^ (1 << mode)
        return source, target, sign

    def _matrix(self, op, to: np.ndarray, source: np.ndarray) -> np.ndarray:
        """⟨to|op|source⟩ between Fock states."""
        real = all(not isinstance(value, complex) for _, value in op)
        matrix = np.zeros((len(to), len(source)), float if real else complex)
        row, column = (np.full(2 ** len(self.fops), -1) for _ in range(2))
        row[to], column[source] = np.arange(len(to)), np.arange(len(source))
        for monomial, value in op:
            s, t, sign = self._applied(monomial)
            inside = (column[s] >= 0) & (row[t] >= 0)
            np.add.at(matrix, (row[t[inside]], column[s[inside]]), value * sign[inside])
        return matrix

    def matrix_element(self, op, to: int, source: int) -> np.ndarray:
        """⟨to|op|source⟩ between the eigenstates of two subspaces."""
        U, V = self.unitary_matrices[to], self.unitary_matrices[source]
        return U.conj().T @ self._matrix(op, self.fock_states[to], self.fock_states[source]) @ V

    def _connection(self, creates: bool, mode: int, sp_index: int) -> int:
        states = self.fock_states[sp_index]
        alive = states[(states >> mode & 1) != creates] ^ (1 << mode)
        return int(self._subspace[alive[0]]) if len(alive) else -1

    def c_connection(self, op_linear_index: int, sp_index: int) -> int:
        """Subspace that the annihilator of a mode leads to; −1: none."""
        return self._connection(False, op_linear_index, sp_index)

    def cdag_connection(self, op_linear_index: int, sp_index: int) -> int:
        """Subspace that the creator of a mode leads to; −1: none."""
        return self._connection(True, op_linear_index, sp_index)

    def c_matrix(self, op_linear_index: int, sp_index: int) -> np.ndarray:
        return self._ladder_matrix(False, op_linear_index, sp_index)

    def cdag_matrix(self, op_linear_index: int, sp_index: int) -> np.ndarray:
        return self._ladder_matrix(True, op_linear_index, sp_index)

    def _ladder_matrix(self, creates: bool, mode: int, sp_index: int) -> np.ndarray:
        to = self._connection(creates, mode, sp_index)
        if to < 0:
            return np.zeros((0, 0))
        op = Operator._from_terms({((creates, self.fops[mode]),): 1.0})
        return self.matrix_element(op, to, sp_index)

    def __repr__(self) -> str:
        return f"AtomDiag of {len(self.fops)} modes in {self.n_subspaces} subspaces, gs_energy = {self.gs_energy:.6g}"

    def __write_hdf5__(self, group, key) -> None:
        raise NotImplementedError("an AtomDiag is stored by TRIQS alone: store h_atomic and fops, which determine it")


def read_atom(group, key: str) -> AtomDiag:
    """The atom that TRIQS stored under `key` of an h5py group."""
    g = group[key]
    if "h_atomic" not in g:
        raise NotImplementedError(
            f"{key!r} is an AtomDiag of TRIQS before 2.2, which lacks its Hamiltonian: build it again from that"
        )
    atom = AtomDiag.__new__(AtomDiag)
    atom._set_modes(read_operator(g, "h_atomic"), read_labels(g.attrs["fops"]))
    numbered = lambda name: [g[name][k] for k in sorted(g[name], key=int)]
    states = [np.asarray(s["fock_states"][()]).astype(int) for s in numbered("sub_hilbert_spaces")]
    systems = []
    for fock, system in zip(states, numbered("eigensystems"), strict=True):
        U = system["unitary_matrix"]
        U = U[()].view(complex)[..., 0] if "__complex__" in U.attrs else U[()]
        systems.append((fock, system["eigenvalues"][()], U))
    atom.gs_energy = float(g["gs_energy"][()])
    atom.quantum_numbers = []
    atom._set_systems(systems)
    return atom


def _arguments(fops, *rest, qn_vector=None, n_min=0, n_max=64):
    """Options of the constructor, in any of TRIQS' forms."""
    if len(rest) == 1:
        (qn_vector,) = rest
    elif len(rest) == 2:
        n_min, n_max = rest
    elif rest:
        raise TypeError("AtomDiag takes h, fops and either qn_vector or n_min, n_max")
    return fops, n_min, n_max, qn_vector


def _electrons(states: np.ndarray) -> np.ndarray:
    """Number of bits set."""
    return sum((states >> k & 1) for k in range(_MOST + 1))


def _joined(number: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Numbers of parts (the least state in each) after the parts of `a` and `b` have become one, pair by pair."""
    number = number.copy()
    while True:
        low, high = np.minimum(number[a], number[b]), np.maximum(number[a], number[b])
        if np.array_equal(low, high):
            return number
        np.minimum.at(number, high, low)
        while not np.array_equal(number, number[number]):
            number = number[number]


AtomDiagReal = AtomDiagComplex = AtomDiag

for _name in ("AtomDiagReal", "AtomDiagComplex"):
    register_class(AtomDiag, read_fun=read_atom, hdf5_format=_name)
