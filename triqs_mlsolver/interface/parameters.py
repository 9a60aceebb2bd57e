# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""The parameters of triqs_cthyb (3.2 and 4.x): which there are, and what each means for a solver that learns."""

from __future__ import annotations

import logging
from importlib.util import find_spec

import numpy as np

from ..compat.containers import can_be_stored
from ..exact.cthyb.parameters import DEFAULTS, REQUIRED
from ..tools.validation import did_you_mean
from . import ctseg

logger = logging.getLogger("triqs_mlsolver")


#: Post-processing of cthyb's Python layer. Tails are exact here, so that these have nothing left to do.
POST_PROCESSING = {
    "perform_post_proc": True,
    "perform_tail_fit": False,
    "fit_max_moment": 3,
    "fit_known_moments": None,
    "fit_min_n": None,
    "fit_max_n": None,
    "fit_min_w": None,
    "fit_max_w": None,
}

#: Understood by the embedded Monte Carlo solver, unknown to cthyb.
OWN = {"target_error": None}

DEPRECATED = {"measure_g_tau": "measure_G_tau", "measure_g_l": "measure_G_l"}

#: Results that only Monte Carlo has, by the parameter that asks for them.
_MONTE_CARLO_ONLY = (
    "measure_O_tau", "measure_G2_tau", "measure_G2_iw", "measure_G2_iw_nfft", "measure_G2_iw_pp",
    "measure_G2_iw_pp_nfft", "measure_G2_iw_ph", "measure_G2_iw_ph_nfft", "measure_G2_iwll_pp", "measure_G2_iwll_ph",
    "measure_pert_order", "performance_analysis",
)  # fmt: skip

#: Restrictions of the local Hilbert space: they change the problem itself, which then is for triqs_cthyb alone.
_CHANGE_THE_PROBLEM = ("loc_n_min", "loc_n_max", "truncate_energy_cutoff", "truncate_max_states")

#: What the run decides on either way, learned answer or not.
_ALWAYS_USED = {
    "h_int",
    "h_loc0",
    "off_diag_threshold",
    "imag_threshold",
    "measure_G_tau",
    "measure_G_l",
    "measure_density_matrix",
}


class Parameters(dict):
    """Parameters; entries can also be read as attributes, like the parameter objects of cthyb 4.

    In an archive they are a plain dict, without what it cannot take (None, callables).
    """

    _hdf5_format_ = "Dict"

    def __reduce_to_dict__(self) -> dict:
        return {name: value for name, value in self.items() if can_be_stored(value)}

    def __getattr__(self, name: str):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def as_keywords(parameters) -> dict:
    """The solve parameters in a dict or in a parameter object of cthyb 4 (SolveParametersT).

    Raises
    ------
    TypeError
        For anything else, such as an operator given without the keyword `h_int`.
    """
    if parameters is None:
        return {}
    found = parameters if isinstance(parameters, dict) else getattr(parameters, "__dict__", None)
    if found is None or (found and not isinstance(parameters, dict) and not any(map(_is_parameter, found))):
        raise TypeError(
            f"solve() takes keyword arguments only: solve(h_int=H, n_cycles=...), or one object that holds them; "
            f"{type(parameters).__name__} was given"
        )
    return dict(found)


def _is_parameter(name: str) -> bool:
    return name in DEFAULTS or name in POST_PROCESSING or name in OWN


def checked(given: dict) -> Parameters:
    """The parameters the user gave, deprecated names replaced; None stands for cthyb's default and is left out.

    Raises
    ------
    TypeError
        For an unknown name, a missing `h_int`, or what is no configuration to start from.
    """
    params = Parameters()
    for name, value in given.items():
        if name in DEPRECATED:
            logger.warning("solve parameter %s is deprecated: use %s", name, DEPRECATED[name])
            name = DEPRECATED[name]
        if not _is_parameter(name):
            hint = ctseg.advice(name, ctseg.PARAMETERS) or did_you_mean(name, [*DEFAULTS, *POST_PROCESSING, *OWN])
            those = ": the parameters are those of triqs_cthyb, see help(Solver.solve)"
            raise TypeError(f"solve() has no parameter {name!r}{hint or those}")
        if value is not None:
            params[name] = value
    if "h_int" not in params:
        raise TypeError("solve() needs the interaction: give h_int, e.g. h_int = U * n('up', 0) * n('down', 0)")
    given = params.get("initial_configuration")
    if given is not None and type(given).__name__ != "Configuration":
        raise TypeError(
            f"initial_configuration = {given!r} is no configuration of triqs_cthyb: give the last_configuration of a "
            "solver after a run of triqs_cthyb 4, or None"
        )
    return params


def with_defaults(params: dict) -> Parameters:
    """All of cthyb's parameters, as its `last_solve_parameters` lists them."""
    defaults = {k: v for k, v in DEFAULTS.items() if v is not REQUIRED}
    return Parameters({**defaults, **params})


def for_exact_solver(params: dict) -> dict:
    """What is handed to the exact solver: all but the post-processing."""
    return {k: v for k, v in params.items() if k not in POST_PROCESSING}


def for_cthyb(params: dict, *, post_processed: bool) -> dict:
    """What is handed to triqs_cthyb's own `Solver` (`post_processed`) or `SolverCore`."""
    return {k: v for k, v in params.items() if k not in OWN and (post_processed or k not in POST_PROCESSING)}


def monte_carlo_only(params: dict, problem) -> list[str]:
    """The measurements asked for that only Monte Carlo can make.

    The density matrix is one of them unless the pair correlators, which are always known, determine it.
    """
    asked = [name for name in _MONTE_CARLO_ONLY if params.get(name)]
    if params.get("measure_density_matrix") and not has_density_matrix_from_correlators(problem):
        asked.append("measure_density_matrix")
    return asked


def has_density_matrix_from_correlators(problem) -> bool:
    """Whether ⟨n_i n_j⟩ determines the reduced density matrix of a `Problem`: for one orbital, four probabilities."""
    return problem.n_flavours == 2 and problem.is_density_density and problem.is_diagonal


def reason_for_exact(asked: list[str]) -> str | None:
    """Why the exact solver must run whatever the model knows; `asked` comes from `monte_carlo_only`."""
    return f"{', '.join(asked)} asked for, which only Monte Carlo can measure" if asked else None


def reason_for_cthyb_alone(params: dict, interaction) -> str | None:
    """Why the problem is one that only triqs_cthyb can pose, and neither model nor database know; None if it is not.

    Parameters
    ----------
    params : dict
        Checked parameters.
    interaction : operators.Interaction
        What `h_int` says.
    """
    restrictions = [f"{name} = {params[name]}" for name in _CHANGE_THE_PROBLEM if _restricts(name, params)]
    if restrictions:
        return f"{', '.join(restrictions)}: a restricted local Hilbert space is another problem"
    if params.get("n_cycles") == 0 and params.get("n_warmup_cycles") == 0:
        return "n_cycles = n_warmup_cycles = 0 asks for the isolated atom, without a run"
    if interaction.between_blocks:
        a, b = interaction.between_blocks
        return f"h_int has one-body terms between different blocks, {a!r} and {b!r}, which should be one in gf_struct"
    return None


def _restricts(name: str, params: dict) -> bool:
    return name in params and params[name] != DEFAULTS[name]


def require_cthyb(exact, reason: str) -> None:
    """Refuse a problem of `reason_for_cthyb_alone` where triqs_cthyb is not installed, or not the exact solver.

    Raises
    ------
    ValueError
    """
    if exact not in ("auto", "cthyb"):
        what = f"exact = {exact if isinstance(exact, str) else exact.name!r} does not take it"
    elif find_spec("triqs_cthyb") is None:
        what = "triqs_cthyb is not installed (conda install -c conda-forge triqs_cthyb)"
    else:
        return
    raise ValueError(f"{reason}; it is passed to triqs_cthyb as it is, with exact='auto' or 'cthyb', but {what}")


def exact_solver_for(exact, asked: list[str]):
    """The exact solver that makes the measurements `asked` for: `exact`, or "cthyb" where "auto" leaves the choice.

    Raises
    ------
    ValueError
        If the solver chosen by name cannot make them, or triqs_cthyb is needed and not installed.
    """
    asked = [name for name in asked if exact == "ed" or name != "measure_pert_order"]
    if not asked or exact not in ("auto", "segment", "ed"):
        return exact
    if exact == "auto" and find_spec("triqs_cthyb") is not None:
        return "cthyb"
    what = "triqs_cthyb is not installed" if exact == "auto" else f"exact = {exact!r} cannot"
    raise ValueError(
        f"{', '.join(asked)} can only be measured by triqs_cthyb, and {what}: leave the measurement out "
        "(S.nn_static is always there), or use exact='cthyb' (conda install -c conda-forge "
        "triqs_cthyb)"
    )


def unused_by_model(params: dict) -> list[str]:
    """Parameters that had no say in a model's answer."""
    return sorted(set(params) - _ALWAYS_USED)


def checked_beta(beta) -> float:
    """The inverse temperature as a float; TypeError or ValueError if it is none."""
    try:
        value = float(beta)
    except (TypeError, ValueError):
        raise TypeError(f"beta = {beta!r} is not a number: give the inverse temperature") from None
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"beta = {beta} is not a temperature: give a finite inverse temperature beta > 0")
    return value


def checked_sizes(n_iw, n_tau, n_l) -> tuple[int, int, int]:
    """Sizes of the meshes; ValueError unless positive and n_tau ≥ 2 n_iw, as cthyb demands."""
    for name, value in (("n_iw", n_iw), ("n_tau", n_tau), ("n_l", n_l)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} = {value!r} must be a positive integer")
    if n_tau < 2 * n_iw:
        raise ValueError(
            f"n_tau = {n_tau} is too small for n_iw = {n_iw}: at least twice as many time points as frequencies are "
            f"needed, n_tau >= {2 * n_iw}"
        )
    return int(n_iw), int(n_tau), int(n_l)
