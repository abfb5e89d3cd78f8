"""The study: what the columns are, which table plays which role, and the check at the door.

`schema`    Schema: the words of whoever knows the data
`study`     Study: tables in roles, normalised and checked once; everything after it may trust them
`columns`   which columns are used, whether every role has them, and their kinds
`tables`    normalisation: four forms of a column, the same under every library
`target`    task, classes and the positive class
`rules`     rules between columns, a small language of their own
`groups`    Grouping: groups by sensitive columns and intersections; bins of numbers
`checks`    the checks of values
`split`     a split that never tears the rows of one subject apart
`file`      the study file
"""

from __future__ import annotations

from synthml.study.file import StudyFile
from synthml.study.groups import Grouping
from synthml.study.schema import Kind, MinimumCell, Role, Schema, Task
from synthml.study.split import split_by_subject
from synthml.study.study import Study
from synthml.study.tables import Table

__all__ = ["Grouping", "Kind", "MinimumCell", "Role", "Schema", "Study", "StudyFile", "Table", "Task", "split_by_subject"]
