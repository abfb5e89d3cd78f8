"""What a policy may ask for: names of figures with the range of their values, kinds of evidence, roles, fields of the record.

A criterion on a figure that nothing measures would be `insufficient` for ever, and a threshold outside of what a figure can be
passes everything or nothing: both are mistakes in the policy, told when it is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from synthml.attestation.trust import ROLES

__all__ = ["KINDS", "RANGES", "ROLES", "record_fields"]

KINDS = ("utility", "subgroups", "disclosure", "fidelity", "bias", "quality", "drift", "privacy", "monitoring")

Range = tuple[float, float]
_SHARE: Range = (0.0, 1.0)
_SIGNED: Range = (-1.0, 1.0)
_POSITIVE: Range = (0.0, math.inf)
_ANY: Range = (-math.inf, math.inf)
_SHARES = (
    "auroc", "average_precision", "brier", "ece", "accuracy", "sensitivity", "specificity", "ppv", "npv", "fnr", "fpr",
    "selection_rate", "macro_auroc", "macro_f1",
)  # fmt: skip
_METRICS: Mapping[str, Range] = {
    **dict.fromkeys(_SHARES, _SHARE),
    **dict.fromkeys(("log_loss", "mae", "rmse"), _POSITIVE),
    **dict.fromkeys(("calibration_slope", "calibration_intercept"), _ANY),
    "r2": (-math.inf, 1.0),
}
_PROTOCOLS = ("tstr", "trtr", "trts", "augmented", "trivial")
_RATES: Mapping[str, Range] = {
    **dict.fromkeys(("main", "control", "baseline"), _SHARE),
    # (main - control) / (1 - control): one at most, and below zero without bound where the control is high
    **dict.fromkeys(("risk", "worst_group"), (-math.inf, 1.0)),
    "difference": _SIGNED,
}


def _difference(range_: Range) -> Range:
    return _SIGNED if range_ == _SHARE else _ANY


def _model_figures() -> Iterator[tuple[str, Range]]:
    for metric, range_ in _METRICS.items():
        for protocol in _PROTOCOLS:
            yield f"utility.{metric}.{protocol}", range_
        yield f"utility.{metric}.loss", _difference(range_)
        for protocol in ("tstr", "trtr"):
            yield f"learners.{metric}.{protocol}", range_
        yield f"disparity.{metric}.tstr.worst", range_
    for metric, range_ in {**_METRICS, "equalized_odds": _SHARE}.items():
        for kind in ("difference", "difference_corrected"):
            yield f"disparity.{metric}.tstr.{kind}", _difference(range_)
        yield f"disparity.{metric}.tstr.ratio", _POSITIVE
    yield "utility.threshold.tstr", _ANY
    for name in ("learners.rank_agreement", "explain.importance_agreement", "explain.score_agreement"):
        yield name, _SIGNED
    yield "explain.decision_agreement", _SHARE


def _bias_figures() -> Iterator[tuple[str, Range]]:
    for table in ("synthetic", "source"):
        yield f"bias.representation.{table}", _ANY
    # differences of rates, or of means in standard deviations of the source
    for measure in ("source", "synthetic", "holdout", "shift", "amplification"):
        yield f"bias.outcome.{measure}", _ANY
    for step in ("source", "synthesis", "training", "model", "real_model"):
        yield f"bias.chain.{step}", _ANY
    for metric, range_ in {**_METRICS, "equalized_odds": _SHARE}.items():
        yield f"bias.amplification.{metric}", _difference(range_)
    for protocol in ("tstr", "trtr"):
        yield f"bias.directional.{protocol}", _SIGNED


def _disclosure_figures() -> Iterator[tuple[str, Range]]:
    for attack in ("singling_out", "linkability", "inference"):
        for name, range_ in _RATES.items():
            yield f"disclosure.{attack}.{name}", range_
    for name in ("auroc", "tpr_at_fpr_01", "tpr_at_fpr_1", "tpr_at_fpr_10", "f1", "auroc.exposed", "tpr_at_fpr_10.exposed"):
        yield f"disclosure.membership.{name}", _SHARE
    yield "disclosure.membership.epsilon_bound", _POSITIVE
    for copies in ("copies", "near_copies"):
        yield f"disclosure.{copies}.share", _SHARE
        yield f"disclosure.{copies}.excess", _SIGNED
    for name in ("distance_share", "nearest_share", "replicated_uniques", "disco"):
        yield f"disclosure.{name}", _SHARE
    yield "disclosure.nndr", _POSITIVE
    for name in ("cap", "tcap"):
        yield f"disclosure.{name}.excess", _SIGNED
    for name in ("copies.share", "near_copies.share", "distance_share", "nearest_share", "nndr", "replicated_uniques", "disco"):
        yield f"disclosure.{name}.beyond", _SIGNED
    for name in ("cap", "tcap"):
        yield f"disclosure.{name}.excess.beyond", (-2.0, 2.0)


def _quality_figures() -> Iterator[tuple[str, Range]]:
    for role in ("source", "synthetic", "holdout"):
        for name in ("missingness", "duplicates", "smallest_group"):
            yield f"quality.{name}.{role}", _SHARE
        yield f"quality.effective_groups.{role}", (1.0, math.inf)
        yield f"quality.missingness.gap.{role}", _SIGNED
        yield f"quality.missingness.outcome.{role}", _SIGNED
        yield f"quality.label_disagreement.{role}", _SHARE
    yield "quality.label_disagreement.excess", _SIGNED
    yield "quality.label_noise.source", _SIGNED
    yield "quality.leakage.source", (-math.inf, 1.0)


def _drift_figures() -> Iterator[tuple[str, Range]]:
    tables = ("source", "synthetic", "holdout", "reference", "production")
    for pair in (f"{one}_{other}" for one in tables for other in tables if one != other):
        yield f"drift.wasserstein.{pair}", _POSITIVE
        yield f"drift.jensen_shannon.{pair}", (0.0, math.sqrt(math.log(2)))  # natural logarithm
        yield f"drift.share.{pair}", _SHARE


def _monitoring_figures() -> Iterator[tuple[str, Range]]:
    pair = "holdout_production"
    distances: Mapping[str, Range] = {"psi": _POSITIVE, "jensen_shannon": (0.0, math.sqrt(math.log(2)))}
    for method, range_ in distances.items():
        for stem in ("drift", "drift.prediction", "drift.outcome"):
            yield f"{stem}.{method}.{pair}", range_
            yield f"{stem}.{method}.{pair}.excess", range_
    for name in ("missing", "unseen", "outside", "prediction.selection_rate"):
        yield f"drift.{name}.{pair}", _SIGNED
    for metric, range_ in _METRICS.items():
        yield f"utility.{metric}.production", range_
        if metric != "selection_rate":
            for name in ("production_loss", "production_loss.at_least"):
                yield f"utility.{metric}.{name}", _difference(range_)
    for name in ("rows", "missing_columns", "unreadable_columns"):
        yield f"monitor.{name}", _POSITIVE
    yield "monitor.contaminated", _SHARE


def _fidelity_figures() -> Iterator[tuple[str, Range]]:
    shares = (
        "tvd", "jensen_shannon", "ks", "missingness", "coverage", "new_categories", "missing_patterns", "pair_tvd", "pmse",
        "discriminator_auroc", "rule_violations",
    )  # fmt: skip
    for measure, range_ in {**dict.fromkeys(shares, _SHARE), "wasserstein": _POSITIVE, "association": (0.0, 2.0)}.items():
        for variant in ("synthetic", "floor"):
            yield f"fidelity.{measure}.{variant}", range_
    for measure in ("tvd", "pair_tvd"):
        yield f"fidelity.{measure}.excess", _SIGNED
    yield "fidelity.association.excess", (-2.0, 2.0)
    for variant in ("synthetic", "floor"):
        yield f"fidelity.pmse.{variant}", (0.0, 0.25)
        yield f"fidelity.discriminator_auroc.{variant}", _SHARE
        yield f"fidelity.rule_violations.{variant}", _SHARE
    yield "fidelity.pmse.ratio", _POSITIVE


RANGES: Mapping[str, Range] = MappingProxyType(
    {
        **dict(_model_figures()),
        **dict(_bias_figures()),
        **dict(_disclosure_figures()),
        **dict(_fidelity_figures()),
        **dict(_quality_figures()),
        **dict(_drift_figures()),
        **dict(_monitoring_figures()),
    }
)


def record_fields(*, public: bool = False) -> frozenset[str]:
    """Paths into the generation record, such as `generation.source.limitations`; with `public` those that evidence carries."""
    from synthml.generation import GenerationRecord

    found = set(_public_paths(GenerationRecord.PUBLIC, "generation"))
    if not public:
        found |= set(_model_paths(GenerationRecord, "generation"))
    return frozenset(found)


def _public_paths(allowed: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, more in allowed.items():
        yield f"{above}.{name}"
        if isinstance(more, Mapping):
            yield from _public_paths(more, f"{above}.{name}")


def _model_paths(model: Any, above: str) -> Iterator[str]:
    from typing import get_args

    for name, about in model.model_fields.items():
        yield f"{above}.{name}"
        for part in (about.annotation, *get_args(about.annotation)):
            if hasattr(part, "model_fields"):
                yield from _model_paths(part, f"{above}.{name}")
