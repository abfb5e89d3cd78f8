"""The study file: read safely, with every mistake told by its line, and resolved only when asked."""

import textwrap

import pytest
from study.clinic import three

from synthml.errors import StudyError
from synthml.settings import MeasureSettings
from synthml.study import Study, StudyFile

GOOD = """
    schema:
      target: y
      task: binary
      positive: 1
      sensitive: [sex, age]
      bins: {age: [0, 18, .inf]}
      subject: person
      minimum_cell: {rows: 20, events: 2}
    tables: {source: data/source.parquet, synthetic: data/synthetic.csv, holdout: data/holdout.feather}
    generation: {id: x, privacy: {epsilon: 1}}
    model:
      estimator: sklearn.linear_model.LogisticRegression
      params: {C: 0.5}
    measure: {threshold: {sensitivity: 0.9}, learners: false}
    tracking: {experiment: clinic, registered_model: clinic-risk}
    seed: 7
"""


def written(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(textwrap.dedent(text))
    return path


def with_tables(tmp_path):
    (tmp_path / "data").mkdir()
    tables = three(60)
    tables["source"].to_parquet(tmp_path / "data" / "source.parquet")
    tables["synthetic"].to_csv(tmp_path / "data" / "synthetic.csv", index=False)
    tables["holdout"].to_feather(tmp_path / "data" / "holdout.feather")
    return written(tmp_path, GOOD)


def problems(tmp_path, text):
    with pytest.raises(StudyError) as caught:
        StudyFile.load(written(tmp_path, text))
    return {problem.where: f"{problem.what}. {problem.remedy}" for problem in caught.value.problems}


def test_a_study_file_has_everything_of_a_study(tmp_path):
    file = StudyFile.load(with_tables(tmp_path))
    assert file.schema.bins == {"age": (0, 18, float("inf"))}
    assert file.tables["holdout"] == tmp_path / "data" / "holdout.feather"
    assert file.generation.to_dict() == {"id": "x", "privacy": {"epsilon": 1}}
    assert file.settings == MeasureSettings(threshold={"sensitivity": 0.9}, learners=False)
    assert (file.experiment, file.registered_model, file.seed) == ("clinic", "clinic-risk", 7)
    study = file.study()
    assert study.roles == ("source", "synthetic", "holdout")
    assert study.generation.id == "x"
    assert Study.from_file(tmp_path / "study.yaml").summary() == study.summary()
    keyed = Study.from_file(str(tmp_path / "study.yaml"), digest_key=b"k")
    assert keyed.tables["source"].digest.startswith("hmac-sha256:")
    estimator = file.build_estimator()
    assert type(estimator).__name__ == "LogisticRegression"
    assert estimator.C == 0.5


def test_the_least_a_study_file_says(tmp_path):
    file = StudyFile.load(written(tmp_path, "schema: {target: y}\ntables: {synthetic: s.csv}\n"))
    assert file.build_estimator() is None
    assert file.generation is None
    assert (file.experiment, file.registered_model, file.seed) == (None, None, 0)
    assert file.settings == MeasureSettings()


def test_the_generation_record_may_be_a_file_of_its_own(tmp_path):
    (tmp_path / "generation.yaml").write_text("id: own\npurpose: teach\n")
    text = "schema: {target: y}\ntables: {synthetic: s.csv}\ngeneration: generation.yaml\n"
    assert StudyFile.load(written(tmp_path, text)).generation.purpose == "teach"
    (tmp_path / "generation.yaml").write_text("purpose: teach\nid: 3\n")
    assert "string is expected" in problems(tmp_path, text)["generation.yaml, line 2: generation.id"]
    assert "absent.yaml" in problems(tmp_path, text.replace("generation.yaml", "absent.yaml"))["study.yaml, line 3: generation"]


def test_unknown_keys_name_their_line_and_the_nearest_word(tmp_path):
    found = problems(
        tmp_path,
        """\
        schema:
          target: y
          sensitve: [sex]
        tables: {synthetik: s.csv}
        modell: {estimator: a.B}
        measure: {treshold: youden}
        tracking: {experimnt: x}
        """,
    )
    assert found["study.yaml, line 3: schema.sensitve"] == "is not a setting of a schema. Did you mean 'sensitive'?"
    assert found["study.yaml, line 4: tables.synthetik"] == "is unknown here. Did you mean 'synthetic'?"
    assert found["study.yaml, line 5: modell"] == "is unknown here. Did you mean 'model'?"
    assert found["study.yaml, line 6: measure.treshold"] == "is unknown here. Did you mean 'threshold'?"
    assert found["study.yaml, line 7: tracking.experimnt"] == "is unknown here. Did you mean 'experiment'?"


MINIMAL = "schema: {target: y}\ntables: {synthetic: s.csv}\n"


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("- a\n", "study.yaml, line 1: study", "is not a map"),
        ("tables: {synthetic: s.csv}\n", "study.yaml, line 1: study", "has no schema"),
        ("schema: {target: y}\n", "study.yaml, line 1: tables", "names no table"),
        ("schema: {target: y}\ntables: [a]\n", "study.yaml, line 2: tables", "is a list, not a map"),
        ("schema: {target: y}\ntables: {synthetic: 3}\n", "study.yaml, line 2: tables.synthetic", "not the path of a file"),
        ("schema: [y]\ntables: {synthetic: s.csv}\n", "study.yaml, line 1: schema", "is a list, not a map"),
        (MINIMAL + "seed: x\n", "study.yaml, line 3: seed", "not a whole number"),
        (MINIMAL + "seed: -1\n", "study.yaml, line 3: seed", "not a whole number"),
        (MINIMAL + "model: {estimator: XGBClassifier}\n", "study.yaml, line 3: model.estimator", "is not an import path"),
        (MINIMAL + "model: {estimator: a.B, params: [1]}\n", "study.yaml, line 3: model.params", "not a map of parameters"),
        (MINIMAL + "tracking: {experiment: 3}\n", "study.yaml, line 3: tracking.experiment", "is not a name"),
        (MINIMAL + "measure: {threshold: best}\n", "study.yaml, line 3: measure", 'expected "youden"'),
        (MINIMAL + "measure: {threshold: 2}\n", "study.yaml, line 3: measure", "no probability"),
        (MINIMAL + "generation: 3\n", "study.yaml, line 3: generation", "neither a file nor a map"),
        (MINIMAL + "generation:\n  source: {n: many}\n", "study.yaml, line 4: generation.source.n", "integer is expected"),
        (
            "schema:\n  target: y\n  bins: {age: [2, 1]}\ntables: {synthetic: s.csv}\n",
            "study.yaml, line 3: schema.bins.age",
            "do not rise",
        ),
    ],
)
def test_every_part_is_checked_and_told_by_its_line(tmp_path, text, where, told):
    assert told in problems(tmp_path, text)[where]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("schema: {target: y}\nschema: {target: z}\n", "stands there twice"),
        ("schema: !!python/object:os.system {}\n", "line 1"),
        ("schema: {target: y\n", "line"),
        ("a: " + "[" * 2000, "study file"),
        ("x: " + "a" * 1_000_001, "at most 1,000,000"),
    ],
)
def test_a_file_that_could_do_harm_is_refused(tmp_path, text, told):
    assert told in str(list(problems(tmp_path, text).items()))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(StudyError, match="cannot be read"):
        StudyFile.load(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("{estimator: nosuchlibrary.Model}", "there is no module 'nosuchlibrary'. Install it (pip install nosuchlibrary)"),
        (
            "{estimator: sklearn.linear_model.LogisticRegresion}",
            "'sklearn.linear_model' has no 'LogisticRegresion'. Did you mean",
        ),
        ("{estimator: sklearn.nosuch.Model}", "'sklearn' has no 'nosuch'"),
        ("{estimator: math.pi}", "'math.pi' is a float, which cannot be called"),
        ("{estimator: sklearn.svm.SVC, params: {depth: 3}}", "It has no parameter depth."),
        ("{estimator: needs_absent.Model}", "importing 'needs_absent' needs 'absent_library', which is not installed"),
        ("{estimator: broken_module.Model}", "'broken_module' cannot be imported"),
    ],
)
def test_an_estimator_that_cannot_be_built_says_why(tmp_path, monkeypatch, model, told):
    (tmp_path / "needs_absent.py").write_text("import absent_library\n")
    (tmp_path / "broken_module.py").write_text("def (\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = StudyFile.load(written(tmp_path, MINIMAL + f"model: {model}\n"))
    with pytest.raises(StudyError) as caught:
        file.build_estimator()
    assert told in str(caught.value)


def test_a_number_with_an_exponent_is_a_number(tmp_path):
    text = MINIMAL + "model: {estimator: sklearn.linear_model.LogisticRegression, params: {tol: 1e-3, solver: lbfgs}}\n"
    assert StudyFile.load(written(tmp_path, text)).model.params == {"tol": 0.001, "solver": "lbfgs"}


def test_a_function_that_makes_the_estimator_will_do(tmp_path, monkeypatch):
    (tmp_path / "ward_models.py").write_text(
        "class Made:\n    @staticmethod\n    def build(depth):\n        return ('made', depth)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    file = StudyFile.load(written(tmp_path, MINIMAL + "model: {estimator: ward_models.Made.build, params: {depth: 2}}\n"))
    assert file.build_estimator() == ("made", 2)


def test_further_draws_of_the_generator_are_the_study_again_with_another_table(tmp_path):
    """Named beside the synthetic table; nothing else differs."""
    with_tables(tmp_path)
    three(60)["synthetic"].sample(frac=1, random_state=1).to_csv(tmp_path / "data" / "second.csv", index=False)
    text = GOOD.replace("synthetic: data/synthetic.csv,", "synthetic: data/synthetic.csv, draws: [data/second.csv],")
    file = StudyFile.load(written(tmp_path, text))
    (draw,) = file.draws()
    assert draw.tables["synthetic"].digest != file.study().tables["synthetic"].digest
    assert draw.tables["holdout"].digest == file.study().tables["holdout"].digest
    assert file.study().roles == draw.roles
    assert StudyFile.load(written(tmp_path, GOOD)).draws() == ()


@pytest.mark.parametrize("draws", ["second.csv", "[1]", "{a: b}"])
def test_draws_that_are_no_files_are_told(tmp_path, draws):
    text = GOOD.replace("synthetic: data/synthetic.csv,", f"synthetic: data/synthetic.csv, draws: {draws},")
    ((where, told),) = problems(tmp_path, text).items()
    assert where.endswith("tables.draws")
    assert "is not a list of files" in told
    assert "tables.draws" in next(iter(problems(tmp_path, GOOD.replace("synthetic: data/synthetic.csv,", "draws: [a.csv],"))))
