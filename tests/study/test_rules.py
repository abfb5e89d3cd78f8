"""The language of rules: what it judges, what it refuses, and how it tells."""

import copy
import pickle
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study.clinic import problems_of, three
from study.clinic import schema as clinic_schema

import synthml
from synthml.errors import StudyError
from synthml.study.rules import Misread, Rule, syntax_problems

KINDS = {
    "a": "numeric",
    "b": "numeric",
    "sex": "categorical",
    "code": "categorical",
    "admission": "datetime",
    "discharge": "datetime",
    "smoker": "boolean",
    "odd name (kg)": "numeric",
    "größe": "numeric",
}


def stamps(*texts):
    return np.array(texts, dtype="datetime64[us]")


TABLE = pd.DataFrame(
    {
        "a": [1.0, 2.0, np.nan, 0.3],
        "b": [2.0, 1.0, 1.0, 0.0],
        "sex": np.array(["M", "F", np.nan, "F"], dtype=object),
        "code": np.array(["1", "2", "x", np.nan], dtype=object),
        "admission": stamps("2020-01-01", "2020-02-01", "NaT", "2021-01-01"),
        "discharge": stamps("2020-01-03", "2020-01-01", "2020-01-01", "2021-03-01"),
        "smoker": [1.0, 0.0, np.nan, 1.0],
        "odd name (kg)": [1.0, 2.0, 3.0, 4.0],
        "größe": [1.0, 1.0, 1.0, 1.0],
    }
)


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("a <= b", [1, 3]),  # a null breaks nothing
        ("not a <= b", [0]),
        ("discharge >= admission", [1]),
        ("discharge - admission <= 30", [3]),
        ("admission + 30 >= discharge", [3]),
        ("30 + admission >= discharge", [3]),
        ('admission >= "2020-01-15"', [0]),
        ('admission == "2020-01-01T01:00+01:00" or a > 0', []),
        ('admission in ["2020-01-01", "2021-01-01"]', [1]),
        ('sex == "M" implies a > 1', [0]),
        ('sex == "M" implies a > 1 implies b > 5', []),  # to the right: a > 1 is not so
        ("smoker implies a > 0.5", [3]),
        ("not smoker", [0, 3]),
        ("smoker == true", [1]),
        ("smoker == 1", [1]),
        ("smoker + smoker <= 1", [0, 3]),
        ('sex in ["M", "F"]', []),
        ('sex not in ["F"]', [1, 3]),
        ("code == 1", [1, 2]),  # the number as the label it has
        ("code in [1, 2]", [2]),
        ("code != sex", []),
        ("a in [1, 2]", [3]),
        ("a is null", [0, 1, 3]),
        ("a is not null", [2]),
        ("a is null or b < 2", [0]),
        ("0 < a <= b <= 2", [1, 3]),
        ("0 < a <= b < 2", [0, 1, 3]),  # one link is broken for certain
        ("a + 0.1 + 0.2 == 0.6", [0, 1]),  # 0.3 + 0.1 + 0.2, within rounding
        ("a * 3 < 0.9", [0, 1, 3]),  # nor is 0.3 * 3 below 0.9
        ("a / b > 0", []),  # a division by nil is unknown
        ("-a < 0 and --a > 0", []),
        ("2 + 3 * 4 - a == 13", [1, 3]),
        ("(2 + 3) * 4 - a == 19", [1, 3]),
        ("10 - 4 - a == 5", [1, 3]),
        ("12 / 2 / 3 - a == 1", [1, 3]),
        ("`odd name (kg)` < 4", [3]),
        ("größe == 1", []),
        ("a < b or a >= b and b > 5", [1, 3]),
        ("a == 1 OR b == 1 Or b == 0", []),
    ],
)
def test_which_rows_break_a_rule(rule, broken):
    assert np.flatnonzero(Rule.of(rule, KINDS).broken(TABLE)).tolist() == broken


@pytest.mark.parametrize(
    ("rule", "what", "remedy", "place"),
    [
        ("", "is empty", "discharge >= admission", 0),
        ("a", "a number where a condition belongs", "Compare it", 0),
        ("smoker and a", "a number where a condition belongs", "Compare it", 11),
        ("a = b", "has '='", "==", 2),
        ("a & b", "has '&'", '"and"', 2),
        ("a <", "ends too early", "a column", 3),
        ("a b", "has 'b' where an operator", "operator", 2),
        ("(a < b", "ends too early", "')'", 6),
        ('sex == "M', "has '\"'", "never closed", 7),
        ("a == null", "compares with null", "is null", 5),
        ("a >= admission", "compares a number with a date", '"2020-01-31"', 0),
        ('admission > "soon"', "'soon' for a date", "2020-01-31", 12),
        ("admission > 3", "compares a date with a number", '"2020-01-31"', 0),
        ("admission + discharge > admission", "calculates a date + a date", "days are added", 0),
        ("admission * 2 > admission", "calculates a date * a number", "days are added", 0),
        ('sex > "F"', "puts texts in an order", "kinds: numeric", 0),
        ("sex + 1 > 2", "calculates with a text", "kinds: numeric", 0),
        ("sex == a", "compares a text with a number", "kinds", 0),
        ("a in [F]", "the bare word 'F'", '"F"', 6),
        ("a in []", "has ']'", "number or a text", 6),
        ('a in ["x"]', "looks for a text where the column holds a number", "kinds", 6),
        ("max(a, b) > 1", "no functions", "backticks", 0),
        ("1 < 2", "names no column", "over columns", 0),
        ("(a < b) == (b < a)", "compares two conditions", "implies", 1),
        ("(a < b) is null", "asks whether a condition is null", "column", 0),
        ("a < c", "names 'c'", "spelling", 4),
        ("a < 1e999", "beyond", "smaller", 4),
        ("not " * 100 + "smoker", "nested more than", "Split", 160),
        ("(" * 100 + "a" + ")" * 100, "nested more than", "Split", 40),
        ("a < 1 or " * 400 + "b < 1", "longer than 2000", "Split", 2000),
    ],
)
def test_a_mistake_is_named_with_its_place_and_a_remedy(rule, what, remedy, place):
    with pytest.raises(Misread) as caught:
        Rule.of(rule, KINDS)
    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert caught.value.place == place


def test_a_rule_as_long_as_one_may_be_is_judged_quickly():
    for rule in ("a+" * 990 + "a < 1", "a<1 and " * 240 + "b < 1", "-" * 30 + "a < 1", "a in [" + "1," * 990 + "2]"):
        start = time.perf_counter()
        Rule.of(rule, KINDS).broken(TABLE)
        assert time.perf_counter() - start < 2


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from([*KINDS, "and", "or", "not", "implies", "in", "is", "null", "(", ")", "[", "]", "<", "==", "+", "-",
                             "*", "/", ",", "1", '"M"', '"2020-01-01"', "true", "`odd name (kg)`"]),
            max_size=12,
        ).map(" ".join),
    )
)  # fmt: skip
def test_any_text_is_judged_or_refused_in_words(text):
    try:
        broken = Rule.of(text, KINDS).broken(TABLE)
    except Misread as error:
        told = error.what, error.remedy
    else:
        told = (str(broken.dtype),)
        assert broken.shape == (4,)
    assert all(told)


def test_each_row_is_judged_by_itself():
    rule = Rule.of('a <= b or sex == "M"', KINDS)
    order = [3, 0, 2, 1]
    shuffled = TABLE.iloc[order].reset_index(drop=True)
    assert rule.broken(shuffled).tolist() == rule.broken(TABLE)[order].tolist()


def test_a_rule_survives_copies():
    rule = Rule.of("discharge >= admission", KINDS)
    for other in (copy.deepcopy(rule), pickle.loads(pickle.dumps(rule))):
        assert other.text == rule.text
        assert other.broken(TABLE).tolist() == rule.broken(TABLE).tolist()


def test_a_rule_knows_its_columns_in_the_order_of_the_text():
    assert Rule.of("discharge >= admission and discharge is not null", KINDS).columns == ("discharge", "admission")


def test_mistakes_of_grammar_are_told_before_any_table_is_seen():
    with pytest.raises(StudyError, match=r"schema.rules: the rule `a >< b` has '<' where .* \(character 4\)"):
        synthml.Schema(target="y", rules=["a >< b"])
    assert len(list(syntax_problems(["a <= b"] * 201))) == 1


def test_the_door_tells_an_unknown_column_and_the_nearest():
    told = problems_of(rules=["agee >= 0"])["schema.rules"]
    assert "the rule `agee >= 0` names 'agee', which is a column of no table. Did you mean 'age'?" in told


def test_the_door_tells_values_that_do_not_fit():
    assert "the rule `seen > 3` compares a date with a number" in problems_of(rules=["seen > 3"])["schema.rules"]


def test_a_rule_is_not_about_the_subject():
    assert "names the subject" in problems_of(rules=["person > 3"])["schema.rules"]


def test_a_study_holds_its_rules_ready():
    study = synthml.Study(clinic_schema(rules=["age >= 0", 'sex in ["F", "m"]']), **three())
    assert [rule.text for rule in study.rules] == ["age >= 0", 'sex in ["F", "m"]']
    assert study.rules[1].broken(study.frame("source")).mean() > 0.3
    assert any("no row has the label at character 14 in 'sex'" in note for note in study.notes)


def test_a_rule_brings_its_columns_into_the_study():
    study = synthml.Study(clinic_schema(features=["age"], rules=["bmi > 0"]), **three())
    assert "bmi" in study.frame("source").columns
