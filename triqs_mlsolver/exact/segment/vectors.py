# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Sweeps over arrays in whole vector registers, for compiled code.

The arrays of a configuration are short, about as long as a vector register. Loops over them are what the compiler's
own vectoriser does worst: it unrolls for long arrays, tests whether arrays overlap, and runs short ones element by
element. Here a sweep is written as one expression on `Vector`, which holds `WIDTH` neighbouring elements, and becomes
a loop over vector instructions of whatever width the machine has:

    @sweep("sum")
    def dot(a, b):
        return a * b

is called from compiled code as ``dot(a, b, n)`` and runs over the first n elements rounded up to a multiple of `WIDTH`:
all arrays must have room for them, and what lies beyond n must be inert.
"""

from __future__ import annotations

import inspect

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 8  # elements in the widest vector register there is

_REAL, _WHOLE = ir.DoubleType(), ir.IntType(64)
_REALS, _WHOLES = ir.VectorType(_REAL, WIDTH), ir.VectorType(_WHOLE, WIDTH)


class Vector:
    """`WIDTH` neighbouring elements, or one number repeated, in a piece of compiled code."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value

    def _other(self, other) -> ir.Value:
        return other.value if isinstance(other, Vector) else ir.Constant(_REALS, [float(other)] * WIDTH)

    def _call(self, name: str) -> Vector:
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(_REALS, [_REALS]), f"{name}.v{WIDTH}f64"
        )
        return Vector(self.builder, self.builder.call(function, [self.value]))

    def __add__(self, other):
        return Vector(self.builder, self.builder.fadd(self.value, self._other(other)))

    def __sub__(self, other):
        return Vector(self.builder, self.builder.fsub(self.value, self._other(other)))

    def __rsub__(self, other):
        return Vector(self.builder, self.builder.fsub(self._other(other), self.value))

    def __mul__(self, other):
        return Vector(self.builder, self.builder.fmul(self.value, self._other(other)))

    __rmul__ = __mul__

    def __lt__(self, other):
        return Vector(self.builder, self.builder.fcmp_ordered("<", self.value, self._other(other)))

    def __le__(self, other):
        return Vector(self.builder, self.builder.fcmp_ordered("<=", self.value, self._other(other)))

    def where(self, yes, no) -> Vector:
        """`yes` where this comparison holds, else `no`."""
        as_value = lambda x: x.value if isinstance(x, Vector) else ir.Constant(_REALS, [float(x)] * WIDTH)
        return Vector(self.builder, self.builder.select(self.value, as_value(yes), as_value(no)))

    def positive(self) -> Vector:
        """The larger of this and 0."""
        return (self <= 0.0).where(0.0, self)

    def sqrt(self) -> Vector:
        """Square root."""
        return self._call("llvm.sqrt")

    def __abs__(self):
        return self._call("llvm.fabs")

    def whole(self) -> Vector:
        """Rounded towards 0, as whole numbers."""
        return Vector(self.builder, self.builder.fptosi(self.value, _WHOLES))

    def real(self) -> Vector:
        """Whole numbers as real ones."""
        return Vector(self.builder, self.builder.sitofp(self.value, _REALS))


def sweep(kind: str, n_results: int = 0):
    """Turn an expression on vectors into a function for compiled code.

    Parameters
    ----------
    kind : "sum", "least", "largest" or "store"
        What becomes of the elements: the first three are reduced to one number; "store" writes them to arrays.
    n_results : int
        For "store": number of arrays to write, which come before the arguments of the expression. They may be among
        these: each block is read before it is written.
    """

    def decorate(expression):
        def function(typingctx, *arguments):
            signature = (types.void if kind == "store" else types.float64)(*arguments)

            def codegen(context, builder, signature, values):
                return _loop(kind, n_results, expression, context, builder, signature, values)

            return signature, codegen

        results = [f"result_{k}" for k in range(n_results)]
        names = ["typingctx", *results, *inspect.signature(expression).parameters, "n"]
        parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names]
        function.__signature__ = inspect.Signature(parameters)
        function.__name__, function.__doc__ = expression.__name__, expression.__doc__
        return intrinsic(function)

    return decorate


@intrinsic
def row_times_matrix(typingctx, result, row, M, n_rows, n_columns):
    """result[i] = Σ_j row[j] M[j, i] over n_rows rows, and n_columns rounded up to a multiple of `WIDTH`."""

    def codegen(context, builder, signature, values):
        arrays = zip(signature.args[:3], values)
        result, row, M = (cgutils.create_struct_proxy(t)(context, builder, v) for t, v in arrays)
        length = builder.extract_value(M.shape, 1)
        zero = ir.Constant(_WHOLE, 0)
        with cgutils.for_range_slice(builder, zero, values[4], ir.Constant(_WHOLE, WIDTH), _WHOLE) as (i, _):
            total = cgutils.alloca_once_value(builder, ir.Constant(_REALS, [0.0] * WIDTH))
            builder.store(ir.Constant(_REALS, [0.0] * WIDTH), total)
            with cgutils.for_range(builder, values[3], intp=_WHOLE) as loop:
                place = builder.gep(M.data, [builder.add(builder.mul(loop.index, length), i)])
                block = Vector(builder, builder.load(builder.bitcast(place, _REALS.as_pointer()), align=8))
                factor = _repeat(builder, builder.load(builder.gep(row.data, [loop.index])))
                builder.store((Vector(builder, builder.load(total)) + block * factor).value, total)
            place = builder.bitcast(builder.gep(result.data, [i]), _REALS.as_pointer())
            builder.store(builder.load(total), place, align=8)
        return context.get_dummy_value()

    return types.void(result, row, M, types.int64, types.int64), codegen


_START = {"sum": 0.0, "least": 1e308, "largest": -1e308}


def _loop(kind, n_results, expression, context, builder, signature, values):
    pointers = [
        cgutils.create_struct_proxy(t)(context, builder, v).data if isinstance(t, types.Array) else None
        for t, v in zip(signature.args, values)
    ]
    scalars = [
        None if p is not None else _repeat(builder, context.cast(builder, v, t, types.float64))
        for t, v, p in zip(signature.args[:-1], values, pointers)
    ]
    is_store = kind == "store"
    total = None if is_store else cgutils.alloca_once_value(builder, ir.Constant(_REALS, [_START[kind]] * WIDTH))

    def address(k, index):
        element = _WHOLES if signature.args[k].dtype == types.int64 else _REALS
        return builder.bitcast(builder.gep(pointers[k], [index]), element.as_pointer())

    zero, step = ir.Constant(_WHOLE, 0), ir.Constant(_WHOLE, WIDTH)
    with cgutils.for_range_slice(builder, zero, values[-1], step, _WHOLE) as (index, _):
        read = [
            scalars[k] if pointers[k] is None else Vector(builder, builder.load(address(k, index), align=8))
            for k in range(n_results, len(values) - 1)
        ]
        result = expression(*read)
        if is_store:
            for k, vector in enumerate(result if n_results > 1 else [result]):
                builder.store(vector.value, address(k, index), align=8)
        else:
            builder.store(_combined(builder, kind, builder.load(total), result.value), total)
    return context.get_dummy_value() if is_store else _reduced(builder, kind, builder.load(total))


def _repeat(builder, value) -> Vector:
    undefined = ir.Constant(_REALS, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), None)  # all zero: the first element everywhere
    return Vector(builder, builder.shuffle_vector(first, undefined, mask))


def _combined(builder, kind, a, b):
    if kind == "sum":
        return builder.fadd(a, b)
    return builder.select(builder.fcmp_ordered("<" if kind == "least" else ">", b, a), b, a)


def _reduced(builder, kind, vector):
    name = {"sum": "fadd", "least": "fmin", "largest": "fmax"}[kind]
    arguments = ([_REAL] if kind == "sum" else []) + [_REALS]
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_REAL, arguments), f"llvm.vector.reduce.{name}.v{WIDTH}f64"
    )
    start = [ir.Constant(_REAL, 0.0)] if kind == "sum" else []
    return builder.call(function, start + [vector], fastmath=("reassoc", "nnan", "nsz"))
