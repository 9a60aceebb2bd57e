# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""A point of the database, and its stored form: a line of JSON and one vector of floats."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import socket
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ..problem import DiscreteBath, Problem, Solution
from ..version import version as package_version

FORMAT_VERSION = 1

# what makes two runs on one problem different points; the rest of the provenance tells how a run went
_IDENTITY = (
    "solver",
    "version",
    "seed",
    "settings",
    "n_cycles",
    "length_cycle",
    "n_warmup_cycles",
    "n_ranks",
    "n_bath",
    "fidelity",
)
_BLOCK_FIELDS = ("G_l", "Sigma_infty", "Sigma_1", "G_l_error", "F_l", "F_l_error")


@dataclass(frozen=True, eq=False)
class Point:
    """A solved problem, in canonical form: energies in units of the problem's own scale, blocks in canonical order.

    Parameters
    ----------
    id : str
        Content hash of the problem, the solver, its settings and seed.
    index : int
        Position in the database that handed it out.
    problem, solution : Problem, Solution
        Dimensionless; `solution.in_units_of(a_problem)` brings the answer back to any problem with the same id.
    attributes : dict
        Provenance: solver, version, seed, n_cycles, average_sign, auto_corr_time, seconds, host, date, package_version,
        fidelity, and `unit`, the energy unit of the problem as it was asked.
    problem_id : str
        `id` of the problem; shared by several answers to one problem.
    """

    id: str
    index: int
    problem: Problem
    solution: Solution
    attributes: dict
    problem_id: str

    @property
    def fidelity(self) -> str:
        """How far the answer is trusted: "exact", or the name of a cheaper kind of label (see `distrust`)."""
        return self.attributes["fidelity"]

    @property
    def solver(self) -> str:
        """Name of the exact solver."""
        return self.attributes.get("solver", "")

    @property
    def kind(self) -> str:
        """Block sizes and interaction of the problem in words, such as "1+1 density-density"."""
        return kind(self.problem)

    @property
    def unit(self) -> float:
        """Energy unit in which the problem was asked."""
        return self.attributes["unit"]

    def __eq__(self, other) -> bool:
        return isinstance(other, Point) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True, eq=False)
class Record:
    """The stored form of a point: `header` describes the point and the arrays that follow one another in `data`.

    The header is compact JSON whose keys come in the order of `_header`.
    """

    id: str
    header: bytes
    data: np.ndarray

    @cached_property
    def description(self) -> dict:
        return json.loads(self.header)

    @property
    def checksum(self) -> int:
        return zlib.crc32(memoryview(np.ascontiguousarray(self.data)).cast("B"), zlib.crc32(self.header))

    @property
    def problem_id(self) -> str:
        """`id` of the problem; found without reading the whole header."""
        return self.header.partition(b'"problem":"')[2].partition(b'"')[0].decode()

    @property
    def kind(self) -> str:
        """Kind of the problem, see `kind`; found without reading the whole header."""
        return _kind_of_text(self.header.partition(b'"specification":')[2].partition(b"}")[0] + b"}")

    @property
    def attributes(self) -> dict:
        """Provenance; read without the rest of the header."""
        return json.loads(self.header.partition(b',"attributes":')[2][:-1])

    @property
    def layout_text(self) -> bytes:
        """The part of the header that names the arrays: equal where `layout` is equal."""
        return self.header.partition(b',"arrays":')[2].partition(b',"attributes":')[0]

    @property
    def layout(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Where each array begins in `data`, and its shape; do not change it, it is shared."""
        return _layout(self.layout_text)

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name; views of `data`."""
        return {name: self._cut(start, shape) for name, (start, shape) in self.layout.items()}

    def blocks(self, name: str) -> list[np.ndarray]:
        """The arrays name/0, name/1, ... as far as there are any; views of `data`."""
        found, layout = [], self.layout
        while (key := f"{name}/{len(found)}") in layout:
            found.append(self._cut(*layout[key]))
        return found

    def _cut(self, start: int, shape: tuple[int, ...]) -> np.ndarray:
        return self.data[start : start + math.prod(shape)].reshape(shape)


@lru_cache(maxsize=256)
def _layout(text: bytes) -> dict[str, tuple[int, tuple[int, ...]]]:
    out, start = {}, 0
    for name, shape in json.loads(text):
        if isinstance(shape, str):  # the same numbers as an earlier block
            out[name] = out[shape]
            continue
        out[name] = (start, tuple(shape))
        start += math.prod(shape)
    return out


def specification(problem: Problem) -> dict:
    """What problems that one model learns have in common: the sizes of the blocks and the kind of interaction."""
    sizes = sorted(size for _, size in problem.gf_struct)
    return {"blocks": sizes, "interaction": "density-density" if problem.is_density_density else "general"}


def kind(problem: Problem) -> str:
    """The specification of a problem in words: "1+1 density-density", "2+2 general"."""
    return _in_words(specification(problem))


def _in_words(spec: dict) -> str:
    return f"{'+'.join(map(str, spec['blocks']))} {spec['interaction']}"


@lru_cache(maxsize=256)
def _kind_of_text(text: bytes) -> str:
    return _in_words(json.loads(text))


def encode(problem: Problem, solution: Solution, fidelity: str = "exact", attributes: dict | None = None) -> Record:
    """The record of a problem and its solution, given in any unit; see `check` for what is refused."""
    check(problem, solution)
    canonical, answer = problem.canonical(), solution.canonical(problem)
    attributes = {
        "host": socket.gethostname(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "package_version": package_version,
        **{key: plain(key, value) for key, value in {**solution.provenance, **(attributes or {})}.items()},
        "fidelity": str(fidelity),
        "unit": problem.unit,
    }
    layout, data = _flatten({**_problem_arrays(canonical), **_solution_arrays(answer)})
    point_id = _point_id(problem.id, attributes, data if answer.is_noisy else None)
    header = _header(point_id, problem, canonical, layout, attributes)
    return Record(point_id, header, data)


def encode_inputs(problem: Problem, attributes: dict) -> Record:
    """A problem alone, in the units it was asked in."""
    layout, data = _flatten(_problem_arrays(problem))
    cleaned = {key: plain(key, value) for key, value in attributes.items()}
    return Record(problem.id, _header(problem.id, problem, problem, layout, cleaned), data)


def decode(record: Record, index: int = 0) -> Point:
    """The point of a record."""
    a, description = {k: v.copy() for k, v in record.arrays().items()}, record.description
    problem = decode_problem(record)
    n_blocks = len(problem.gf_struct)
    blocks = {f: tuple(a[f"{f}/{b}"] for b in range(n_blocks)) if f"{f}/0" in a else None for f in _BLOCK_FIELDS}
    solution = Solution(
        problem.beta,
        problem.gf_struct,
        nn=a["nn"],
        nn_error=a.get("nn_error"),
        h_int=float(a["h_int"]) if "h_int" in a else None,
        provenance=dict(description["attributes"]),
        **blocks,
    )
    return Point(record.id, index, problem, solution, dict(description["attributes"]), description["problem"])


def decode_problem(record: Record) -> Problem:
    """The problem of a record, which need not hold a solution."""
    a, gf_struct = {k: v.copy() for k, v in record.arrays().items()}, record.description["gf_struct"]
    blocks = range(len(gf_struct))
    bath = tuple(DiscreteBath(a[f"bath_eps/{b}"], a[f"bath_V/{b}"]) for b in blocks) if "bath_eps/0" in a else None
    return Problem(
        float(a["beta"]),
        tuple((name, size) for name, size in gf_struct),
        tuple(a[f"h_loc0/{b}"] for b in blocks),
        tuple(a[f"Delta_l/{b}"] for b in blocks),
        a["U"],
        tuple((row[0], tuple(row[1:].astype(int))) for row in a["terms"]) if "terms" in a else (),
        bath,
    )


def check(problem: Problem, solution: Solution) -> None:
    """Refuse an answer that does not belong to the problem or is no answer.

    Raises
    ------
    ValueError
        For another β or block structure, NaN or infinity anywhere, negative error bars, densities outside [0, 1], and
        runs whose provenance says converged=False.
    """
    if abs(solution.beta - problem.beta) > 1e-9 * problem.beta:
        raise ValueError(
            f"the solution has beta = {solution.beta:g}, its problem beta = {problem.beta:g}: they do not belong "
            "together"
        )
    sizes = [size for _, size in problem.gf_struct]
    if [size for _, size in solution.gf_struct] != sizes:
        raise ValueError(
            f"the solution has blocks {solution.gf_struct}, its problem {problem.gf_struct}: they do not belong "
            "together"
        )
    for name, array, shape in _expected_shapes(solution, sizes):
        if np.iscomplexobj(array):
            raise ValueError(f"{name} is complex: a point holds real numbers only")
        if array.shape[array.ndim - len(shape) :] != shape or array.ndim - len(shape) != name.startswith(
            ("G_l", "F_l")
        ):
            raise ValueError(
                f"{name} of the solution has shape {array.shape}, the problem asks for {shape} per coefficient"
            )
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{name} of the solution contains NaN or infinity: the run failed and is not stored")
        if "_error" in name and np.any(array < 0):
            raise ValueError(
                f"{name} of the solution contains negative error bars: give one standard error, at least zero"
            )
    margin = 0.01 + (0 if solution.nn_error is None else 6 * np.max(np.diag(solution.nn_error)))
    if np.min(solution.density) < -margin or np.max(solution.density) > 1 + margin:
        raise ValueError(
            f"densities {np.round(solution.density, 4).tolist()} are outside [0, 1] beyond their error bars: the run "
            "is not stored"
        )
    if solution.provenance.get("converged") is False:
        raise ValueError("the run says converged=False: it is not stored")


def _expected_shapes(solution: Solution, sizes: list[int]):
    N = sum(sizes)
    for name in _BLOCK_FIELDS:
        for b, array in enumerate(getattr(solution, name) or ()):
            yield f"{name}[{b}]", np.asarray(array), (sizes[b], sizes[b])
    yield "nn", np.asarray(solution.nn), (N, N)
    if solution.nn_error is not None:
        yield "nn_error", np.asarray(solution.nn_error), (N, N)
    if solution.h_int is not None:
        yield "h_int", np.asarray(solution.h_int), ()


def _problem_arrays(problem: Problem) -> dict[str, np.ndarray]:
    out = {"beta": problem.beta, "U": problem.U}
    if problem.terms:
        out["terms"] = [[c, *indices] for c, indices in problem.terms]
    for name in ("h_loc0", "Delta_l"):
        out |= {f"{name}/{b}": array for b, array in enumerate(getattr(problem, name))}
    for b, bath in enumerate(problem.bath or ()):
        out |= {f"bath_eps/{b}": bath.eps, f"bath_V/{b}": bath.V}
    return out


def _solution_arrays(solution: Solution) -> dict[str, np.ndarray]:
    out = {"nn": solution.nn}
    out |= {name: value for name in ("nn_error", "h_int") if (value := getattr(solution, name)) is not None}
    for name in _BLOCK_FIELDS:
        out |= {f"{name}/{b}": array for b, array in enumerate(getattr(solution, name) or ())}
    return out


def _flatten(arrays: dict) -> tuple[list, np.ndarray]:
    """Layout [[name, shape or name of an equal earlier block], ...] and the numbers, one after the other."""
    layout, parts = [], []
    stored = {}
    for name, value in arrays.items():
        array = np.asarray(value, dtype="<f8")
        field = name.split("/")[0]
        twin = next((other for other, seen in stored.get(field, ()) if np.array_equal(seen, array)), None)
        if twin is not None:
            layout.append([name, twin])
            continue
        stored.setdefault(field, []).append((name, array))
        layout.append([name, list(array.shape)])
        parts.append(array.ravel())
    return layout, np.concatenate(parts)


def _header(point_id: str, problem: Problem, stored: Problem, layout: list, attributes: dict) -> bytes:
    description = {
        "format_version": FORMAT_VERSION,
        "id": point_id,
        "problem": problem.id,
        "specification": specification(problem),
        "gf_struct": [list(block) for block in stored.gf_struct],
        "arrays": layout,
        "attributes": attributes,
    }
    return json.dumps(description, separators=(",", ":"), allow_nan=False).encode()


def _point_id(problem_id: str, attributes: dict, data: np.ndarray | None) -> str:
    """Hash of problem, solver, settings and seed; a noisy answer without a seed is told apart by its numbers."""
    content = json.dumps([problem_id, {key: attributes.get(key) for key in _IDENTITY}], sort_keys=True).encode()
    if data is not None and attributes.get("seed") is None:
        content += data.tobytes()
    return hashlib.sha256(content).hexdigest()[:20]


def plain(key: str, value):
    """`value` as JSON knows it; NaN and infinity, which it does not know, become None."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return plain(key, value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(key, item) for item in value]
    if isinstance(value, dict):
        return {str(name): plain(f"{key}.{name}", item) for name, item in value.items()}
    raise TypeError(
        f"attribute {key!r} is a {type(value).__name__}: attributes are strings, numbers, lists and dicts of them"
    )
