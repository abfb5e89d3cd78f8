"""A target of `mlflow.deployments` that deploys through another one and records what serves: `synthml:TARGET`.

    mlflow deployments create -t synthml:sagemaker:/us-east-1 --name high-use -m models:/high-use@champion

MLflow finds this module by its entry point, so nothing of MLflow is patched; a deployment that is made without `synthml:` in
front is not noticed. Everything is handed on to TARGET. Around that:

    create, update   the record is written first, and taken back when TARGET fails: no endpoint serves without a record,
                     whatever fails in between. An update retires what served there before, once TARGET has succeeded
    delete           TARGET first, then the record's end
    with a policy    the gate decides before anything else, and what does not pass is not deployed

Settings come from `-C NAME=VALUE`, which TARGET does not see, else from the environment:

    synthml.environment   SYNTHML_ENVIRONMENT   where it serves; by default TARGET itself
    synthml.endpoint      SYNTHML_ENDPOINT      address that it answers at; by default TARGET and the name of the deployment
    synthml.by            SYNTHML_BY            who deploys; by default the user of this machine
    synthml.policy        SYNTHML_POLICY        a policy's name or file; by default nothing is asked

Signed with SYNTHML_SIGNING_KEY, judged with SYNTHML_TRUST.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlflow.deployments import BaseDeploymentClient, get_deploy_client
from mlflow.exceptions import MlflowException

from synthml.errors import SynthmlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from synthml_tracking.deployments import Deployment

__all__ = ["RecordingDeployments", "run_local", "target_help"]

_OURS = "synthml"
T = TypeVar("T")
_SETTINGS = {
    "environment": "SYNTHML_ENVIRONMENT",
    "endpoint": "SYNTHML_ENDPOINT",
    "by": "SYNTHML_BY",
    "policy": "SYNTHML_POLICY",
}


def run_local(name: str, model_uri: str, flavor: str | None = None, config: dict[str, Any] | None = None) -> None:
    """Not offered: a model on somebody's machine is no deployment, and MLflow does not say here which target is meant."""
    raise MlflowException("synthml records what serves; run a model locally with its own target, without `synthml:`")


def target_help() -> str:
    """What `mlflow deployments help -t synthml` prints."""
    return str(__doc__)


class RecordingDeployments(BaseDeploymentClient):  # type: ignore[misc]
    """The client of `synthml:TARGET`. Raises MlflowException for a target without a TARGET."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        self.target = target_uri.partition(":")[2]
        if not self.target or self.target.partition(":")[0] == _OURS:
            raise MlflowException(f"'{target_uri}' names no target to deploy to: expected synthml:TARGET, as synthml:sagemaker")
        self.inner: Any = get_deploy_client(self.target)

    # ---- what is recorded

    def create_deployment(
        self,
        name: str,
        model_uri: str,
        flavor: str | None = None,
        config: dict[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> Any:
        """Deploy and record. Raises MlflowException when it cannot be recorded, or does not pass; nothing is deployed then."""
        settings, rest = self._settings(name, config, endpoint)
        self._gate(model_uri, settings)
        made = self._record(model_uri, settings)
        return self._or_taken_back(
            made, settings, lambda: self.inner.create_deployment(name, model_uri, flavor, rest, **_given(endpoint=endpoint))
        )

    def update_deployment(
        self,
        name: str,
        model_uri: str | None = None,
        flavor: str | None = None,
        config: dict[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> Any:
        """Deploy another model in its place and record that; without a model only TARGET's settings change."""
        settings, rest = self._settings(name, config, endpoint)
        more = _given(flavor=flavor, config=rest, endpoint=endpoint)
        if model_uri is None:
            return self.inner.update_deployment(name, **more)
        self._gate(model_uri, settings)
        before = tuple(self._serving(settings))
        made = self._record(model_uri, settings)
        known = made.identity in {one.identity for one in before}  # the same model again: whatever happens, it serves
        done = self._or_taken_back(
            None if known else made, settings, lambda: self.inner.update_deployment(name, model_uri, **more)
        )
        for one in before:
            if one.identity != made.identity:
                self._retire(one, settings, f"replaced by {made.serving or made.model}")
        return done

    def delete_deployment(self, name: str, config: dict[str, Any] | None = None, endpoint: str | None = None) -> Any:
        """Delete, then record the end."""
        settings, rest = self._settings(name, config, endpoint)
        done = self.inner.delete_deployment(name, **_given(config=rest or None, endpoint=endpoint))
        for one in self._serving(settings):
            self._retire(one, settings, "deleted through mlflow.deployments")
        return done

    def delete_endpoint(self, endpoint: str) -> Any:
        """Delete, then record the end of everything that served there."""
        settings, _ = self._settings("", None, endpoint)
        done = self.inner.delete_endpoint(endpoint)
        for one in self._serving(settings, below=True):
            self._retire(one, settings, "its endpoint was deleted through mlflow.deployments")
        return done

    # ---- what is handed on

    def list_deployments(self, endpoint: str | None = None) -> Any:
        """TARGET's own list."""
        return self.inner.list_deployments(**_given(endpoint=endpoint))

    def get_deployment(self, name: str, endpoint: str | None = None) -> Any:
        """As TARGET tells it."""
        return self.inner.get_deployment(name, **_given(endpoint=endpoint))

    def predict(self, deployment_name: str | None = None, inputs: Any = None, endpoint: str | None = None) -> Any:
        """As TARGET answers."""
        return self.inner.predict(deployment_name, inputs, **_given(endpoint=endpoint))

    def predict_stream(self, deployment_name: str | None = None, inputs: Any = None, endpoint: str | None = None) -> Any:
        """As TARGET answers."""
        return self.inner.predict_stream(deployment_name, inputs, **_given(endpoint=endpoint))

    def explain(self, deployment_name: str | None = None, df: Any = None, endpoint: str | None = None) -> Any:
        """As TARGET answers."""
        return self.inner.explain(deployment_name, df, **_given(endpoint=endpoint))

    def create_endpoint(self, name: str, config: dict[str, Any] | None = None) -> Any:
        """By TARGET; an endpoint without a deployment serves nothing."""
        return self.inner.create_endpoint(name, **_given(config=config))

    def update_endpoint(self, endpoint: str, config: dict[str, Any] | None = None) -> Any:
        """By TARGET."""
        return self.inner.update_endpoint(endpoint, **_given(config=config))

    def list_endpoints(self) -> Any:
        """TARGET's own list."""
        return self.inner.list_endpoints()

    def get_endpoint(self, endpoint: str) -> Any:
        """As TARGET tells it."""
        return self.inner.get_endpoint(endpoint)

    # ---- the record

    def _settings(self, name: str, config: Mapping[str, Any] | None, endpoint: str | None) -> tuple[_Settings, dict[str, Any]]:
        """Ours, and TARGET's configuration without them. Raises MlflowException for one that is not known."""
        given = dict(config or {})
        ours = {key: str(given.pop(key)) for key in list(given) if key.startswith(f"{_OURS}.")}
        unknown = sorted(set(ours) - {f"{_OURS}.{setting}" for setting in _SETTINGS})
        if unknown:
            told = ", ".join(f"{_OURS}.{setting}" for setting in _SETTINGS)
            raise MlflowException(f"'{unknown[0][:80]}' is no setting of synthml; known are {told}")
        found = {key: ours.get(f"{_OURS}.{key}") or os.environ.get(variable, "") for key, variable in _SETTINGS.items()}
        place = "/".join(part for part in (self.target, endpoint, name) if part)
        return _Settings(
            environment=found["environment"] or self.target,
            endpoint=found["endpoint"] or place,
            by=found["by"] or _user(),
            policy=found["policy"] or None,
        ), given

    def _gate(self, model_uri: str, settings: _Settings) -> None:
        if settings.policy is None:
            return
        from synthml_tracking.gating import gate

        verdict = _told(lambda: gate(model_uri, _policy(str(settings.policy)), signer=_signer()))
        if not verdict:
            against = [*verdict.failed, *verdict.open]
            why = "; ".join(f"{one.id}: required {one.required}, found {one.found}" for one in against[:3])
            raise MlflowException(f"not deployed: {model_uri} does not pass, {verdict.outcome} under {verdict.policy}; {why}")

    def _record(self, model_uri: str, settings: _Settings) -> Deployment:
        from synthml_tracking.deployments import record_deployment

        def record() -> Deployment:
            return record_deployment(
                model_uri, environment=settings.environment, endpoint=settings.endpoint, by=settings.by, signer=_signer()
            )

        return _told(record, "not deployed, for it cannot be recorded: ")

    def _or_taken_back(self, made: Deployment | None, settings: _Settings, deploy: Callable[[], Any]) -> Any:
        try:
            return deploy()
        except BaseException as error:
            if made is None:
                raise
            try:
                self._retire(made, settings, f"the deployment failed ({type(error).__name__})")
            except MlflowException as cause:
                error.add_note(str(cause))
            raise

    def _retire(self, one: Deployment, settings: _Settings, reason: str) -> None:
        from synthml_tracking.deployments import retire_deployment

        remedy = f"it still stands as serving; `synthml deployment retire {one.identity[7:19]}` ends it: "
        _told(lambda: retire_deployment(one.identity, by=settings.by, reason=reason, signer=_signer()), remedy)

    def _serving(self, settings: _Settings, *, below: bool = False) -> Iterator[Deployment]:
        from synthml_tracking.deployments import list_deployments

        for one in _told(lambda: list_deployments(live=True)):
            there = one.endpoint == settings.endpoint or (below and one.endpoint.startswith(f"{settings.endpoint}/"))
            if there and one.environment == settings.environment:
                yield one


@dataclass(frozen=True)
class _Settings:
    environment: str
    endpoint: str
    by: str
    policy: str | None


def _given(**told: Any) -> dict[str, Any]:
    """What was given: not every target takes every argument."""
    return {key: value for key, value in told.items() if value is not None}


def _told(what: Callable[[], T], before: str = "") -> T:
    """An error of ours, as MLflow's command shows errors."""
    try:
        return what()
    except SynthmlError as error:
        raise MlflowException(f"{before}{error}") from error


def _signer() -> Any:
    from synthml_tracking.keys import signing_key

    return _told(lambda: signing_key(None))


def _policy(name: str) -> Any:
    return Path(name) if name.endswith((".yaml", ".yml")) else name


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
