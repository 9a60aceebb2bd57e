# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""What scripts for triqs_ctseg ask for and this solver does not have: a sentence for each, with what to do instead."""

from __future__ import annotations

_RETARDED = (
    "interactions that are retarded or exchange spins in time are not among what this solver knows. Solve such a "
    "problem with triqs_ctseg"
)
_DYNAMIC = (
    "correlators in time, and states, are not measured here; ⟨n_i n_j⟩ at equal times is S.nn_static. Measure the "
    "others with triqs_ctseg"
)
_VERTEX = "ask for the two-particle functions of triqs_cthyb (measure_G2_iw_ph, ...), or use triqs_ctseg"
_ALWAYS = "it is always there: leave the parameter out, and read"
_MOVES = "the chain chooses its moves itself: leave it out"

#: Attributes of its solver.
ATTRIBUTES = {
    **dict.fromkeys(("D0_tau", "Jperp_tau", "J_perp_tau"), _RETARDED),
    "results": "results are attributes of the solver itself: S.G_tau, S.nn_static, S.orbital_occupations, ...",
    "constr_params": "read S.last_constr_parameters",
    "solve_params": "read S.last_solve_parameters",
}

#: Parameters of its solve().
PARAMETERS = {
    "hartree_shift": "it is added to the chemical potential there: put it into the levels, h_loc0 - sum(shift * n)",
    **dict.fromkeys(("measure_nn_static", "measure_nn"), f"{_ALWAYS} S.nn_static"),
    **dict.fromkeys(("measure_densities", "measure_n"), f"{_ALWAYS} S.orbital_occupations"),
    "measure_average_sign": f"{_ALWAYS} S.average_sign",
    "measure_gt": f"{_ALWAYS} S.G_tau",
    **dict.fromkeys(
        ("measure_F_tau", "measure_ft"),
        "improved estimators enter Sigma_iw without being asked for: leave it out, and read S.Sigma_iw",
    ),
    **dict.fromkeys(
        ("measure_pert_order_histograms", "measure_perturbation_order_histograms"),
        "it is called measure_pert_order here, and its results S.perturbation_order and S.perturbation_order_total",
    ),
    **dict.fromkeys(
        ("measure_nn_tau", "measure_nnt", "measure_nn_nu_dlr", "measure_Sperp_tau", "measure_state_hist"), _DYNAMIC
    ),
    **dict.fromkeys(("measure_g2w", "measure_g3w", "measure_f2w", "measure_f3w"), _VERTEX),
    **dict.fromkeys(("n_w_b_vertex", "n_w_f_vertex"), _VERTEX),
    "n_tau_G": "G_tau is on the mesh of the solver: give n_tau to Solver(...)",
    **dict.fromkeys(("n_tau_chi2", "dlr_omega_max", "dlr_epsilon"), _DYNAMIC),
    "histogram_max_order": "histograms of perturbation orders end at 1000: leave it out",
    "visualize_config": "configurations are not shown: leave it out",
    **dict.fromkeys(
        (
            *(f"move_{how}_segment" for how in ("insert", "remove", "move", "split", "regroup")),
            *(f"move_{how}_segment_v2" for how in ("insert", "remove", "split", "regroup")),
            *(f"move_{how}_spin_segment" for how in ("insert", "remove", "split", "regroup")),
            "move_double_insert_segment", "move_double_remove_segment", "move_swap_spin_lines",
        ),
        _MOVES,
    ),
}  # fmt: skip

#: Options of its constructor.
OPTIONS = {
    **dict.fromkeys(("n_tau_bosonic", "n_tau_k"), f"it is the mesh of D0_tau and Jperp_tau: {_RETARDED}"),
    **dict.fromkeys(("n_w_b_nn", "n_w_f_vertex", "n_w_b_vertex"), _VERTEX),
}


def advice(name: str, known: dict[str, str]) -> str:
    """What to do about `name`, as the end of an error message; empty where triqs_ctseg does not have it either."""
    return f": it belongs to triqs_ctseg; {known[name]}" if name in known else ""
