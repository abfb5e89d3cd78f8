"""Wrapped training: `start_run`, `fit`, and what happens at the end.

Inside the block an MLflow run is active, so the user's own calls and autolog land in it. `fit` creates the LoggedModel, trains
on the synthetic rows, saves the model folder and looks into it, measures on the real rows, writes everything to a local spool,
and then records it. The run ends with the block.

A server that cannot be reached is told when the block is entered, before anything is measured; one that fails later costs
nothing that was measured: `synthml resume SPOOL` finishes the run. A process that is killed before `fit` has measured leaves a
run that MLflow shows as running, as it does for any run.

Nothing of MLflow's global state is different afterwards: tracking address, experiment, autolog and the stack of active runs are
as they were.
"""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError, TrackingError
from synthml.settings import MeasureSettings
from synthml_tracking import items, openlineage
from synthml_tracking.active import begun, leave
from synthml_tracking.attachments import signed_evidence
from synthml_tracking.client import address, load_mlflow, patience, tracking_uri_of, without_autolog
from synthml_tracking.clock import iso, now
from synthml_tracking.spool import Plan, Spool, Target
from synthml_tracking.writer import Observer, Recorded, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from securesystemslib.signer import Signer

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml.policy import Policy, Verdict
    from synthml_tracking.attachments import Attachment
    from synthml_tracking.releases import AttachedRelease
    from synthml_tracking.scan import Finding

__all__ = ["Run", "open_run", "start_run"]

_OPEN: dict[str, Run] = {}


def open_run(run_id: str) -> Run | None:
    """The wrapped run of that id whose block has not ended yet."""
    return _OPEN.get(run_id)


@contextmanager
def start_run(
    study: Study,
    *,
    experiment: str | None = None,
    run_name: str | None = None,
    tracking_uri: str | None = None,
    nested: bool | None = None,
    join: bool = False,
    seed: int = 0,
    settings: MeasureSettings | None = None,
    policy: Policy | str = "research-sandbox",
    strict: bool = False,
    producer: str = "engineer",
    release: Path | str | None = None,
    release_keys: Path | str | None = None,
    signer: Signer | None = None,
    draws: Sequence[Study] = (),
    progress: Callable[[str], None] = lambda _: None,
    observer: Observer = lambda _: None,
) -> Iterator[Run]:
    """An MLflow run that proves the model trained in it.

    experiment: default is the one of the active run, else the user's active experiment, else "synthml". tracking_uri: default is
    what the user has set in MLflow, else sqlite:///mlflow.db in the working folder. nested: default is to nest in an active run;
    False refuses to. join: record into the active run, if there is one, and leave it open. policy: of the verdict in report and
    card. strict: refuse to log files that hold rare values of a table.
    release: the signed release of the synthetic table (`release.dsse.json`), which then travels with run and
    version, as does the evidence.json beside it; its digest must be the table's. release_keys: a file of the public keys that it
    is checked with, by default SYNTHML_TRUSTED_KEYS; with neither, only the digest is checked, and that is recorded. signer:
    whose key signs the evidence (`synthml_tracking.keys.signing_key`); the signed statement is recorded with it. draws: the study
    with further tables that the same generator made, as `synthml.measure` takes them. progress: called with a line of text before
    each piece of work; observer: with each step of recording.

    Raises TrackingError when the server cannot be reached, InputError for what cannot be measured and for a release that is not
    this table's. An exception of the block marks the run FAILED, records what is known, and goes on.
    """
    from synthml import Policy as PolicyFile

    chosen = policy if not isinstance(policy, str) else PolicyFile.load(policy)
    attached = _attached(study, release, release_keys)
    if attached is not None and attached.evidence is None:
        progress("the release travels without its evidence.json, which does not lie beside it: a gate will not find it")
    uri = tracking_uri_of(tracking_uri)
    mlflow = load_mlflow()
    outer = mlflow.active_run()
    if outer is not None and nested is False:
        raise InputError(f"run {outer.info.run_id} is active; end it first, or leave out nested=False")
    joined = join and outer is not None
    with address(uri):
        with patience("starting the run"):
            active = outer if joined else begun(uri, experiment, run_name, outer)
        run = Run(
            study=study,
            run_id=active.info.run_id,
            experiment_id=str(active.info.experiment_id),
            artifact_uri=str(active.info.artifact_uri),
            tracking_uri=uri,
            policy=chosen,
            seed=seed,
            settings=settings or MeasureSettings(),
            strict=strict,
            producer=producer,
            release=attached,
            signer=signer,
            progress=progress,
            observer=observer,
            joined=joined,
            draws=tuple(draws),
        )
        if not joined:
            _OPEN[run.run_id] = run
            openlineage.started(study, run.experiment_id, run.run_id)
        try:
            yield run
        except BaseException as error:
            run._failed(error)
            raise
        else:
            run._finished()
        finally:
            if not joined:
                del _OPEN[run.run_id]
                leave(run.run_id)


def _attached(study: Study, release: Path | str | None, keys: Path | str | None) -> AttachedRelease | None:
    """The release, verified; told before a run is made."""
    if release is None:
        return None
    from synthml_tracking.keys import trusted_keys
    from synthml_tracking.releases import load_release

    return load_release(Path(release), study, trusted_keys(None if keys is None else Path(keys)))


@dataclass
class Run:
    """One wrapped run. After `fit`: `dossier`, `verdict`, `model_uri`; `register` works from then on, after the block too."""

    study: Study
    run_id: str
    experiment_id: str
    artifact_uri: str
    tracking_uri: str
    policy: Policy
    seed: int
    settings: MeasureSettings
    strict: bool
    producer: str
    release: AttachedRelease | None
    signer: Signer | None
    progress: Callable[[str], None]
    observer: Observer
    joined: bool = False
    draws: tuple[Study, ...] = ()
    _dossier: Dossier | None = field(default=None, init=False)
    _verdict: Verdict | None = field(default=None, init=False)
    _model_id: str | None = field(default=None, init=False)
    _location: str | None = field(default=None, init=False)
    _estimator: Any = field(default=None, init=False)
    _signed: tuple[Attachment, ...] = field(default=(), init=False)
    _spool: Spool | None = field(default=None, init=False)
    _pages: dict[str, str] = field(default_factory=dict, init=False)
    _cut_off: bool = field(default=False, init=False)
    _refused: bool = field(default=False, init=False)

    @property
    def dossier(self) -> Dossier:
        """What was measured. Raises InputError before `fit`."""
        if self._dossier is None:
            raise InputError("nothing was measured yet: call run.fit(estimator) first")
        return self._dossier

    @property
    def verdict(self) -> Verdict:
        """The verdict under the run's policy. Raises InputError before `fit`."""
        if self._verdict is None:
            raise InputError("nothing was decided yet: call run.fit(estimator) first")
        return self._verdict

    @property
    def model_uri(self) -> str:
        """`models:/m-...`. Raises InputError before `fit`."""
        if self._model_id is None:
            raise InputError("there is no model yet: call run.fit(estimator) first")
        return f"models:/{self._model_id}"

    def fit(self, model: Any) -> Any:
        """Train on the synthetic rows, measure on the real ones, record; returns the trained predictor.

        model: a scikit-learn style estimator (copied, never changed) or a callable (X, y) -> predictor. It is trained several
        times: for the threshold, and on the real rows for comparison; those models are thrown away, so a callable should not log
        by itself. Autolog pauses meanwhile.

        Raises InputError for what cannot be trained, saved or measured, and for a second model in one run; TrackingError, which
        names the spool, when recording failed.
        """
        if model is None:
            raise InputError("no model to train: give an estimator, or name one in the study file")
        return self._proven(model, model, None, ())

    def record_fitted(self, fitted: Any, *, model: Any, estimator: Any, notes: tuple[str, ...] = ()) -> Any:
        """As `fit`, for a predictor that was trained on the synthetic rows already: nobody but the caller can know that it was.

        fitted: takes the study's features. model: what is trained again, for the threshold and on the real rows. estimator: what
        the run is said to have trained. notes: go into the evidence.
        """
        return self._proven(model, estimator, fitted, notes)

    @property
    def has_model(self) -> bool:
        """Whether a model was trained, or tried, in this run."""
        return self._estimator is not None

    def _proven(self, again: Any, model: Any, trained: Any, notes: tuple[str, ...]) -> Any:
        if self._estimator is not None:
            raise InputError("a run has one model; start another run for another model")
        if "synthetic" not in self.study.roles:
            raise InputError("the study has no synthetic table to train on")
        findings = self._looked_at("the parameters", b"\n".join(item.value.encode() for item in items.params({}, model, 0)))
        self._estimator = model
        self._create_model()
        self._spool = Spool.begin()
        try:
            with without_autolog():
                predictor, dossier, more = self._measured(again, self._spool, trained)
            self._seal(self._spool, dossier.noting(*notes), [*findings, *more])
        except BaseException:
            self._spool.remove()
            self._spool = None
            self._give_up_model()
            raise
        self._record(end=False)
        return predictor

    def _create_model(self) -> None:
        """A LoggedModel in state PENDING."""
        client = load_mlflow().MlflowClient(tracking_uri=self.tracking_uri)
        summary = self.study.summary()
        given = {item.key: item.value for item in items.params(summary, self._estimator, self.seed)}
        with patience("creating the model"):
            created = client.create_logged_model(
                self.experiment_id,
                name=items.estimator_name(self._estimator).strip("<>") or "model",
                source_run_id=self.run_id,
                params=given,
                tags={"synthml.trained_on": "synthetic"},
                model_type="regressor" if summary["task"] == "regression" else "classifier",
            )
        self._model_id, self._location = str(created.model_id), str(created.artifact_location)

    def _give_up_model(self) -> None:
        """Nothing will come of the LoggedModel. The exception on its way is what the user must see, not one of ours."""
        client = load_mlflow().MlflowClient(tracking_uri=self.tracking_uri)
        try:
            with patience("marking the model as failed"):
                client.finalize_logged_model(self._model_id, "FAILED")
        except TrackingError as error:
            warnings.warn(str(error), UserWarning, stacklevel=4)
        self._model_id = None

    def _measured(self, model: Any, spool: Spool, trained: Any) -> tuple[Any, Dossier, list[Finding]]:
        """Train, save, look into the files, measure. trained: already; then only the threshold is to be chosen."""
        from synthml import measure
        from synthml.digest import folder_digest
        from synthml.utility.protocols import fit
        from synthml_tracking.models import Place, save_predictor
        from synthml_tracking.scan import Needles, files_of, scan

        study, settings = self.study, self.settings
        self.progress("training on the synthetic rows" if trained is None else "choosing the threshold on the synthetic rows")
        fitted = fit(study, model, ("synthetic",), seed=self.seed, settings=settings, fitted=trained)
        self.progress("saving the model and looking into its files")
        notes = save_predictor(
            fitted.predictor,
            spool.model,
            study.features("synthetic"),
            task=str(study.schema.task),
            classes=len(study.classes),
            metadata=self._metadata(fitted.threshold),
            place=Place(str(self._model_id), self.run_id, str(self._location)),
        )
        findings = scan(files_of(spool.model), Needles(self._telling))
        self._refuse(findings)
        dossier = measure(
            study,
            model=model,
            fitted=fitted.predictor,
            threshold=fitted.threshold,
            seed=self.seed,
            settings=settings,
            pages=self._pages.__setitem__,
            draws=self.draws,
            progress=self.progress,
        )
        digest = folder_digest(spool.model)
        dossier = dossier.with_model(
            digest, self.model_uri, threshold=fitted.threshold, estimator=items.estimator_name(self._estimator)
        ).noting(*notes)
        return fitted.predictor, dossier, findings

    def _metadata(self, threshold: float | None) -> dict[str, Any]:
        """What goes with the model: what an evaluator needs, and nothing of a row."""
        summary = self.study.summary()
        told = ("task", "target", "positive", "classes", "features", "kinds", "sensitive", "subject")
        return {
            "schema_version": "1",
            **{name: summary[name] for name in told},
            "threshold": threshold,
            "seed": self.seed,
            "datasets": {role: facts["digest"] for role, facts in self.study.dataset_facts().items()},
        }

    @cached_property
    def _telling(self) -> Mapping[str, tuple[Any, ...]]:
        from synthml_tracking.scan import telling_values

        return telling_values(self.study, self.settings.rare_below)

    def _looked_at(self, name: str, text: bytes) -> list[Finding]:
        """Telling labels in a text. Its numbers are aggregates and settings, which may equal a value by chance."""
        from synthml_tracking.scan import Needles, scan

        findings = scan([(name, text)], Needles(self._telling, numbers=False))
        self._refuse(findings)
        return findings

    def _refuse(self, findings: list[Finding]) -> None:
        """In strict mode nothing that holds a rare value is logged; otherwise it is reported, before it is logged."""
        if findings and self.strict:
            self._refused = True
            listed = "; ".join(map(str, findings))
            raise InputError(
                f"what is to be logged would hold {listed}. Encode only frequent categories (OneHotEncoder(categories=[...]); "
                "its min_frequency keeps the rare ones in the file), do not use models that keep training rows (nearest "
                "neighbours, support vectors), or leave out strict."
            )
        for finding in findings:
            warnings.warn(f"what is to be logged holds {finding}", UserWarning, stacklevel=4)

    def _seal(self, spool: Spool, dossier: Dossier, findings: list[Finding]) -> None:
        """Decide, draw up what is to be logged, and put all of it on disk."""
        from synthml import decide

        self.progress("deciding and writing the report")
        moment = now()
        findings += self._looked_at("the evidence", dossier.to_json())
        if self.release is not None:
            findings += self._looked_at("the release", self.release.payload)
            findings += self._looked_at("the release's evidence", self.release.evidence or b"")
        told = (f"what is logged holds {finding}" for finding in findings)
        self._dossier = dossier.noting(*told).stamped(created=iso(moment), producer=self.producer)
        self._verdict = decide(self._dossier, self.policy, now=moment)
        self._signed = signed_evidence(self._dossier, self.signer)
        files = items.artifact_files(self._dossier, self._verdict, self.release, self._signed, self._pages)
        listed = items.recording(
            self.study,
            self._dossier,
            self._verdict,
            self._estimator,
            artifacts=sorted(files),
            release=self.release,
            signed=self._signed,
            ledger=items.descent(self.study, self._dossier, self.signer, self.release),
        )
        spool.seal(Plan(self._target(), tuple(self._fitting(listed))), files)

    def _fitting(self, listed: Iterator[items.Item]) -> Iterator[items.Item]:
        """A run that was joined is somebody else's: its end is not ours, and neither is a description that it has."""
        if not self.joined:
            yield from listed
            return
        with patience("reading the active run"):
            held = load_mlflow().MlflowClient(tracking_uri=self.tracking_uri).get_run(self.run_id).data.tags
        for item in listed:
            described = isinstance(item, items.TagItem) and item.key == "mlflow.note.content" and item.key in held
            if not described and not isinstance(item, items.EndItem):
                yield item

    def _target(self) -> Target:
        registry = load_mlflow().get_registry_uri()
        return Target(
            tracking_uri=self.tracking_uri,
            experiment_id=self.experiment_id,
            run_id=self.run_id,
            timestamp=time.time_ns() // 1_000_000,
            artifact_uri=self.artifact_uri,
            model_id=self._model_id,
            model_location=self._location,
            registry_uri=registry if registry != self.tracking_uri else None,
        )

    def _record(self, *, end: bool) -> None:
        """Write the spool; when that fails the spool stays, and nobody tries again here."""
        if self._spool is None:
            return
        self.progress("recording in MLflow" if not end else "closing the run")
        try:
            write(self._spool, end=end and not self.joined, observer=self.observer)
        except TrackingError:
            self._cut_off = True
            raise
        if end:
            self._spool.remove()

    def _finished(self) -> None:
        """The block is left without an exception."""
        if self._spool is None and not self._cut_off:
            warnings.warn("the run ended without run.fit(...): nothing was measured", UserWarning, stacklevel=4)
            self._record_known(None, "FINISHED")
            return
        self._record(end=True)

    def _failed(self, error: BaseException) -> None:
        """Mark the run FAILED with what is known: the error's class, not its words, which may hold a value.

        When it was recording that failed there is nothing to mark: resuming finishes the run.
        """
        if self._cut_off:
            return
        status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        try:
            if self._spool is None:
                self._record_known(type(error).__name__, status)
                return
            plan = self._spool.plan()
            others = tuple(item for item in plan.items if not isinstance(item, items.EndItem))
            self._spool.amend(replace(plan, items=(*others, items.EndItem(status))))
            self._record(end=True)
        except TrackingError as cause:
            error.add_note(f"Besides, {cause}")

    def _record_known(self, error: str | None, status: str) -> None:
        """A run that measured nothing still shows its tables, its settings and how it ended; a refused one only its end."""
        listed = tuple(items.known(self.study, self._estimator, seed=self.seed, error=error, status=status))
        if self._refused:
            listed = tuple(item for item in listed if isinstance(item, (items.TagItem, items.EndItem)))
        self._spool = Spool.begin()
        self._spool.seal(Plan(replace(self._target(), model_id=None), listed), {})
        self._record(end=True)

    def register(self, name: str) -> Recorded:
        """Register the model under a name; returns the version, with `.name` and `.version`.

        The version carries the reviewer's card as its description and one tag for every dataset and evidence document. Aliases
        stay as they are. Raises InputError before `fit`; TrackingError, which names a spool, when the registry failed.
        """
        dossier, verdict = self.dossier, self.verdict
        if self._cut_off:
            raise InputError(f"the run is not recorded yet: finish it with `synthml resume {self._spool and self._spool.folder}`")
        if not name or set(name) & set("/:"):
            raise InputError("a registered model's name is not empty and holds neither / nor :")
        self.progress("registering")
        item = items.version(name, self.study, dossier, verdict, self.release, self._signed)
        with address(self.tracking_uri):
            spool = Spool.begin()
            spool.seal(Plan(self._target(), (item,)), {})
            recorded = write(spool, observer=self.observer)
        spool.remove()
        return recorded
