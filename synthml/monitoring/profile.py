"""The reference profile: what the holdout and the model's scores on it look like, as counts at levels, for later comparison.

Rows of real people never reach the tracking store, and whoever watches a model in use may not hold the holdout. So the evidence
of a model carries this profile: for each feature, sensitive column, the prediction and the outcome, how many rows stand at each
level (see `levels`), rounded to the nearest five, and how many are null. Nothing in it is a value of one person, no level is a
small cell, and a sensitive column shows the groups that the subgroup evidence shows, under the same withholding.

Rows of one person are not independent. The design effect says by how much that widens the shares of a column: the mean over
its levels of the variance by subject over that of independent rows (Rao & Scott 1981, doi 10.1080/01621459.1981.10477633).

Points in time are left out: they move on by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.errors import EvidenceError
from synthml.monitoring.levels import Groups, Labels, Numbers, label_levels, names_of, number_levels
from synthml.subgroups.naming import FEWEST, RARE, people_in
from synthml.subgroups.showing import shown_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from synthml.metrics import Outcome
    from synthml.monitoring.levels import Levels
    from synthml.study import Study

__all__ = ["OUTCOME", "PREDICTION", "TABLE", "Profile", "ProfileColumn", "level_variances", "reference_profile"]

TABLE = "reference_profile"
PREDICTION, OUTCOME = "(prediction)", "(outcome)"
_ROUNDED_TO = 5
Row = Mapping[str, Any]


def reference_profile(study: Study, outcome: Outcome) -> tuple[Row, ...]:
    """Rows of the table "reference_profile" of the evidence. outcome: of the synthetic-trained model on the holdout's rows.

    Each row: column; part (feature, group, prediction, outcome); kind (numbers, labels, groups); what (level, rest, missing);
    level, as it reads; at, its number; upper, the cut above it; rows, None where they are a small cell; of_rows, of the whole
    holdout; subjects; design_effect.
    """
    return tuple(_rows(Profile(tuple(_columns(study, outcome))), study))


def _columns(study: Study, outcome: Outcome) -> Iterator[ProfileColumn]:
    subjects, minimum = study.subjects("holdout"), study.schema.minimum_cell.rows
    frame, schema = study.frame("holdout"), study.schema
    shown = _shown_groups(study, outcome)
    for name in dict.fromkeys((*(schema.features or ()), *shown)):
        values = frame[name].to_numpy()
        if name in shown:
            levels = Groups(shown[name], _edges(schema.bins.get(name)), schema.kinds.get(name) == "boolean")
            yield _of_groups(name, levels, levels.codes(values), subjects)
        elif schema.kinds.get(name) != "datetime":
            yield _column(name, "feature", values, subjects, minimum)
    yield _column(PREDICTION, "prediction", prediction_of(outcome), subjects, minimum)
    yield _column(OUTCOME, "outcome", truth_of(outcome), subjects, minimum)


def _edges(bins: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if bins is None else tuple(bins)


def prediction_of(outcome: Outcome) -> NDArray[Any]:
    """(n,) what is compared of the predictions: the probability, the predicted number, or the class that is called."""
    return _as_labels(outcome.decision) if outcome.task == "multiclass" else outcome.score


def truth_of(outcome: Outcome) -> NDArray[Any]:
    """(n,) what is compared of the outcomes: the number, or the class."""
    return outcome.truth.astype(np.float64) if outcome.task == "regression" else _as_labels(outcome.truth.astype(np.int64))


def _as_labels(codes: NDArray[np.int64]) -> NDArray[Any]:
    return np.array([f"class {code}" for code in range(int(codes.max(initial=0)) + 1)], dtype=object)[codes]


def _shown_groups(study: Study, outcome: Outcome) -> dict[str, tuple[str, ...]]:
    """Sensitive column -> labels of the groups that the subgroup evidence shows."""
    members, withheld = shown_groups(study, "holdout")
    return {
        member.grouping.columns[0]: tuple(
            labels[0][1]
            for group, labels in enumerate(member.grouping.labels)
            # the rest takes what the evidence calls rare: nobody can tell from a batch which labels these were
            if withheld.reason(at, group) is None and labels[0][1] != RARE
        )
        for at, member in enumerate(members)
        if len(member.grouping.columns) == 1
    }


def _of_groups(name: str, levels: Levels, codes: NDArray[np.int64], subjects: NDArray[np.int64] | None) -> ProfileColumn:
    """A sensitive column: nulls are a group, and what is small was withheld already."""
    rows = np.bincount(codes, minlength=levels.size)
    effect = _design_effect(codes, levels.size, subjects)
    return ProfileColumn(name, "group", levels, _rounded(rows), 0, len(codes), effect)


def _column(name: str, part: str, values: NDArray[Any], subjects: NDArray[np.int64] | None, minimum: int) -> ProfileColumn:
    levels: Levels = (label_levels if values.dtype == object else number_levels)(values, subjects, minimum)
    codes = levels.codes(values)
    known = codes >= 0
    held = None if subjects is None else subjects[known]
    rows = np.bincount(codes[known], minlength=levels.size)
    effect = _design_effect(codes[known], levels.size, held)
    nulls = int(len(codes) - known.sum())
    people = int(people_in((~known).astype(np.int64), 2, subjects)[1])
    secret = nulls > 0 and (nulls < minimum or people < FEWEST)
    missing = None if secret else int(_rounded(np.array([nulls]))[0])
    missing_effect = _design_effect((~known).astype(np.int64), 2, subjects) if nulls and not secret else 1.0
    return ProfileColumn(name, part, levels, _rounded(rows), missing, len(codes), effect, missing_effect, minimum)


def _rounded(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray((rows + _ROUNDED_TO // 2) // _ROUNDED_TO * _ROUNDED_TO, dtype=np.int64)


def _design_effect(codes: NDArray[np.int64], size: int, subjects: NDArray[np.int64] | None) -> float:
    """At least one: fewer people than rows never make shares more certain here."""
    if subjects is None or not codes.size:
        return 1.0
    p = np.bincount(codes, minlength=size) / codes.size
    there = p > 0
    if there.sum() < 2:
        return 1.0
    by_subject = level_variances(codes, size, subjects)
    alone = p * (1 - p) / codes.size
    return max(float((by_subject[there] / p[there]).sum() / (alone[there] / p[there]).sum()), 1.0)


def level_variances(codes: NDArray[np.int64], size: int, subjects: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """(size,) variance of the share of each level, by subject when there are subjects."""
    n = codes.size
    p = np.bincount(codes, minlength=size) / n
    if subjects is None:
        return np.asarray(p * (1 - p) / n)
    who = np.unique(subjects, return_inverse=True)[1]
    units = int(who.max()) + 1
    if units < 2:
        return np.full(size, np.nan)
    own = np.bincount(who)
    pairs, counts = np.unique(who * size + codes, return_counts=True)
    level, rows_of_owner = pairs % size, own[pairs // size]
    squares = np.bincount(level, weights=counts.astype(np.float64) ** 2, minlength=size)
    crossed = np.bincount(level, weights=(counts * rows_of_owner).astype(np.float64), minlength=size)
    total = squares - 2 * p * crossed + p**2 * float((own.astype(np.float64) ** 2).sum())
    return np.asarray(np.maximum(total, 0) * units / (units - 1) / n**2)


@dataclass(frozen=True, eq=False)
class ProfileColumn:
    """One column of the reference. rows (levels,): rounded counts; missing: rounded nulls, None for a small cell of them."""

    name: str
    part: str
    levels: Levels
    rows: NDArray[np.int64]
    missing: int | None
    total: int
    design_effect: float = 1.0
    missing_effect: float = 1.0
    minimum: int = 0


@dataclass(frozen=True, eq=False)
class Profile:
    """The reference, column by column. Law: `Profile.from_rows(rows of a profile)` has the same columns."""

    columns: tuple[ProfileColumn, ...]

    @classmethod
    def from_rows(cls, rows: Iterable[Row], bins: Mapping[str, Any], kinds: Mapping[str, Any]) -> Profile:
        """Read the evidence's table. bins, kinds: as the evidence's study has them. Raises EvidenceError."""
        by_column: dict[str, list[Row]] = {}
        try:
            for row in rows:
                by_column.setdefault(row["column"], []).append(row)
            return cls(tuple(_read(name, held, bins, kinds) for name, held in by_column.items()))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise EvidenceError(f"the reference profile of the evidence cannot be read ({type(error).__name__})") from error


def _rows(profile: Profile, study: Study) -> Iterator[Row]:
    people = study.tables["holdout"].subjects
    words: dict[type[Levels], str] = {Numbers: "numbers", Labels: "labels", Groups: "groups"}
    for column in profile.columns:
        common = {
            "column": column.name,
            "part": column.part,
            "kind": words[type(column.levels)],
            "of_rows": column.total,
            "subjects": people,
            "minimum": column.minimum,
        }
        cuts = column.levels.cuts if isinstance(column.levels, Numbers) else ()
        for at, level in enumerate(names_of(column.levels)):
            rest = not isinstance(column.levels, Numbers) and at == column.levels.size - 1
            yield {
                **common,
                "what": "rest" if rest else "level",
                "level": level,
                "at": at,
                "upper": float(cuts[at]) if at < len(cuts) else None,
                "rows": int(column.rows[at]),
                "design_effect": round(column.design_effect, 3),
            }
        yield {
            **common,
            "what": "missing",
            "level": "(missing)",
            "at": -1,
            "upper": None,
            "rows": column.missing,
            "design_effect": round(column.missing_effect, 3),
        }


def _read(name: str, rows: list[Row], bins: Mapping[str, Any], kinds: Mapping[str, Any]) -> ProfileColumn:
    held = sorted((row for row in rows if row["what"] != "missing"), key=lambda row: int(row["at"]))
    (missing,) = (row for row in rows if row["what"] == "missing")
    named = tuple(str(row["level"]) for row in held if row["what"] == "level")
    levels: Levels
    if held[0]["kind"] == "numbers":
        levels = Numbers(np.array([float(row["upper"]) for row in held[:-1]], dtype=np.float64))
    elif held[0]["kind"] == "groups":
        levels = Groups(named, _edges(bins.get(name)), kinds.get(name) == "boolean")
    else:
        levels = Labels(named)
    return ProfileColumn(
        name,
        str(held[0]["part"]),
        levels,
        np.array([int(row["rows"]) for row in held], dtype=np.int64),
        None if missing["rows"] is None else int(missing["rows"]),
        int(missing["of_rows"]),
        float(held[0]["design_effect"]),
        float(missing["design_effect"]),
        int(missing["minimum"]),
    )
