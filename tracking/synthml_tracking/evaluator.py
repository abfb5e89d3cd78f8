"""MLflow's own door: `mlflow.models.evaluate(model, data, evaluators="synthml", evaluator_config={"study": ...})`.

The figures are those of `synthml_tracking.evaluate` for the same model, with the same threshold; here they land in the run that
MLflow has opened, or that the user has. The evaluator says yes only when its own config names a study, so that it stays out of
everybody else's `evaluate`, which asks every installed evaluator.

Config: `study` (a Study, a StudyFile or the path of one); `kinds`, `seed`, `settings`, `policy`, `producer` as elsewhere.

`data` is the study's holdout, in its rows and their order (columns that are not used may be missing), with the study's target
as `targets`; a study without a holdout gets these rows as one. MLflow always asks for `data`, so they cannot be left out.

What MLflow logs of `data` by itself: a dataset input with a name ("dataset"), a digest of eight hex digits, the column names and
types, the counts of rows and elements, and where the code ran. No value, and nothing is added to it. Beside it stand the study's
own dataset inputs, which lineage is searched by. With `mlflow.data.from_pandas(holdout, targets=..., name="holdout",
digest=short_digest(study.tables["holdout"].digest))` as `data` the two are one.

Who logs what, so that nothing is logged twice. MLflow links whatever an evaluator returns to `data` and to the model, so what is
returned is what was measured on these rows; what is about another table (how the synthetic table departs from its source, its
disclosure, TRTS) is logged here, linked to that table. All of it is in the evidence. When MLflow knows no model, it logs nothing
by itself, and all figures are logged here. No predictions, no table of rows.

This module is loaded by every process that evaluates anything with MLflow: it imports nothing else before it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlflow.models.evaluation.base import EvaluationResult, ModelEvaluator

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml.policy import Verdict
    from synthml_tracking.models import LoadedModel

__all__ = ["SynthmlEvaluator"]

_KEYS = ("study", "kinds", "seed", "settings", "policy", "producer")
# a config that is not divided by evaluator goes to all of them: these keys are MLflow's own evaluators'
_OTHERS = frozenset({
    "average", "col_mapping", "explainability_algorithm", "explainability_kernel_link", "explainability_nsamples",
    "log_explainer", "log_model_explainability", "max_classes_for_multiclass_roc_pr", "metric_prefix",
    "pos_label", "retriever_k", "sample_weights",
})  # fmt: skip


class SynthmlEvaluator(ModelEvaluator):  # type: ignore[misc]  # MLflow has no types
    """The plugin; MLflow makes one whenever it resolves evaluators."""

    name = "synthml"

    @classmethod
    def can_evaluate(cls, *, model_type: str | None = None, evaluator_config: Any = None, **kwargs: Any) -> bool:
        """Whether the config names a study; anything else is none of our business."""
        return isinstance(evaluator_config, dict) and evaluator_config.get("study") is not None

    def evaluate(
        self,
        *,
        model_type: str | None = None,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any],
        model: Any = None,
        model_id: str | None = None,
        **kwargs: Any,
    ) -> EvaluationResult:
        """Measure `model` on the study's holdout and record it in the run.

        Raises InputError for a config with an unknown key, `data` that are not the holdout, and a model that cannot be measured;
        TrackingError, which names a spool, when recording failed.
        """
        return _Evaluation(dict(evaluator_config), dataset, run_id, model, model_id).result()


class _Evaluation:
    """One call of `evaluate`."""

    def __init__(self, config: dict[str, Any], dataset: Any, run_id: str, model: Any, model_id: str | None) -> None:
        self.config, self.dataset, self.run_id = config, dataset, run_id
        self.model, self.model_id = model, model_id

    def result(self) -> EvaluationResult:
        from synthml_tracking import items
        from synthml_tracking.client import address, load_mlflow, tracking_uri_of

        study = self._study()
        mlflow = load_mlflow()
        with address(tracking_uri_of(str(mlflow.get_tracking_uri()))):
            pages: dict[str, str] = {}
            dossier, verdict = self._measured(study, pages)
            holdout = study.tables["holdout"].digest
            returned = {item.key: item.value for item in items.metrics(dossier) if item.dataset == holdout}
            files = items.artifact_files(dossier, verdict, pages=pages)
            artifact_uri = self._recorded(study, dossier, verdict, files, returned)
        return EvaluationResult(returned, _artifacts(files, artifact_uri), self.run_id)

    def _study(self) -> Study:
        """The study with `data` as its holdout."""
        from synthml.errors import InputError
        from synthml.study.schema import nearest_word
        from synthml_tracking.recognising import holdout_of
        from synthml_tracking.studies import opened

        for key in self.config:
            if key not in _KEYS and key not in _OTHERS:
                raise InputError(f"the config of the evaluator 'synthml' has no '{key}'. {nearest_word(str(key), _KEYS)}")
        study, file = opened(self.config["study"])
        if file is not None:
            self.config = {"seed": file.seed, "settings": file.settings, **self.config}
        return holdout_of(study, self._table(study))

    def _table(self, study: Study) -> pd.DataFrame:
        """`data` as one table again, target and all."""
        import pandas as pd

        from synthml.errors import InputError

        features, target = self.dataset.features_data, self.dataset.targets_name
        if not isinstance(features, pd.DataFrame):
            raise InputError(
                "give `data` as a DataFrame with the study's column names: an array does not say what its columns are"
            )
        if target != study.schema.target:
            told = "no targets" if target is None else f"targets='{target}'"
            raise InputError(f"evaluate was called with {told}; the study's target is '{study.schema.target}'")
        return features.assign(**{target: self.dataset.labels_data})

    def _measured(self, study: Study, pages: dict[str, str]) -> tuple[Dossier, Verdict | None]:
        from synthml import MeasureSettings, Policy, decide
        from synthml_tracking.clock import iso, now
        from synthml_tracking.evaluating import check_fit, measured

        settings = self.config.get("settings") or MeasureSettings()
        if not isinstance(settings, MeasureSettings):
            settings = MeasureSettings(**settings)
        loaded = self._loaded(study)
        check_fit(study, loaded.metadata)
        dossier = measured(
            study,
            loaded,
            self.model_id,
            kinds=self.config.get("kinds"),
            seed=int(self.config.get("seed") or 0),
            settings=settings,
            pages=pages.__setitem__,
        )
        if loaded.digest is None:
            dossier = dossier.noting("what was measured was given as a function: the evidence binds no model files")
        moment = now()
        dossier = dossier.stamped(created=iso(moment), producer=str(self.config.get("producer") or "evaluator"))
        policy = self.config.get("policy")
        if policy is None:
            return dossier, None
        return dossier, decide(dossier, policy if isinstance(policy, Policy) else Policy.load(policy), now=moment)

    def _loaded(self, study: Study) -> LoadedModel:
        """The model as it was trained, where it is known; else what MLflow calls it by."""
        from mlflow.pyfunc import PyFuncModel

        from synthml.errors import InputError
        from synthml_tracking.client import patience
        from synthml_tracking.models import LoadedModel, load_predictor
        from synthml_tracking.recognising import form_of

        if self.model is None:
            raise InputError("the evaluator 'synthml' measures a model: give one, not its predictions alone")
        if isinstance(self.model, PyFuncModel) and self.model.model_id is not None:
            with patience("loading the model"):
                return load_predictor(f"models:/{self.model.model_id}")
        # the rows come in the form that `data` have, which is what a function expects
        form = form_of(self.dataset.features_data, study.schema.features or (), study.schema.kinds, whole_numbers=True)
        return LoadedModel(_Called(self.model.predict, form.rebuilding()), {}, None)

    def _recorded(
        self,
        study: Study,
        dossier: Dossier,
        verdict: Verdict | None,
        files: dict[str, bytes],
        returned: Mapping[str, float],
    ) -> str:
        """Write into the run what MLflow does not, through a spool; returns where its artifacts are."""
        import time

        from synthml_tracking import items
        from synthml_tracking.client import load_mlflow, patience, tracking_uri_of
        from synthml_tracking.registry import versions_of
        from synthml_tracking.spool import Plan, Spool, Target
        from synthml_tracking.writer import write

        uri = tracking_uri_of(str(load_mlflow().get_tracking_uri()))
        client = load_mlflow().MlflowClient(tracking_uri=uri)
        with patience("reading the run"):
            run = client.get_run(self.run_id)
            source, versions = None, {}
            if self.model_id is not None and (dossier.model or {}).get(
                "digest"
            ):  # these are figures of that model's files, not of a function
                source = client.get_logged_model(self.model_id).source_run_id
                versions = {(one.name, one.number): one.tags for one in versions_of(client, self.model_id, source)}
        elsewhere = {} if self.model_id is None else returned
        listed = items.evaluated(
            study, dossier, verdict, artifacts=sorted(files), source_run=source, versions=versions, logged_by_mlflow=elsewhere
        )
        now = time.time_ns() // 1_000_000
        target = Target(uri, str(run.info.experiment_id), self.run_id, now, str(run.info.artifact_uri), self.model_id)
        spool = Spool.begin()
        spool.seal(Plan(target, tuple(listed)), files)
        write(spool)
        spool.remove()
        return str(run.info.artifact_uri)


class _Called:
    """A function of the user's rows as one of the study's."""

    def __init__(self, call: Any, rebuild: Any) -> None:
        self._call, self._rebuild = call, rebuild

    def __call__(self, X: pd.DataFrame) -> Any:
        import numpy as np

        from synthml.errors import InputError

        given = np.asarray(self._call(self._rebuild(X)))
        if given.dtype.kind not in "fiub":
            raise InputError("the model gives labels; calibration and discrimination need probabilities: let it return those")
        return given


def _artifacts(files: Mapping[str, bytes], place: str) -> dict[str, Any]:
    """MLflow's handles on what was logged, by the name of the file: `evidence`, `report`, `verdict`."""
    import json
    from pathlib import PurePosixPath

    from mlflow.models.evaluation.artifacts import JsonEvaluationArtifact, TextEvaluationArtifact

    found: dict[str, Any] = {}
    for path, content in files.items():
        uri, name = f"{place.rstrip('/')}/{path}", PurePosixPath(path)
        text = content.decode("utf-8")
        if name.suffix == ".json":
            key = "evidence" if name.parent.name == "evidence" else name.stem
            found[f"synthml/{key}"] = JsonEvaluationArtifact(uri, json.loads(text))
        else:
            found[f"synthml/{name.stem}"] = TextEvaluationArtifact(uri, text)
    return found
