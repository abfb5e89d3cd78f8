"""Rules between columns that whoever knows the data states: `discharge >= admission`.

A small language of its own, read by a parser that knows nothing else: no rule runs code, and its length and depth are limited.
docs/rules.md is its manual.

`words`    a text as words, each with its place
`parser`   words as a tree; mistakes of grammar
`meaning`  a tree over columns of known kinds; mistakes of meaning, such as a date beside a number
`truth`    three-valued truth: yes, no, or unknown where a null is in the way
`rule`     Rule: one rule, and the rows that break it
"""

from __future__ import annotations

from synthml.study.rules.rule import Rule, bind_rules, columns_in, label_notes, problem_of, syntax_problems
from synthml.study.rules.words import Misread

__all__ = ["Misread", "Rule", "bind_rules", "columns_in", "label_notes", "problem_of", "syntax_problems"]
