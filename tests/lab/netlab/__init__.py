# SPDX-License-Identifier: GPL-2.0-or-later
"""Nodes in network namespaces; tests/lab/README.md is the manual."""
from .lab import Lab
from .ns import lacking
from .plan import Wrong

__all__ = ["Lab", "Wrong", "lacking"]
