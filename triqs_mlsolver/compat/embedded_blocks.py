# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Blocks of Green's functions for machines without TRIQS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from dcorelib.triqs_compat import gf as _dcore

from .embedded_gf import Fourier, Gf, register


class BlockGf(_dcore.BlockGf):
    """Named blocks of Green's functions.

    Built from ``mesh`` and ``gf_struct`` (pairs of block name and size), from ``name_list`` and ``block_list``, or from
    ``name_block_generator``; ``make_copies`` copies the blocks.
    """

    __array_ufunc__ = None  # numpy scalars on the left leave the operation to this class

    def __init__(
        self,
        *,
        mesh=None,
        gf_struct=None,
        name_list=None,
        block_list=None,
        name_block_generator=None,
        make_copies=False,
        target_rank=2,
        name="G",
    ):
        if name_block_generator is not None:
            pairs = list(name_block_generator)
        elif block_list is not None:
            names = name_list if name_list is not None else [str(i) for i in range(len(block_list))]
            pairs = list(zip(names, block_list, strict=True))
        elif mesh is not None and gf_struct is not None:
            pairs = [(bl, Gf(mesh=mesh, target_shape=[_size(n)] * target_rank)) for bl, n in gf_struct]
        else:
            raise TypeError("BlockGf needs mesh and gf_struct, or name_list and block_list, or name_block_generator")
        names = [str(bl) for bl, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError(f"block names {names} are not unique")
        blocks = [g.copy() if make_copies else g for _, g in pairs]
        super().__init__(name_list=names, block_list=blocks, name=name)
        for bl, g in pairs:
            g.name = g.name or f"{name}_{bl}"

    @classmethod
    def __factory_from_dict__(cls, key, values) -> BlockGf:
        names = [bl.decode() if isinstance(bl, bytes) else str(bl) for bl in values["block_names"]]
        return cls(name_list=names, block_list=[values[bl] for bl in names], name=key)

    @property
    def indices(self) -> Iterator[str]:
        return iter(self.block_names)

    def __getitem__(self, key):
        if isinstance(key, slice) and key == slice(None):
            return self
        try:
            return self.g_dict[key]
        except KeyError:
            raise IndexError(f"no block {key!r}: the blocks are {self.block_names}") from None

    def __setitem__(self, key, value) -> None:
        self[key] << value

    def _mapped(self, function: Callable) -> BlockGf:
        return BlockGf(name_list=self.block_names, block_list=[function(bl, g) for bl, g in self], name=self.name)

    def copy(self) -> BlockGf:
        return self._mapped(lambda bl, g: g.copy())

    def __lshift__(self, source) -> BlockGf:
        for (_, g), part in zip(self, self._parts(source)):
            g << part
        return self

    copy_from = __lshift__

    def _parts(self, source) -> list:
        """What each block gets from `source`: its own block of it, or all of it."""
        if isinstance(source, Fourier) and isinstance(source.source, _dcore.BlockGf):
            return [type(source)(source.source[bl]) for bl in self.block_names]
        if isinstance(source, _dcore.BlockGf):
            return [source[bl] for bl in self.block_names]
        if isinstance(source, (list, tuple)):
            if len(source) != len(self):
                raise ValueError(f"{len(source)} items given for {len(self)} blocks")
            return list(source)
        return [source] * len(self)

    def _zipped(self, other, function: Callable) -> BlockGf:
        parts = dict(zip(self.block_names, self._parts(other)))
        return self._mapped(lambda bl, g: function(g, parts[bl]))

    def __add__(self, other):
        return self._zipped(other, lambda g, x: g + x)

    __radd__ = __add__

    def __sub__(self, other):
        return self._zipped(other, lambda g, x: g - x)

    def __rsub__(self, other):
        return self._zipped(other, lambda g, x: x - g)

    def __mul__(self, other):
        return self._zipped(other, lambda g, x: g * x)

    def __rmul__(self, other):
        return self._zipped(other, lambda g, x: x * g)

    def __truediv__(self, other):
        return self._mapped(lambda bl, g: g / other)

    def __neg__(self):
        return self._mapped(lambda bl, g: -g)

    def __iadd__(self, other):
        return self << self + other

    def __isub__(self, other):
        return self << self - other

    def __imul__(self, other):
        return self << self * other

    def __itruediv__(self, other):
        return self << self / other

    @property
    def real(self) -> BlockGf:
        return self._mapped(lambda bl, g: g.real)

    @property
    def imag(self) -> BlockGf:
        return self._mapped(lambda bl, g: g.imag)

    def inverse(self) -> BlockGf:
        return self._mapped(lambda bl, g: g.inverse())

    def total_density(self) -> float:
        return float(np.real(sum(g.total_density() for _, g in self)))


def _size(n) -> int:
    """Size of a block; lists of orbital names count as their length."""
    return len(n) if isinstance(n, (list, tuple, range)) else int(n)


register(BlockGf)
