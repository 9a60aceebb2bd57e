# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Installation of triqs_mlsolver.

TRIQS and triqs_cthyb come from conda-forge or the cluster's modules, not from PyPI; they are used where they import.
"""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
about: dict = {}
exec((HERE / "triqs_mlsolver" / "version.py").read_text(encoding="utf-8"), about)

extras = {
    "mpi": ["mpi4py>=3.1", "mpich"],
    "plot": ["matplotlib>=3.6"],
    "test": ["pytest>=7", "pytest-xdist>=3.2", "hypothesis>=6", "matplotlib>=3.6"],
    "doc": ["sphinx>=7", "numpydoc>=1.6", "sphinx-gallery>=0.15", "myst-parser>=2", "furo", "matplotlib>=3.6"],
}
extras["dev"] = sorted({*extras["test"], *extras["plot"], *extras["doc"], "build", "ruff>=0.4"})

setup(
    name="triqs_mlsolver",
    version=about["version"],
    description="A TRIQS-style impurity solver that answers from a learned database and computes what it does not know",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="GPL-3.0-or-later",
    author="The triqs_mlsolver authors",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Physics",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=["triqs_mlsolver", "triqs_mlsolver.*"]),
    package_data={"triqs_mlsolver": ["data/*.h5", "data/*.cache"]},
    install_requires=[
        "numpy>=1.24",
        "scipy>=1.11",
        "scikit-learn>=1.3",
        "threadpoolctl>=3",
        "h5py>=3.8",
        "numba>=0.58",
        "pydlr>=1.0",
        "click>=8",
        "tqdm>=4.60",
        "dcorelib>=1.0",
    ],
    extras_require=extras,
    entry_points={"console_scripts": ["mlsolver=triqs_mlsolver.app.cli:main"]},
)
