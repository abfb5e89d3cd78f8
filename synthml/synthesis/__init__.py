"""The embedded generator, and the protocol by which any other can take its place.

protocol     Synthesizer: fit, sample, record
cart         CartSynthesizer: sequential synthesis by trees, the default of the demo
dpmm         DpmmSynthesizer: differential privacy, by a library that runs in an environment of its own (`dpmm_worker`)
chain        columns drawn one after another, each from a tree on those before it
visits       the rows of a subject, drawn one after another; `rise`: dates and ages that never fall from row to row
steps        one column given others: first whether it is missing, then which value
leaves       one tree as a set of donors, never fewer than a minimum of subjects
smoothing    numbers spread over their neighbours instead of copied
columns      a table's columns taken apart, and put together again in their dtypes
conditions   columns that the user gives; `subjects`: whose rows they are, and new ids

A fitted generator holds real values and is as sensitive as its source. Only the tables it draws may leave, once measured.
"""

from __future__ import annotations

from synthml.synthesis.cart import CartSynthesizer
from synthml.synthesis.dpmm import DpmmSynthesizer
from synthml.synthesis.protocol import Synthesizer

__all__ = ["CartSynthesizer", "DpmmSynthesizer", "Synthesizer"]
