"""From a study to a dossier: which kinds of evidence there are, and how each is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml.evidence import Dossier, Evidence
from synthml.settings import MeasureSettings
from synthml.subgroups import measure_subgroups
from synthml.utility import Outcomes, measure_utility, run_protocols
from synthml.version import __version__

if TYPE_CHECKING:
    from synthml.disclosure import RowsAtRisk
    from synthml.quality import Suspects
    from synthml.study import Study
    from synthml.synthesis import Synthesizer

__all__ = ["KINDS", "Measurement", "measure"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Measurement:
    """What every kind of evidence may draw on. Predictions are made once, on first use, and shared."""

    study: Study
    model: Any = None
    fitted: Any = None
    threshold: float | None = None
    seed: int = 0
    settings: MeasureSettings = field(default_factory=MeasureSettings)
    progress: Progress = lambda _: None
    synthesizer: Synthesizer | None = None
    rows_at_risk: Callable[[RowsAtRisk], None] = lambda _: None
    pages: Callable[[str, str], None] = lambda _name, _html: None
    suspects: Callable[[Suspects], None] = lambda _: None

    @cached_property
    def outcomes(self) -> Outcomes:
        """Predictions under every protocol that the tables allow."""
        if self.model is None and self.fitted is None:
            return Outcomes({}, {}, ("no model was given: utility and subgroups are not measured",))
        return run_protocols(
            self.study,
            self.model,
            seed=self.seed,
            settings=self.settings,
            fitted=self.fitted,
            threshold=self.threshold,
            progress=self.progress,
        )


def _utility(m: Measurement) -> Evidence:
    return measure_utility(m.study, m.outcomes, seed=m.seed, settings=m.settings, progress=m.progress)


def _subgroups(m: Measurement) -> Evidence:
    m.progress("every patient group, with intervals")
    settings = m.settings
    return measure_subgroups(
        m.study,
        m.outcomes.on_holdout,
        seed=m.seed,
        confidence=settings.confidence,
        margin=settings.margin,
        replicates=settings.replicates,
    )


def _disclosure(m: Measurement) -> Evidence:
    from synthml.disclosure import measure_disclosure

    return measure_disclosure(
        m.study,
        seed=m.seed,
        settings=m.settings,
        synthesizer=m.synthesizer,
        rows_at_risk=m.rows_at_risk,
        progress=m.progress,
    )


def _bias(m: Measurement) -> Evidence:
    from synthml.bias import measure_bias

    m.progress("bias, from the source to the model")
    return measure_bias(m.study, m.outcomes.on_holdout, seed=m.seed, settings=m.settings, progress=m.progress)


def _fidelity(m: Measurement) -> Evidence:
    from synthml.fidelity import measure_fidelity

    m.progress("fidelity: every column and every pair beside the source")
    return measure_fidelity(m.study, seed=m.seed, settings=m.settings, progress=m.progress)


def _quality(m: Measurement) -> Evidence:
    from synthml.quality import measure_quality

    m.progress("quality of tables and labels")
    return measure_quality(m.study, seed=m.seed, settings=m.settings, suspects=m.suspects, progress=m.progress)


def _drift(m: Measurement) -> Evidence:
    from synthml.drift import measure_drift

    return measure_drift(m.study, seed=m.seed, settings=m.settings, pages=m.pages, progress=m.progress)


def _baseline(m: Measurement) -> Evidence:
    """What production batches are compared with once the model serves; a table and no figure."""
    from synthml.monitoring import TABLE, reference_profile

    proven = m.outcomes.on_holdout.get("tstr")
    if proven is None:
        return Evidence("baseline")
    m.progress("the profile that production will be compared with")
    return Evidence("baseline", tables={TABLE: reference_profile(m.study, proven)})


KINDS: Mapping[str, Callable[[Measurement], Evidence]] = {
    "utility": _utility,
    "subgroups": _subgroups,
    "bias": _bias,
    "fidelity": _fidelity,
    "quality": _quality,
    "disclosure": _disclosure,
    "drift": _drift,
    "baseline": _baseline,
}


_OF_DRAWS = frozenset({"utility", "subgroups", "bias", "fidelity", "quality", "disclosure"})


def measure(
    study: Study,
    *,
    model: Any = None,
    fitted: Any = None,
    threshold: float | None = None,
    kinds: Iterable[str] | None = None,
    seed: int = 0,
    settings: MeasureSettings | None = None,
    synthesizer: Synthesizer | None = None,
    rows_at_risk: Callable[[RowsAtRisk], None] = lambda _: None,
    pages: Callable[[str, str], None] = lambda _name, _html: None,
    suspects: Callable[[Suspects], None] = lambda _: None,
    draws: Sequence[Study] = (),
    progress: Progress = lambda _: None,
) -> Dossier:
    """Measure a study, with no MLflow, network or clock anywhere.

    model: a scikit-learn style estimator (copied, never changed) or a callable (X, y) -> predictor. fitted: a predictor that was
    trained on the synthetic table already, with its `threshold` if that was chosen at training time. kinds: which evidence
    (default: all that the study allows). synthesizer: the generator, for attacks that train it again (see
    DisclosureSettings.shadow_models). rows_at_risk: called with the positions of source rows that attacks succeeded on, for
    whoever holds the source: they are no part of the dossier. pages: called with the name and the text of each HTML page that is
    made on the way (`drift.html`). suspects: called with the positions of rows whose label is hardly to be believed, or that
    repeat an earlier row: no part of the dossier either. draws: the same study with further tables that the same generator made;
    each is measured alike, with a model of its own, for policies that decide on the worst draw. progress: called with a line of
    text before each piece of work.

    Raises InputError for a kind that does not exist, for a model that cannot be measured, and for draws of another study.
    """
    given = settings or MeasureSettings()
    asked = tuple(kind for kind in KINDS if kind != "drift" or given.drift) if kinds is None else tuple(dict.fromkeys(kinds))
    unknown = [kind for kind in asked if kind not in KINDS]
    if unknown:
        raise InputError(f"there is no evidence of kind '{unknown[0]}'; there is {', '.join(KINDS)}")

    measurement = Measurement(study, model, fitted, threshold, seed, given, progress, synthesizer, rows_at_risk, pages, suspects)
    dossier = Dossier(
        figures={},
        datasets=study.dataset_facts(),
        study={**study.summary(), "settings": measurement.settings.to_dict()},
        generation=None if study.generation is None else study.generation.redacted().to_dict(),
        seed=seed,
        synthml=__version__,
    )
    for kind in asked:
        dossier = dossier.adding(KINDS[kind](measurement))
    return dossier if not draws else dossier.with_draws(_drawn(measurement, draws, asked))


def _drawn(m: Measurement, draws: Sequence[Study], kinds: Iterable[str]) -> Iterator[Dossier]:
    """Each further draw, measured with the figures that it can have. One table in two draws is noticed before the work."""
    tables = [m.study.tables["synthetic"].digest, *(draw.tables["synthetic"].digest for draw in draws)]
    for number, draw in enumerate(draws, start=2):
        if tables[number - 1] in tables[: number - 1]:
            raise InputError(f"draw {number} is a table that is there already: give each draw of the generator once")
        others = [role for role in m.study.roles if role != "synthetic"]
        if others != [role for role in draw.roles if role != "synthetic"] or any(
            draw.tables[role].digest != m.study.tables[role].digest for role in others
        ):
            raise InputError(f"draw {number} is measured beside other tables than the first: only the synthetic table may differ")
    for number, draw in enumerate(draws, start=2):
        m.progress(f"draw {number} of {len(draws) + 1}")
        yield measure(draw, model=m.model, kinds=[kind for kind in kinds if kind in _OF_DRAWS], seed=m.seed, settings=m.settings)
