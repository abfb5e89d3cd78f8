"""The draws of a sweep, one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml.evidence import Dossier
from synthml.generation import GenerationRecord
from synthml.measurement import measure
from synthml.policy import decide
from synthml.settings import MeasureSettings
from synthml.study import Study
from synthml.sweep.summary import privacy_cost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import pandas as pd

    from synthml.policy import Policy, Verdict
    from synthml.study import Schema
    from synthml.sweep.grid import Setting
    from synthml.synthesis import Synthesizer

__all__ = ["Draw", "Sweep", "run_sweep"]

_KINDS = ("utility", "subgroups", "disclosure")


@dataclass(frozen=True)
class Draw:
    """One table drawn at one setting, measured and decided. number: 1, 2, ... within the setting."""

    setting: Setting
    number: int
    study: Study
    dossier: Dossier
    verdict: Verdict


@dataclass(frozen=True)
class Sweep:
    """All draws, and the dossier that sums them up. outcomes: setting -> outcome of its worst draw."""

    draws: tuple[Draw, ...]
    dossier: Dossier
    outcomes: dict[str, str]


def run_sweep(
    schema: Schema,
    source: pd.DataFrame,
    holdout: pd.DataFrame,
    generator: Callable[[Setting], Synthesizer],
    settings_of_generator: Sequence[Setting],
    *,
    model: Any,
    policy: Policy,
    now: datetime,
    draws: int = 1,
    generation: GenerationRecord | None = None,
    seed: int = 0,
    settings: MeasureSettings | None = None,
    progress: Callable[[str], None] = lambda _: None,
    each: Callable[[Draw], None] = lambda _: None,
) -> Sweep:
    """Train, draw, measure and decide at every setting.

    source, holdout: tables as they were given, the subject column among them. generator: builds an unfitted one for a setting.
    draws: tables for each setting. generation: what else is known of how the tables are made, such as the purpose. each: called
    with every draw as soon as it is decided: at once, or with the others of its setting when the policy asks for the worst of
    several. Further learners are left out.

    Raises InputError when there is no model, and whatever generator and study raise.
    """
    if model is None:
        raise InputError("a sweep needs a model to see what privacy costs: name one under model in the study file")
    if draws < 1:
        raise InputError(f"draws must be 1 or more, got {draws}")
    chosen = replace(settings or MeasureSettings(), learners=False)
    found: list[Draw] = []
    together = any(criterion.draws > 1 for criterion in policy.criteria)
    for setting in settings_of_generator:
        progress(f"{setting.name}: training the generator")
        fitted = generator(setting).fit(source, subject=schema.subject)
        alike: list[tuple[Study, Dossier]] = []
        for number in range(1, draws + 1):
            progress(f"{setting.name}: draw {number} of {draws}")
            table = fitted.sample(seed=seed + number)
            made = _record(fitted.record(), generation)
            study = Study(schema, source=source, synthetic=table, holdout=holdout, generation=made)
            dossier = measure(study, model=model, kinds=_KINDS, seed=seed, settings=chosen)
            dossier = dossier.stamped(created=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
            alike.append((study, dossier))
            if not together:
                found.append(_decided(setting, number, *alike[-1], policy, now))
                each(found[-1])
        for number, (study, dossier) in enumerate(alike if together else (), start=1):
            others = {other.synthetic: other for _, other in alike if other.synthetic != dossier.synthetic}
            whole = dossier.with_draws(others.values())
            found.append(_decided(setting, number, study, whole, policy, now))
            each(found[-1])
    return _summed(found)


def _decided(setting: Setting, number: int, study: Study, dossier: Dossier, policy: Policy, now: datetime) -> Draw:
    return Draw(setting, number, study, dossier, decide(dossier, policy, now=now))


def _record(drawn: GenerationRecord, known: GenerationRecord | None) -> GenerationRecord:
    """The record of one table: what the generator says of itself goes over what is known of all."""
    return drawn if known is None else GenerationRecord.from_dict({**known.to_dict(), **drawn.to_dict()})


def _summed(draws: list[Draw]) -> Sweep:
    first = draws[0].dossier
    evidence, outcomes = privacy_cost(draws)
    dossier = Dossier(
        figures={},
        datasets={role: facts for role, facts in first.datasets.items() if role != "synthetic"},
        study=first.study,
        seed=first.seed,
        synthml=first.synthml,
        created=first.created,
    )
    return Sweep(tuple(draws), dossier.adding(evidence), outcomes)
