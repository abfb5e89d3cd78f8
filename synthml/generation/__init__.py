"""How a synthetic table was made.

`record`   GenerationRecord: the fields of the table's datasheet, typed and versioned, with a public view
`readers`  what a fitted SDV, synthcity, mostlyai or other synthesizer can tell of itself, without importing its library
"""

from __future__ import annotations

from synthml.generation.record import SCHEMA_VERSION, GenerationRecord

__all__ = ["SCHEMA_VERSION", "GenerationRecord"]
