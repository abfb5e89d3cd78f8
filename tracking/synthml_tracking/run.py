"""Wrapped training: `start_run`, `fit`, and what happens at the end.

Inside the block an MLflow run is active, so the user's own calls and autolog land in it. `fit` trains on the synthetic rows and
measures on the real ones, on this machine, with no call to the server. Leaving the block writes everything to a local spool
and then records it. A server that cannot be reached when the block is entered is told at once, before anything is measured;
one that fails later costs nothing that was measured: `synthml resume SPOOL` finishes the run.

Nothing of MLflow's global state is different afterwards: tracking address, experiment and the stack of active runs are as they
were.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError, TrackingError
from synthml.settings import MeasureSettings
from synthml_tracking import items
from synthml_tracking.client import address, load_mlflow, patience, tracking_uri_of
from synthml_tracking.clock import now
from synthml_tracking.spool import Spool
from synthml_tracking.writer import Recorded, timestamp, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml.policy import Policy, Verdict

__all__ = ["Run", "start_run"]

DEFAULT_EXPERIMENT = "synthml"


@contextmanager
def start_run(
    study: Study,
    *,
    experiment: str | None = None,
    run_name: str | None = None,
    tracking_uri: str | None = None,
    seed: int = 0,
    settings: MeasureSettings | None = None,
    policy: Policy | str = "research-sandbox",
    strict: bool = False,
    producer: str = "engineer",
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Run]:
    """An MLflow run that proves the model trained in it.

    experiment: default is the user's active experiment, else "synthml". tracking_uri: default is what the user has set in MLflow,
    else sqlite:///mlflow.db in the working folder. policy: of the verdict in report and card. strict: refuse to log a model file
    that holds rare values of a table. Inside an active run it becomes a nested one.

    Raises TrackingError when the server cannot be reached, InputError for what cannot be measured; an exception of the block
    itself marks the run FAILED, records what is known, and goes on.
    """
    from synthml import Policy as PolicyFile

    mlflow = load_mlflow()
    chosen = policy if not isinstance(policy, str) else PolicyFile.load(policy)
    uri = tracking_uri_of(tracking_uri)
    with address(uri):
        with patience("starting the run"):
            experiment_id = _experiment(uri, experiment)
            active = mlflow.start_run(
                experiment_id=experiment_id, run_name=run_name, nested=mlflow.active_run() is not None, log_system_metrics=False
            )
        run = Run(
            study, active.info.run_id, experiment_id, uri, chosen, seed, settings or MeasureSettings(), strict, producer, progress
        )
        try:
            yield run
        except BaseException as error:
            run._fail(error)
            raise
        else:
            run._finish()
        finally:
            _leave(run.run_id)


def _experiment(uri: str, name: str | None) -> str:
    """Id of the experiment, made when it is new. Raises InputError when it was deleted."""
    mlflow = load_mlflow()
    client = mlflow.MlflowClient(tracking_uri=uri)
    if name is None:
        active = mlflow.active_run()
        if active is not None:
            return str(active.info.experiment_id)
        chosen = os.environ.get("MLFLOW_EXPERIMENT_NAME")
        from mlflow.tracking import fluent

        if chosen is None and (fluent._active_experiment_id or os.environ.get("MLFLOW_EXPERIMENT_ID")):
            return str(fluent._active_experiment_id or os.environ["MLFLOW_EXPERIMENT_ID"])
        name = chosen or DEFAULT_EXPERIMENT
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage != "active":
        raise InputError(f"the experiment '{name}' was deleted; restore it in MLflow or choose another name")
    return str(found.experiment_id)


def _leave(run_id: str) -> None:
    """Take the run off MLflow's stack of active runs; its status was written already."""
    from mlflow.tracking import fluent

    stack = fluent._active_run_stack.get()
    if any(run.info.run_id == run_id for run in stack):
        fluent._active_run_stack.set([run for run in stack if run.info.run_id != run_id])


class Run:
    """One wrapped run. After `fit`: dossier and verdict; after the block: model_uri."""

    def __init__(
        self,
        study: Study,
        run_id: str,
        experiment_id: str,
        tracking_uri: str,
        policy: Policy,
        seed: int,
        settings: MeasureSettings,
        strict: bool,
        producer: str,
        progress: Callable[[str], None],
    ) -> None:
        self.study, self.run_id, self.experiment_id, self.tracking_uri = study, run_id, experiment_id, tracking_uri
        self._policy, self._seed, self._settings = policy, seed, settings
        self._strict, self._producer, self._progress = strict, producer, progress
        self._dossier: Dossier | None = None
        self._verdict: Verdict | None = None
        self._estimator: Any = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._recorded: Recorded | None = None
        self._versions: list[dict[str, Any]] = []

    @property
    def dossier(self) -> Dossier:
        """What was measured. Raises InputError before `fit`."""
        if self._dossier is None:
            raise InputError("nothing was measured yet: call run.fit(estimator) first")
        return self._dossier

    @property
    def verdict(self) -> Verdict | None:
        """The verdict under the run's policy."""
        return self._verdict

    @property
    def model_uri(self) -> str | None:
        """`models:/m-...` once the block was left."""
        return None if self._recorded is None else self._recorded.model_uri

    def fit(self, model: Any) -> Any:
        """Train on the synthetic rows, measure on the real ones; returns the trained predictor.

        model: a scikit-learn style estimator (copied, never changed) or a callable (X, y) -> predictor; it is trained several
        times: for the threshold, and on the real rows for comparison (those models are thrown away).
        """
        from synthml import decide, measure
        from synthml.utility.protocols import fit, train

        if self._dossier is not None:
            raise InputError("this run has its model already; start another run for another model")
        if "synthetic" not in self.study.roles:
            raise InputError("the study has no synthetic table to train on")
        if model is None:
            raise InputError("no model to train: give an estimator, or name one in the study file")
        study, seed, settings = self.study, self._seed, self._settings
        self._progress("training on the synthetic rows")
        X, y = study.features("synthetic"), study.target("synthetic")
        predictor = train(model, X, y, seed=seed, rare_below=settings.rare_below)
        with without_autolog():
            self._progress("choosing the threshold on training rows")
            fitted = fit(study, model, ("synthetic",), seed=seed, settings=settings, fitted=predictor)
            dossier = measure(
                study,
                model=model,
                fitted=predictor,
                threshold=fitted.threshold,
                seed=seed,
                settings=settings,
                progress=self._progress,
            )
            self._progress("saving and scanning the model")
            digest, findings = self._save(predictor, fitted.threshold)
        moment = now()
        dossier = dossier.with_model(digest, threshold=fitted.threshold, estimator=type(model).__name__)
        dossier = dossier.noting(*(f"the model file holds {finding}" for finding in findings))
        self._dossier = dossier.stamped(created=moment.strftime("%Y-%m-%dT%H:%M:%SZ"), producer=self._producer)
        self._verdict = decide(self._dossier, self._policy, now=moment)
        self._estimator = model
        return predictor

    def _save(self, predictor: Any, threshold: float | None) -> tuple[str, list[Any]]:
        """Save the model folder on local disk, take its digest, and search it for rare values."""
        from synthml.digest import folder_digest
        from synthml_tracking.models import save_model
        from synthml_tracking.scan import contents, rare_values, scan

        self._folder = tempfile.TemporaryDirectory(prefix="synthml-model-")
        folder = Path(self._folder.name) / "model"
        summary = self.study.summary()
        noted = {
            "threshold": threshold,
            "task": summary["task"],
            "features": summary["features"],
            "target": summary["target"],
            "classes": summary.get("classes"),
            "seed": self._seed,
            "datasets": {role: facts["digest"] for role, facts in self.study.dataset_facts().items()},
        }
        X = self.study.features("synthetic")
        save_model(predictor, folder, X, task=str(summary["task"]), classes=len(self.study.classes), metadata=noted)
        rare = rare_values(self.study, self._settings.rare_below)
        files = (pair for path in sorted(folder.rglob("*")) if path.is_file() for pair in contents(path, folder))
        findings = scan(files, rare)
        if findings and self._strict:
            listed = "; ".join(map(str, findings))
            raise InputError(
                f"the model file holds values that would single out rows: {listed}. Encode only frequent categories "
                "(OneHotEncoder(min_frequency=10) keeps rare ones in its file; give categories= instead), or leave out --strict."
            )
        for finding in findings:
            warnings.warn(f"the model file holds {finding}", UserWarning, stacklevel=3)
        return folder_digest(folder), findings

    def _fail(self, error: BaseException) -> None:
        """Mark the run FAILED and record what is known; the error's class, not its words, which may hold a value."""
        plan = {**self._plan(), "end": "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"}
        plan["tags"] = {**plan.get("tags", {}), "synthml.error": type(error).__name__}
        try:
            self._write(plan, with_model=False)
        except TrackingError as cause:
            warnings.warn(str(cause), UserWarning, stacklevel=2)

    def _finish(self) -> None:
        """Everything to the spool, then to the store."""
        if self._dossier is None:
            warnings.warn("the run ended without run.fit(...): nothing was measured", UserWarning, stacklevel=4)
        self._progress("recording in MLflow")
        self._recorded = self._write({**self._plan(), "end": "FINISHED"}, with_model=True)

    def _plan(self) -> dict[str, Any]:
        """What is to be written, from what is known so far."""
        tables = items.datasets(self.study)
        plan: dict[str, Any] = {
            "run_id": self.run_id,
            "experiment_id": self.experiment_id,
            "tracking_uri": self.tracking_uri,
            "timestamp": timestamp(),
            "datasets": [{**asdict(item), "name": item.name, "context": item.context} for item in tables],
        }
        if self._dossier is not None:
            plan["metrics"] = [asdict(item) for item in items.metrics(self._dossier)]
            plan["params"] = items.params(self._dossier, self._estimator)
            description = {"mlflow.note.content": items.card(self._dossier, self._verdict)}
            plan["tags"] = {**items.run_tags(self._dossier, self._verdict, tables), **description}
        return plan

    def _write(self, plan: dict[str, Any], *, with_model: bool) -> Recorded:
        files: dict[str, bytes] = {}
        folder: Path | None = None
        if self._dossier is not None:
            files = items.artifacts(self._dossier, self._verdict)
            if with_model and self._folder is not None:
                folder = Path(self._folder.name) / "model"
                plan["model"] = asdict(items.model_item(self._dossier, "model"))
        spool = Spool.create(plan, artifacts=files, model=folder)
        recorded = write(spool)
        spool.remove()
        return recorded

    def register(self, name: str) -> Recorded:
        """Register the model under a name; returns the version, with `.name` and `.version`.

        The version carries the reviewer's card as its description and one tag for every dataset and evidence document.
        """
        if self._recorded is None or self._dossier is None:
            raise InputError("register after the block: the model is recorded when the block ends")
        if not name or "/" in name or ":" in name:
            raise InputError("a registered model's name is not empty and holds neither / nor :")
        self._progress("registering")
        item = items.version_item(self._dossier, self._verdict, items.datasets(self.study))
        plan = {
            "run_id": self.run_id,
            "experiment_id": self.experiment_id,
            "tracking_uri": self.tracking_uri,
            "model_id": self._recorded.model_id,
            "timestamp": timestamp(),
            "version": {"name": name, **item.to_dict()},
            "versions": self._versions,
        }
        spool = Spool.create(plan, artifacts={})
        recorded = write(spool)
        self._versions = [*self._versions, {"name": recorded.name, "version": int(str(recorded.version))}]
        spool.remove()
        return recorded


@contextmanager
def without_autolog() -> Iterator[None]:
    """Models that are trained for comparison alone must not be logged, whatever autolog the user has switched on."""
    load_mlflow()
    from mlflow.utils.autologging_utils import disable_autologging

    with disable_autologging():
        yield
