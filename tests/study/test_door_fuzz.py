"""Whatever comes to the door, it passes or is told what is wrong: no other exception, and no value in what is told."""

import datetime as dt
import decimal
import json

import pandas as pd
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from synthml.errors import InputError, StudyError
from synthml.evidence import canonical_json
from synthml.study import MinimumCell, Schema, Study
from synthml.study.schema import KINDS, TASKS

CANARY = "Zebulon"
ROWS = 24
VALUES = {
    "int": st.integers(-3, 3),
    "big": st.integers(-(2**70), 2**70),
    "float": st.floats(),
    "bool": st.booleans(),
    "text": st.sampled_from([f"{CANARY}1", f"{CANARY}2", "", "yes", "no", "1"]),
    "bytes": st.sampled_from([CANARY.encode()]),
    "date": st.dates(dt.date(1500, 1, 1), dt.date(2400, 1, 1)),
    "time": st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-1000, max_value=1000),
    "list": st.lists(st.integers(), max_size=2),
    "none": st.none(),
}
COLUMNS = ["y", "a", "b", "p"]


@st.composite
def columns(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=2))
    values = st.one_of([VALUES[kind] for kind in kinds])
    if draw(st.booleans()):
        values = values | st.none()
    few = draw(st.lists(values, min_size=1, max_size=5))
    return [few[i % len(few)] for i in range(ROWS)]


@st.composite
def frames(draw):
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4, unique=True))
    frame = pd.DataFrame({name: pd.Series(draw(columns()), dtype=object) for name in names})
    form = draw(st.sampled_from(["object", "inferred", "nullable", "category"]))
    if form == "inferred":
        return frame.infer_objects()
    if form == "category":
        hashable = [name for name in names if not frame[name].map(lambda v: isinstance(v, list)).any()]
        return frame.astype(dict.fromkeys(hashable[:1], "category"))
    return frame


SCHEMAS = st.fixed_dictionaries(
    {"target": st.sampled_from(["y", "a"])},
    optional={
        "task": st.sampled_from(TASKS),
        "sensitive": st.lists(st.sampled_from(["a", "b"]), unique=True, max_size=2),
        "features": st.lists(st.sampled_from(["a", "b"]), unique=True, min_size=1),
        "subject": st.just("p"),
        "kinds": st.dictionaries(st.sampled_from(COLUMNS), st.sampled_from(KINDS), max_size=2),
        "bins": st.just({"a": [0, 1]}),
        "positive": st.sampled_from([1, True, "yes", f"{CANARY}1"]),
    },
)
ROLES = st.dictionaries(
    st.sampled_from(["source", "synthetic", "holdout", "reference", "production"]), frames(), min_size=1, max_size=3
)


@given(SCHEMAS, ROLES)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@example({"target": "y"}, {"source": pd.DataFrame({"y": [decimal.Decimal("NaN")] * ROWS})})
def test_a_study_passes_or_says_what_is_wrong(words, tables):
    study = None
    problems = ()
    try:
        study = Study(Schema(**words, minimum_cell=MinimumCell(2, 1)), **tables)
    except StudyError as error:
        problems = error.problems
    for problem in problems:
        assert problem.where
        assert problem.what
        assert problem.remedy
        assert CANARY not in str(problem)
    if study is None:
        assert problems
        return
    canonical_json(study.summary())
    json.dumps(study.dataset_facts())
    for role in study.roles:
        frame = study.frame(role)
        assert len(frame) == len(tables[role])
        assert {str(dtype) for dtype in frame.dtypes} <= {"float64", "object", "datetime64[us]"}
        if set(study.schema.features) <= set(frame):
            assert list(study.features(role)) == list(study.schema.features)
        for grouping in study.groupings(role):
            assert len(grouping.codes) == len(frame)
            assert grouping.codes.min() >= 0
            assert len(set(grouping.names)) == len(grouping.labels) == grouping.codes.max() + 1
        try:
            assert len(study.target(role)) == len(frame)
        except InputError:
            assert role in ("reference", "production")
