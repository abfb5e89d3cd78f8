"""`autolog(study)`: code that knows nothing of synthml is recorded as if it had used `start_run(study)` and `run.fit`.

What is recorded. The outermost `fit(X, y)` of any estimator that derives from scikit-learn's BaseEstimator, XGBoost's and
LightGBM's included, when `X` and `y` are the study's synthetic table: all of its rows or at least `least_rows` of them, in any
order, some or all of its features, in any order, as a frame or as an array (`recognising` has the rules). A pipeline, a search
or an ensemble is one model: the fits inside it are its own affair, and so are those that scikit-learn and joblib call, such as
the folds of a cross-validation. Every other fit is left alone. One that has the synthetic table's target but other features,
because they were scaled or encoded before, is told in a warning: such a model takes columns that no real table has.

The object that the user's code trained is the one that is measured and logged. Models for comparison are trained from an unfitted
copy of it. Extra arguments of `fit`, such as weights, cannot go with them, and the evidence says so.

How it is hooked in. Not by MLflow's `safe_patch`: two integrations that patch one method replace each other there, so that
`mlflow.sklearn.autolog()` would silently end this one, or this one that. Instead `fit` is wrapped where a class defines it,
beneath whatever MLflow has put on top, so that both run, whichever is switched on or off first; classes that are made later are
wrapped when they are made. Classes of `__main__` are not: they are pickled whole, and a pickle must not need synthml. MLflow's
conventions are kept: its lock, its global pause (`disable_autologging`), and its test mode, in which nothing is swallowed.

MLflow's own autolog goes on as the user has it, with one exception: input examples, which are rows, are off meanwhile. Where it
logs a model, ours stands in a child of its run. Its model file is not searched for rare values; ours is
(`mlflow.autolog(log_models=False)` leaves ours alone).

What goes wrong in here never costs a training: it is told in a warning, and nothing is claimed. With `strict` it is raised.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from synthml.errors import InputError
from synthml_tracking.client import load_mlflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from synthml import MeasureSettings, Study
    from synthml.policy import Policy
    from synthml_tracking.recognising import Match, Recogniser
    from synthml_tracking.run import Run

__all__ = ["autolog"]

_logger = logging.getLogger("synthml_tracking")
_wrappers: WeakKeyDictionary[type, tuple[Any, Any]] = WeakKeyDictionary()  # class -> (our fit, its own)
# whoever calls `fit` from in there does it for a model of its own
_INNER = ("sklearn", "joblib", "imblearn", "xgboost", "lightgbm")
_lock = threading.Lock()  # one recording at a time: it changes settings of the whole process for a while
_inside = threading.local()
_session: _Session | None = None
_recording = False


def autolog(
    study: Study | Path | str | None = None,
    *,
    disable: bool = False,
    experiment: str | None = None,
    tracking_uri: str | None = None,
    registered_model_name: str | None = None,
    seed: int | None = None,
    settings: MeasureSettings | None = None,
    policy: Policy | str = "research-sandbox",
    strict: bool = False,
    producer: str = "engineer",
    release: Path | str | None = None,
    release_keys: Path | str | None = None,
    least_rows: float = 0.5,
    progress: Callable[[str], None] = lambda _: None,
    recorded: Callable[[Run], None] = lambda _: None,
) -> None:
    """From now on, record what is trained on the study's synthetic table; called again, under the new terms.

    study: a Study, or the path of a study file, whose seed, settings, experiment and registered model are the defaults then.
    disable: switch it off; every class is as it was. Inside an active run the first model is recorded there and the run stays
    open; further ones are its children. Without one, each has a run of its own. registered_model_name: register each of them.
    strict: refuse to log files that hold rare values, and raise what goes wrong instead of warning of it. least_rows: share of
    the synthetic rows that a fit must have. recorded: called with each run that was recorded. The rest is as in `start_run`.

    Raises InputError, and StudyError for a study file.
    """
    load_mlflow()
    if disable:
        _switch(None)
        return
    if study is None:
        raise InputError("autolog needs the study whose synthetic table is trained on, or disable=True")
    if not 0 < least_rows <= 1:
        raise InputError(f"least_rows is a share above 0 and up to 1, got {least_rows}")
    from synthml_tracking.recognising import Recogniser
    from synthml_tracking.studies import opened

    known, file = opened(study)
    if "synthetic" not in known.roles:
        raise InputError("the study has no synthetic table: there is nothing to recognise")
    terms = {
        "experiment": experiment if experiment is not None or file is None else file.experiment,
        "tracking_uri": tracking_uri,
        "seed": seed if seed is not None else (0 if file is None else file.seed),
        "settings": settings or (None if file is None else file.settings),
        "policy": policy,
        "strict": strict,
        "producer": producer,
        "release": release,
        "release_keys": release_keys,
        "progress": progress,
    }
    name = registered_model_name if registered_model_name is not None or file is None else file.registered_model
    _switch(_Session(known, Recogniser(known, least_rows=least_rows), terms, name, strict, recorded))


@dataclass
class _Session:
    """What `autolog` was told. pid: a forked process is somebody else's."""

    study: Study
    recogniser: Recogniser
    terms: dict[str, Any]
    name: str | None
    strict: bool
    recorded: Callable[[Run], None]
    pid: int = field(default_factory=os.getpid)


# ---- on and off -----------------------------------------------------------------------------------------------------------


def _switch(session: _Session | None) -> None:
    """Wrap or unwrap every class that defines a `fit`, beneath what MLflow has put there."""
    global _session  # noqa: PLW0603  as MLflow's own, there is one autolog a process
    from mlflow.utils.autologging_utils import _autolog_conf_global_lock

    with _autolog_conf_global_lock:
        if (session is None) != (_session is None):
            with _without_mlflows_patches():
                if session is None:
                    _unwrap_all()
                else:
                    _wrap_all()
        _session = session


@contextmanager
def _without_mlflows_patches() -> Iterator[None]:
    """Take off MLflow's patches of estimators, and put them back as the user had configured them."""
    from mlflow.utils import autologging_utils as theirs
    from mlflow.utils.autologging_utils import safety
    from sklearn.base import BaseEstimator

    def of_estimators(patch: Any) -> bool:
        return isinstance(patch.destination, type) and issubclass(patch.destination, BaseEstimator)

    names = [name for name, patches in safety._AUTOLOGGING_PATCHES.items() if any(map(of_estimators, patches))]
    configured = {name: theirs.AUTOLOGGING_INTEGRATIONS[name] for name in names}
    for name in names:
        safety.revert_patches(name)
    try:
        yield
    finally:
        for name, config in configured.items():
            switch_on = theirs.get_autolog_function(name)
            if switch_on is not None and not config.get("disable", False):
                known = inspect.signature(switch_on).parameters
                switch_on(**{key: value for key, value in config.items() if key in known})
            theirs.AUTOLOGGING_INTEGRATIONS[name] = config


def _wrap_all() -> None:
    from sklearn.base import BaseEstimator

    for cls in _descendants(BaseEstimator):
        _wrap(cls)
    theirs = BaseEstimator.__init_subclass__.__func__

    def made(cls: type, /, **kwargs: Any) -> None:
        theirs(cls, **kwargs)
        if _session is not None:
            _wrap(cls)

    BaseEstimator.__init_subclass__ = classmethod(made)
    _examples_off()


def _unwrap_all() -> None:
    from sklearn.base import BaseEstimator

    for cls in _descendants(BaseEstimator):
        ours, own = _wrappers.pop(cls, (None, None))
        if ours is not None and cls.__dict__.get("fit") is ours:  # else somebody has put something on top, which passes through
            type.__setattr__(cls, "fit", own)
    if "__init_subclass__" in BaseEstimator.__dict__:
        del BaseEstimator.__init_subclass__
    _examples_as_they_were()


def _descendants(cls: type) -> Iterator[type]:
    """A class and everything derived from it, each once."""
    seen, waiting = {cls}, [cls]
    while waiting:
        one = waiting.pop()
        yield one
        children: list[type] = type.__subclasses__(one)
        fresh = [child for child in children if child not in seen]
        seen.update(fresh)
        waiting += fresh


def _wrap(cls: type) -> None:
    fit = cls.__dict__.get("fit")
    if inspect.isfunction(fit) and cls not in _wrappers and cls.__module__ in sys.modules and cls.__module__ != "__main__":
        _wrappers[cls] = (_wrapped(fit), fit)
        type.__setattr__(cls, "fit", _wrappers[cls][0])


_RESOLVES = "resolve_input_example_and_signature"
_examples: dict[str, tuple[Any, Any]] = {}  # module -> (our answer, its own)


def _examples_off() -> None:
    """Input examples are rows. MLflow's integrations all get them from one function, which is given another answer."""
    for name in ("mlflow.sklearn", "mlflow.xgboost", "mlflow.lightgbm"):
        module = import_module(name)
        theirs = getattr(module, _RESOLVES)
        _examples[name] = (_without_example(theirs), theirs)
        setattr(module, _RESOLVES, _examples[name][0])


def _without_example(theirs: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(theirs)
    def resolve(get_input_example: Any, infer_model_signature: Any, log_input_example: Any, *rest: Any, **more: Any) -> Any:
        return theirs(get_input_example, infer_model_signature, False, *rest, **more)

    return resolve


def _examples_as_they_were() -> None:
    for name, (ours, theirs) in _examples.items():
        module = import_module(name)
        if getattr(module, _RESOLVES) is ours:
            setattr(module, _RESOLVES, theirs)
    _examples.clear()


# ---- a fit ----------------------------------------------------------------------------------------------------------------


def _wrapped(fit: Callable[..., Any]) -> Callable[..., Any]:
    """`fit` as it is, and afterwards, if it was the outermost and on the synthetic table, the recording."""

    @functools.wraps(fit)
    def fit_and_record(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = _session
        if session is None or getattr(_inside, "fit", False) or session.pid != os.getpid() or _paused():
            return fit(self, *args, **kwargs)
        _inside.fit = True
        try:
            seen = _seen(session, fit, self, args, kwargs)
            result = fit(self, *args, **kwargs)
            if seen is not None:
                _record(session, self, seen)
            return result
        finally:
            _inside.fit = False

    return fit_and_record


def _paused() -> bool:
    """Whether MLflow's autolog pauses, for another reason than that a recording in another thread paused it."""
    from mlflow.utils import autologging_utils

    return bool(autologging_utils._AUTOLOGGING_GLOBALLY_DISABLED) and not _recording


@dataclass(frozen=True)
class _Seen:
    """A fit on the synthetic table, noted before it ran. head: a copy of its first rows; more: names of its other arguments."""

    match: Match
    head: Any
    more: tuple[str, ...]


_HEAD = 200
_ORDINARY = ("self", "X", "y", "verbose")


def _seen(session: _Session, fit: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Seen | None:
    """Whether this fit is one to be recorded."""
    found: _Seen | None = None
    with _harmless(session, model):
        try:
            given = inspect.signature(fit).bind(model, *args, **kwargs).arguments
        except TypeError:
            given = {}  # `fit` will say what is wrong
        X, y = given.get("X"), given.get("y")
        if _is_candidate(session, model, X, y):
            match = session.recogniser.look(X, y)
            if isinstance(match, str):
                _warn(f"{type(model).__name__} was given the target of the synthetic table, and is not recorded: {match}.")
            elif match is not None:
                more = tuple(name for name, value in given.items() if name not in _ORDINARY and not _is_nothing(value))
                head: Any = X[:_HEAD]  # type: ignore[index]
                found = _Seen(match, head.copy() if hasattr(head, "copy") else head, more)
    return found


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, (dict, tuple)) and not value)


def _is_candidate(session: _Session, model: Any, X: Any, y: Any) -> bool:
    """What can be told before any row is looked at."""
    shape = getattr(X, "shape", None)
    if y is None or not isinstance(shape, tuple) or len(shape) != 2 or not session.recogniser.may_be(shape[0]):
        return False
    return hasattr(model, "predict") and not _is_no_model(model) and not _called_from_within()


def _called_from_within() -> bool:
    """Whether a library calls this fit, for the folds of a validation or the parts of a model."""
    frame = inspect.currentframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in _INNER:
            return True
        frame = frame.f_back
    return False


def _is_no_model(model: Any) -> bool:
    """Whether it does not learn the target: clusters, outliers."""
    return getattr(model, "_estimator_type", None) in ("clusterer", "outlier_detector", "DensityEstimator") or hasattr(
        model, "fit_predict"
    )


def _record(session: _Session, model: Any, seen: _Seen) -> None:
    """Measure and record what the user's code has trained, into the active run or one of its own."""
    global _recording  # noqa: PLW0603
    from synthml_tracking.adopting import adopted
    from synthml_tracking.client import without_autolog

    with _lock, _harmless(session, model):
        _recording = True
        try:
            with without_autolog():
                model_of = adopted(session.study, model, seen.match, seen.head, seen.more)
            with _run(session) as run:
                run.record_fitted(model_of.predictor, model=model_of.again, estimator=model, notes=model_of.notes)
            if session.name is not None:
                run.register(session.name)
            session.recorded(run)
        finally:
            _recording = False


@contextmanager
def _run(session: _Session) -> Iterator[Run]:
    """The wrapped run that is open already, the active run, or a new one."""
    from synthml_tracking.run import open_run, start_run

    active = load_mlflow().active_run()
    if active is not None:
        wrapped = open_run(active.info.run_id)
        if wrapped is not None and not wrapped.has_model and wrapped.study is session.study:
            yield wrapped
            return
    with start_run(session.study, join=active is not None and not _has_a_model(active), **session.terms) as run:
        yield run


def _has_a_model(active: Any) -> bool:
    """Whether the active run has evidence on a model already, is one of ours, or gets a model from MLflow's autolog.

    A run proves one model: where it has two, MLflow's page of the run shows every figure with both.
    """
    from mlflow.utils.autologging_utils import get_autologging_config
    from mlflow.utils.autologging_utils.safety import _AutologgingSessionManager

    from synthml_tracking.run import open_run

    theirs = _AutologgingSessionManager.active_session()
    if theirs is not None and get_autologging_config(theirs.integration, "log_models", True):
        return True
    tags = load_mlflow().get_run(active.info.run_id).data.tags
    return open_run(active.info.run_id) is not None or any(tag.startswith(("synthml.ev.", "synthml.error")) for tag in tags)


@contextmanager
def _harmless(session: _Session, model: Any) -> Iterator[None]:
    """What goes wrong in here is told and costs nothing, unless the user, or MLflow's test mode, wants it raised."""
    from mlflow.utils.autologging_utils import is_testing

    try:
        yield
    except Exception as error:  # whatever it is, the user's training is worth more
        if session.strict or is_testing():
            raise
        _warn(f"{type(model).__name__} was trained, and is not proven: {error}")


def _warn(text: str) -> None:
    """A warning that stays one where warnings are errors: it must not cost a training."""
    try:
        warnings.warn(text, UserWarning, stacklevel=2)
    except UserWarning:
        _logger.warning(text)
