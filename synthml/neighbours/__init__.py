"""Exact nearest neighbours between mixed tables, under one documented distance (docs/distance.md).

A `Scale` is fixed from the source and encodes every table alike; `nearest` then answers, for each row of one table, which rows
of another are nearest, how far they are and how many tie. Distances are sums of whole numbers: ties are exact, and neither the
order of rows nor the kernel that ran changes a figure.
"""

from __future__ import annotations

from synthml.neighbours.scale import Encoded, Scale
from synthml.neighbours.search import Neighbours, distances_to, kernel, nearest

__all__ = ["Encoded", "Neighbours", "Scale", "distances_to", "kernel", "nearest"]
