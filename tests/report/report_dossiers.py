"""Dossiers to render: simulated rows, measured with a few lines of NumPy, under the figure ids that the measuring part uses.

The intervals are rough (a normal approximation): a report shows what stands in the evidence, however it came there.
"""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from synthml.estimate import Estimate
from synthml.evidence import Dossier
from synthml.figures import ALL, escape_label, group_of
from synthml.policy.verdict import Decision, Verdict

ZERO_DIGEST = "sha256:" + "0" * 64
HOSTILE = (
    "<script>alert(1)</script>",
    "\" onmouseover='alert(1)' x=\"",
    "| a | b |\n|---|---|\n[click](javascript:alert(1)) ![i](https://example.org/x.png) `code` **bold**",
    "{{ 7*7 }}{% raw %}",
    "\u202egnp.exe\u2066 \u200b\x00\x1b[31m",
    "Ž" * 10_000,
    "Ž" * 9_999 + "x",
    "</title></style></svg><img src=x onerror=alert(1)>",
    "https://example.org/track www.example.org a@b.org",
)


def _auroc(y: np.ndarray, s: np.ndarray) -> float:
    ranks = np.empty(len(s))
    ranks[np.argsort(s, kind="stable")] = np.arange(1, len(s) + 1)
    positives = y.sum()
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(y) - positives)))


def _measured(y: np.ndarray, s: np.ndarray, threshold: float) -> dict[str, tuple[float, int]]:
    """metric -> (value, rows that its width depends on)."""
    call = s >= threshold
    positives, negatives = int(y.sum()), int(len(y) - y.sum())
    called = int(call.sum())
    sensitivity, specificity = float(call[y == 1].mean()), float(1 - call[y == 0].mean())
    return {
        "auroc": (_auroc(y, s), 2 * min(positives, negatives)),
        "average_precision": (float(np.mean(y[np.argsort(-s)][: max(1, positives)])), positives),
        "brier": (float(np.mean((s - y) ** 2)), 4 * len(y)),
        "log_loss": (float(-np.mean(np.log(np.where(y == 1, s, 1 - s)))), len(y)),
        "ece": (abs(float(np.mean(s) - np.mean(y))) + 0.01, 4 * len(y)),
        "calibration_slope": (float(1.05 - 0.15 * np.mean(s)), len(y) // 8),
        "calibration_intercept": (float(np.log(np.mean(y) / np.mean(s))), len(y) // 4),
        "accuracy": (float(np.mean(call == y)), len(y)),
        "sensitivity": (sensitivity, positives),
        "specificity": (specificity, negatives),
        "ppv": (float(y[call].mean()) if called else 0.0, max(1, called)),
        "npv": (float(1 - y[~call].mean()), len(y) - called),
        "fnr": (1 - sensitivity, positives),
        "fpr": (1 - specificity, negatives),
        "selection_rate": (float(call.mean()), len(y)),
    }


def _around(value: float, n: int, rows: int, method: str, *, width: float = 0.45) -> Estimate:
    half = 1.96 * width / math.sqrt(max(4, n))
    return Estimate(round(value, 6), round(value - half, 6), round(value + half, 6), n=rows, method=method)


def simulated(seed: int = 7, n: int = 6057, levels: int = 4) -> dict[str, Any]:
    """Truth, two models' scores and sensitive columns of a holdout."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["female", "male"], n, p=[0.53, 0.47])
    names = ["excellent", "good", "fair", "poor"] if levels == 4 else [f"Ward {i:02d}" for i in range(1, levels + 1)]
    share = np.array([0.50, 0.36, 0.12, 0.02]) if levels == 4 else rng.dirichlet(np.full(levels, 8.0))
    health = rng.choice(names, n, p=share)
    risk = (
        -1.3
        + 0.5 * (sex == "female")
        + 0.45 * np.searchsorted(names, health, sorter=None) / max(1, len(names) / 4)
        + rng.normal(0, 1, n)
    )
    y = (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(int)
    real = 1 / (1 + np.exp(-(risk * 0.72 + rng.normal(0, 0.75, n) - 0.25)))
    synthetic = 1 / (1 + np.exp(-(risk * 0.66 + rng.normal(0, 0.9, n) - 0.2 - 0.25 * (health == names[-1]))))
    return {"y": y, "tstr": synthetic, "trtr": real, "columns": {"sex": sex, "self-rated health": health}}


def _groups(columns: dict[str, np.ndarray]) -> list[tuple[tuple[tuple[str, str], ...], np.ndarray]]:
    found = [(((c, str(v)),), values == v) for c, values in columns.items() for v in dict.fromkeys(np.unique(values).tolist())]
    (a, first), (b, second) = columns.items()
    for v, w in itertools.product(np.unique(first), np.unique(second)):
        found.append((((a, str(v)), (b, str(w))), (first == v) & (second == w)))
    return found


def dossier(*, seed: int = 7, n: int = 6057, levels: int = 4, rename: dict[str, str] | None = None) -> Dossier:
    """A binary study with everything that the measuring part gives. rename: labels to put in place of others."""
    data = simulated(seed, n, levels)
    y, threshold = data["y"], 0.38
    scores = {"tstr": data["tstr"], "trtr": data["trtr"], "augmented": 0.5 * (data["tstr"] + data["trtr"])}
    figures: dict[str, Estimate] = {
        "utility.threshold.tstr/all": Estimate(threshold, n=n, method="Youden's J on out-of-fold training predictions")
    }
    _add(figures, ALL, y, scores, threshold)
    trts = y[: n // 2], np.clip(scores["trtr"][: n // 2] * 0.96, 0.01, 0.99)
    figures["utility.auroc.trts/all"] = _around(_auroc(*trts), n, n // 2, "DeLong, logit scale")
    figures["utility.auroc.trivial/all"] = Estimate(0.5, n=n, method="constant score")
    subgroups: list[dict[str, Any]] = []
    for pairs, rows in _groups(data["columns"]):
        renamed = tuple((column, (rename or {}).get(value, value)) for column, value in pairs)
        _add_group(figures, subgroups, renamed, y[rows], {p: s[rows] for p, s in scores.items() if p != "augmented"}, threshold)
    disparities = _disparities(figures, subgroups)
    _agreements(figures, n)
    return Dossier(
        figures=figures,
        tables={
            "subgroups": tuple(subgroups),
            "disparities": tuple(disparities),
            "slices": _slices(),
            "learners": _learners(figures),
            "importances": _importances(),
            **_curves(y, scores),
        },
        datasets={
            "source": {"digest": "sha256:" + "a1" * 32, "rows": 14133, "columns": 10, "subjects": 3705},
            "synthetic": {"digest": "sha256:" + "b2" * 32, "rows": 14133, "columns": 9, "subjects": None},
            "holdout": {"digest": "sha256:" + "c3" * 32, "rows": n, "columns": 10, "subjects": 1589},
        },
        study={
            "task": "binary",
            "target": "high_use",
            "positive": 1,
            "subject": "person",
            "sensitive": list(data["columns"]),
            "features": ["age", "sex", "income", "education", "chronic conditions", "self-rated health"],
            "minimum_cell": {"rows": 100, "events": 20},
            "notes": ["age was binned by default edges"],
            "settings": {"threshold": "youden", "confidence": 0.95, "margin": 0.05, "replicates": 1000},
        },
        generation={
            "schema_version": "1",
            "purpose": "Training and comparing models of high use outside the hospital",
            "unsupported_uses": ["decisions about a single person", "estimates of rare diseases"],
            "generator": {
                "name": "CartSynthesizer",
                "library": "synthml",
                "version": "0.1.0",
                "parameters": {"min_leaf": 5, "seed": 7},
            },
            "source": {"owner": "RAND", "period": "1974 to 1982", "rows": 14133, "limitations": None},
            "differential_privacy": None,
            "rows": 14133,
        },
        model={"digest": "sha256:" + "d4" * 32, "uri": "models:/m-0f3a", "estimator": "xgboost.XGBClassifier"},
        kinds=("utility", "subgroups"),
        notes=("the subject column is left out of the synthetic table",),
        seed=7,
        created="2026-03-01T09:30:00Z",
        synthml="0.1.0",
    )


def _add(figures: dict[str, Estimate], of: str, y: np.ndarray, scores: dict[str, np.ndarray], threshold: float) -> None:
    measured = {protocol: _measured(y, score, threshold) for protocol, score in scores.items()}
    for protocol, metrics in measured.items():
        for name, (value, size) in metrics.items():
            width = {"calibration_slope": 0.9, "calibration_intercept": 0.9, "log_loss": 0.5}.get(name, 0.45)
            method = (
                "DeLong, logit scale"
                if name == "auroc"
                else "Wilson at the effective sample size"
                if size != len(y)
                else "linearised"
            )
            figures[f"utility.{name}.{protocol}/{of}"] = _around(value, size, len(y), method, width=width)
    for name, (value, size) in measured["tstr"].items():
        sign = -1 if name in ("brier", "log_loss", "ece", "fnr", "fpr") else 1
        if name != "selection_rate" and not name.startswith("calibration"):
            figures[f"utility.{name}.loss/{of}"] = _around(
                sign * (measured["trtr"][name][0] - value), size, len(y), "paired, linearised", width=0.25
            )


def _add_group(
    figures: dict[str, Estimate],
    subgroups: list[dict[str, Any]],
    pairs: tuple[tuple[str, str], ...],
    y: np.ndarray,
    scores: dict[str, np.ndarray],
    threshold: float,
) -> None:
    of, events = group_of(pairs), int(y.sum())
    base = {"of": of, "column": ", ".join(c for c, _ in pairs), "group": ", ".join(v for _, v in pairs)}
    small = len(y) < 100 or min(events, len(y) - events) < 20
    if small:
        reason = "fewer rows or events than the minimum cell"
        figures.update({f"utility.auroc.{protocol}/{of}": Estimate.insufficient(reason) for protocol in ("tstr", "trtr", "loss")})
    else:
        _add(figures, of, y, scores, threshold)
    for protocol in ("tstr", "trtr", "loss"):
        figure = figures[f"utility.auroc.{protocol}/{of}"]
        open_loss = protocol == "loss" and figure.low is not None and figure.low <= 0.05 < (figure.high or 0)
        subgroups.append(
            {
                **base,
                "n": None if small else len(y),
                "events": None if small else events,
                "metric": "auroc",
                "protocol": protocol,
                **{key: figure.to_dict()[key] for key in ("value", "low", "high", "status", "reason")},
                "rows_needed": 1400 if open_loss else None,
            }
        )


def _disparities(figures: dict[str, Estimate], subgroups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = []
    columns = dict.fromkeys(row["column"] for row in subgroups)
    for column, metric in itertools.product(columns, ("auroc", "fnr", "sensitivity", "ppv", "selection_rate")):
        ofs = [r["of"] for r in subgroups if (r["column"], r["status"], r["protocol"]) == (column, "ok", "tstr")]
        if len(ofs) < 2:
            continue
        values = {of: figures[f"utility.{metric}.tstr/{of}"].value or 0.0 for of in ofs}
        low, high = min(values.values()), max(values.values())
        worst = max(values, key=values.get) if metric == "fnr" else min(values, key=values.get)  # type: ignore[arg-type]
        of = " ".join(escape_label(part) for part in column.split(", "))
        name = f"disparity.{metric}.tstr"
        figures[f"{name}.difference/{of}"] = Estimate(
            high - low, max(0.0, high - low - 0.04), high - low + 0.05, n=6057, method="bootstrap of cells"
        )
        figures[f"{name}.difference_corrected/{of}"] = Estimate(max(0.0, high - low - 0.012), n=6057, method="bootstrap bias")
        figures[f"{name}.ratio/{of}"] = Estimate(
            low / high, max(0, low / high - 0.08), min(1, low / high + 0.07), n=6057, method="bootstrap of cells"
        )
        figures[f"{name}.worst/{of}"] = Estimate(
            values[worst],
            values[worst] - 0.06,
            values[worst] + 0.06,
            n=900,
            method=f"{worst}; simultaneous (max-t), over 2 of 2 groups",
        )
        table.append(
            {
                "of": of,
                "column": column,
                "metric": metric,
                "protocol": "tstr",
                "difference": high - low,
                "difference_low": max(0.0, high - low - 0.04),
                "difference_high": high - low + 0.05,
                "difference_corrected": high - low - 0.012,
                "ratio": low / high,
                "worst_group": next(r["group"] for r in subgroups if r["of"] == worst),
                "worst": values[worst],
                "worst_low": values[worst] - 0.06,
                "worst_high": values[worst] + 0.06,
            }
        )
    return table


def _slices() -> tuple[dict[str, Any], ...]:
    shared = {"measure": "log_loss", "against": "trtr", "everyone": 0.0123, "searched": 412, "tested": 2}
    return (
        {
            "slice": "self-rated health: poor and age: 65-120",
            "conditions": 2,
            "n": 200,
            "tstr": 0.6931,
            "trtr": 0.6121,
            "difference": 0.081,
            "low": 0.022,
            "high": 0.14,
            "confirmed": True,
            **shared,
        },
        {
            "slice": "income: lowest fifth",
            "conditions": 1,
            "n": 600,
            "tstr": 0.5512,
            "trtr": 0.5272,
            "difference": 0.024,
            "low": -0.004,
            "high": 0.052,
            "confirmed": False,
            **shared,
        },
    )


def _learners(figures: dict[str, Estimate]) -> tuple[dict[str, Any], ...]:
    rows = []
    for learner, tstr, trtr in (
        ("wrapped", 0.652, 0.671),
        ("logistic", 0.648, 0.659),
        ("bayes", 0.629, 0.64),
        ("forest", 0.641, 0.668),
        ("boosting", 0.65, 0.67),
    ):
        for protocol, value in (("tstr", tstr), ("trtr", trtr)):
            figures[f"learners.auroc.{protocol}/{learner}"] = Estimate(
                value, value - 0.014, value + 0.014, n=6057, method="DeLong, logit scale"
            )
            rows.append(
                {
                    "learner": learner,
                    "protocol": protocol,
                    "metric": "auroc",
                    "value": value,
                    "low": value - 0.014,
                    "high": value + 0.014,
                }
            )
    return tuple(rows)


def _importances() -> tuple[dict[str, Any], ...]:
    return tuple(
        {"feature": name, "tstr": a, "tstr_low": a - w, "tstr_high": a + w, "trtr": b, "trtr_low": b - w, "trtr_high": b + w}
        for name, a, b, w in (
            ("chronic conditions", 0.031, 0.036, 0.004),
            ("self-rated health", 0.018, 0.022, 0.003),
            ("age", 0.012, 0.009, 0.003),
            ("sex", 0.011, 0.012, 0.002),
            ("income", 0.003, 0.005, 0.002),
            ("education", 0.0004, 0.0009, 0.001),
        )
    )


def _agreements(figures: dict[str, Estimate], n: int) -> None:
    for name, value, low, high in (
        ("learners.rank_agreement", 0.6, 0.2, 1.0),
        ("explain.importance_agreement", 0.943, 0.77, 0.99),
        ("explain.decision_agreement", 0.861, 0.852, 0.869),
        ("explain.score_agreement", 0.74, 0.73, 0.75),
    ):
        figures[f"{name}/all"] = Estimate(value, low, high, n=n, method="draws from the joint covariance")


def _curves(y: np.ndarray, scores: dict[str, np.ndarray]) -> dict[str, tuple[dict[str, Any], ...]]:
    roc, calibration, benefit = [], [], []
    for protocol in ("tstr", "trtr"):
        s = scores[protocol]
        cuts = np.quantile(s, np.linspace(0.97, 0.03, 24))
        rates = [(float((s[y == 0] >= cut).mean()), float((s[y == 1] >= cut).mean())) for cut in cuts]
        roc += [{"protocol": protocol, "fpr": fpr, "tpr": tpr} for fpr, tpr in rates]
        for rows in np.array_split(np.argsort(s), 10):
            rate, half = float(y[rows].mean()), 1.96 * 0.45 / math.sqrt(len(rows))
            calibration.append(
                {
                    "protocol": protocol,
                    "predicted": float(s[rows].mean()),
                    "observed": rate,
                    "low": rate - half,
                    "high": rate + half,
                    "n": len(rows),
                }
            )
        for cut in np.linspace(0.05, 0.7, 27):
            call = s >= cut
            gain = (call & (y == 1)).mean() - (call & (y == 0)).mean() * cut / (1 - cut)
            benefit.append({"strategy": protocol, "threshold": float(cut), "net_benefit": float(gain)})
    for cut in np.linspace(0.05, 0.7, 27):
        benefit.append(
            {"strategy": "treat all", "threshold": float(cut), "net_benefit": float(y.mean() - (1 - y.mean()) * cut / (1 - cut))}
        )
        benefit.append({"strategy": "treat none", "threshold": float(cut), "net_benefit": 0.0})
    return {"roc": tuple(roc), "calibration": tuple(calibration), "net_benefit": tuple(benefit)}


def regression() -> Dossier:
    """A regression study: no thresholds, errors in the unit of the target."""
    figures = {}
    for of, n, shift in ((ALL, 4000, 0.0), ("ward:north", 1800, 0.02), ("ward:south", 2200, -0.03)):
        for protocol, r2, rmse in (("tstr", 0.41, 1312.4), ("trtr", 0.44, 1290.9), ("trivial", 0.0, 1711.2)):
            if protocol == "trivial" and of != ALL:
                continue
            figures[f"utility.r2.{protocol}/{of}"] = Estimate(
                r2 + shift, r2 + shift - 0.03, r2 + shift + 0.03, n=n, method="linearised"
            )
            figures[f"utility.rmse.{protocol}/{of}"] = Estimate(rmse, rmse - 40, rmse + 42, n=n, method="linearised")
        figures[f"utility.r2.loss/{of}"] = Estimate(0.03, 0.012, 0.048, n=n, method="paired, linearised")
        figures[f"utility.rmse.loss/{of}"] = Estimate(21.5, 8.0, 35.0, n=n, method="paired, linearised")
    return Dossier(
        figures, study={"task": "regression", "target": "cost", "settings": {"margin": 0.05}}, kinds=("utility", "subgroups")
    )


def hostile() -> Dossier:
    """The full dossier with labels that try to break out of everything."""
    names = ["female", "male", "excellent", "good", "fair", "poor"]
    made = dossier(rename=dict(zip(names, HOSTILE, strict=False)))
    evil = HOSTILE[0] + HOSTILE[2] + HOSTILE[4]
    return Dossier(
        made.figures,
        {**made.tables, "slices": ({"slice": evil, "n": 300, "difference": 0.1, "low": 0.0, "high": 0.2, "measure": evil},)},
        {**made.datasets, evil: {"digest": evil, "rows": 1}},
        {**made.study, "target": HOSTILE[7], evil: evil},
        {"purpose": HOSTILE[5], evil: [evil, {evil: evil}]},
        {"digest": evil, evil: evil},
        notes=HOSTILE,
        producer=evil,
        synthml=evil,
        created=evil,
    )


def verdict(made: Dossier) -> Verdict:
    """A failing verdict with every outcome in it."""
    common = {"source": "convention for non-inferiority of discrimination", "set_by": "organisation"}
    worst = "self-rated_x20_health:poor"
    decisions = (
        Decision("evidence.utility", "pass", "evidence of kind utility", "measured", source="policy", set_by="policy"),
        Decision(
            "evidence.disclosure", "insufficient", "evidence of kind disclosure", "not measured", source="policy", set_by="policy"
        ),
        Decision("auroc-loss", "pass", "at most 0.05", "0.021 (0.012 to 0.030), n = 6,057", "utility.auroc.loss", ALL, **common),  # type: ignore[arg-type]
        Decision(
            "auroc-loss",
            "insufficient",
            "at most 0.05",
            "0.048 (-0.020 to 0.116), n = 140",
            "utility.auroc.loss",
            worst,
            reason="the interval holds the threshold",
            n_required=9400,
            **common,
        ),  # type: ignore[arg-type]
        Decision(
            "auroc-loss", "fail", "at most 0.05", "0.091 (0.062 to 0.120), n = 700", "utility.auroc.loss", "sex:male", **common
        ),  # type: ignore[arg-type]
        Decision(
            "fnr-difference",
            "fail",
            "at most 0.1",
            "0.213 (0.173 to 0.263)",
            "disparity.fnr.tstr.difference",
            "sex",
            severity="warn",
            **common,
        ),  # type: ignore[arg-type]
        Decision(
            "calibration-slope",
            "fail",
            "at least 0.8",
            "0.71 (0.65 to 0.77)",
            "utility.calibration_slope.tstr",
            ALL,
            waived="by dr.k until 2026-06-01: recalibrated on site",
            **common,
        ),  # type: ignore[arg-type]
    )
    when = datetime(2026, 3, 2, 8, 0, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Verdict("fail", "clinical-default v1", "sha256:" + "e5" * 32, made.digest, when, decisions, "sha256:" + "d4" * 32)
