"""What each term means, in one sentence for a reader who has no statistician at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["GLOSSARY", "METRIC_TERMS", "PROTOCOLS", "MetricTerm", "Protocol", "metric_term"]

Better = Literal["higher", "lower", "target", "none"]


@dataclass(frozen=True)
class MetricTerm:
    """name: as in figure ids. title: how it is called. meaning: one sentence. digits: decimals shown (None: significant figures).

    target: the right value where neither more nor less is better. floor, ceiling: values the metric cannot pass.
    """

    name: str
    title: str
    meaning: str
    better: Better
    digits: int | None = 3
    target: float | None = None
    floor: float | None = 0.0
    ceiling: float | None = 1.0

    @property
    def direction(self) -> str:
        """`higher is better`, in words."""
        if self.better == "target":
            return f"best at {self.target:g}"
        return {"higher": "higher is better", "lower": "lower is better", "none": "neither end is better"}[self.better]


_TERMS = (
    MetricTerm(
        "auroc",
        "AUROC",
        "Take one case with the outcome and one without: how often the model gives the higher score to the one "
        "with it. 0.5 is a coin flip, 1 is perfect.",
        "higher",
    ),
    MetricTerm(
        "average_precision",
        "Average precision",
        "How right positive calls are, averaged over all thresholds; guessing reaches the share of positives.",
        "higher",
    ),
    MetricTerm(
        "brier",
        "Brier score",
        "Mean squared distance between the predicted probability and what happened; 0 is perfect.",
        "lower",
    ),
    MetricTerm(
        "log_loss", "Log loss", "Penalty for confident predictions that turn out wrong; 0 is perfect.", "lower", ceiling=None
    ),
    MetricTerm(
        "ece",
        "Calibration error (ECE)",
        "Average gap between predicted and observed rates over bins of equal size; 0 is perfect, "
        "and chance alone keeps it above 0.",
        "lower",
    ),
    MetricTerm(
        "calibration_slope",
        "Calibration slope",
        "1 means risks are spread as they should be; below 1 predictions are too extreme, above 1 too timid.",
        "target",
        target=1.0,
        floor=None,
        ceiling=None,
    ),
    MetricTerm(
        "calibration_intercept",
        "Calibration intercept",
        "0 means risks are right on average; above 0 real risks are higher than predicted, below 0 they are lower.",
        "target",
        target=0.0,
        floor=None,
        ceiling=None,
    ),
    MetricTerm("accuracy", "Accuracy", "Share of rows on which the call is right.", "higher"),
    MetricTerm("sensitivity", "Sensitivity", "Of those who have the outcome, the share that the model finds.", "higher"),
    MetricTerm(
        "specificity", "Specificity", "Of those who do not have the outcome, the share that the model leaves alone.", "higher"
    ),
    MetricTerm("ppv", "PPV", "Positive predictive value: of the positive calls, the share that is right.", "higher"),
    MetricTerm("npv", "NPV", "Negative predictive value: of the negative calls, the share that is right.", "higher"),
    MetricTerm(
        "fnr", "Miss rate (FNR)", "False negative rate: of those who have the outcome, the share that the model misses.", "lower"
    ),
    MetricTerm(
        "fpr",
        "False alarm rate (FPR)",
        "False positive rate: of those who do not have the outcome, the share called positive.",
        "lower",
    ),
    MetricTerm("selection_rate", "Share called positive", "How many of all rows the model calls positive.", "none"),
    MetricTerm(
        "equalized_odds",
        "Equalized odds",
        "The larger of the group differences in sensitivity and in false alarm rate.",
        "lower",
    ),
    MetricTerm(
        "macro_auroc",
        "AUROC (mean over classes)",
        "The AUROC of each class against the rest, averaged. 0.5 is a coin flip, 1 is perfect.",
        "higher",
    ),
    MetricTerm(
        "macro_f1",
        "F1 (mean over classes)",
        "The balance of finding a class and being right about it, averaged over classes.",
        "higher",
    ),
    MetricTerm(
        "mae",
        "Mean absolute error",
        "How far predictions are off on average, in the unit of the target.",
        "lower",
        digits=None,
        ceiling=None,
    ),
    MetricTerm(
        "rmse",
        "Root mean squared error",
        "How far predictions are off, large errors counting more, in the unit of the target.",
        "lower",
        digits=None,
        ceiling=None,
    ),
    MetricTerm(
        "r2",
        "Explained variance (R²)",
        "Share of the differences between cases that the model explains; 0 is no better than the mean.",
        "higher",
        floor=None,
    ),
)

METRIC_TERMS = {term.name: term for term in _TERMS}


def metric_term(name: str) -> MetricTerm:
    """The term of a metric; one that is not in the list stands under its own name."""
    return METRIC_TERMS.get(name) or MetricTerm(name, name.replace("_", " "), "", "none", digits=None, floor=None, ceiling=None)


@dataclass(frozen=True)
class Protocol:
    """A way of training and testing: its key in figure ids, its short and its plain name, and what it shows."""

    key: str
    short: str
    plain: str
    meaning: str


PROTOCOLS = (
    Protocol(
        "tstr",
        "TSTR",
        "Trained on synthetic",
        "Train on Synthetic, Test on Real: the model under review, on real rows that it never saw.",
    ),
    Protocol(
        "trtr",
        "TRTR",
        "Trained on real",
        "Train on Real, Test on Real: the same model had it learned from the real rows. The yardstick.",
    ),
    Protocol(
        "augmented", "Augmented", "Trained on both", "Trained on real and synthetic rows together, tested on the same real rows."
    ),
    Protocol(
        "trts",
        "TRTS",
        "Trained on real, tested on synthetic",
        "Train on Real, Test on Synthetic: whether the synthetic table holds what a real-trained model knows.",
    ),
    Protocol(
        "trivial", "Trivial", "Knows nothing", "Gives everyone the same prediction, the average. Anything useful must beat it."
    ),
)

GLOSSARY: tuple[tuple[str, str, str], ...] = (
    *((p.key, p.short, p.meaning) for p in PROTOCOLS),
    (
        "loss",
        "Loss",
        "Real-trained minus synthetic-trained on the same rows, turned so that positive means the synthetic-trained model is "
        "worse.",
    ),
    ("margin", "Margin", "The loss that still counts as “as good as trained on real rows”; fixed before the results."),
    ("non-inferior", "Within the margin (non-inferior)", "Even the upper end of the loss's interval does not pass the margin."),
    (
        "interval",
        "Interval",
        "The range in which the true figure lies with the stated confidence (95% unless said); a wide one means few rows.",
    ),
    (
        "simultaneous",
        "Simultaneous bound",
        "An interval widened so that it holds for all groups at once: naming the worst of many groups is no fluke then.",
    ),
    ("holdout", "Holdout", "Real rows that neither the generator nor the model saw."),
    ("source", "Source", "The real rows that the generator learned from."),
    ("subgroup", "Group, intersection", "Rows that share a value of a sensitive column, or of two of them at once."),
    ("events", "Events", "Rows on which the outcome happened."),
    (
        "insufficient",
        "Insufficient",
        "Too few rows or events, missing or failed: no figure is shown, and none can pass a policy.",
    ),
    ("inconclusive", "Inconclusive", "Measured, but without power to show anything: it cannot pass a policy."),
    ("threshold", "Decision threshold", "The score from which a row is called positive; chosen on training rows only."),
    (
        "disparity",
        "Disparity",
        "Largest minus smallest figure over the groups of a column. The largest of many is too large by chance: the "
        "corrected value allows for that.",
    ),
    ("equalized-odds", "Equalized odds", "The larger of the group differences in sensitivity and in false alarm rate."),
    (
        "net-benefit",
        "Net benefit",
        "True positives minus false positives, weighed by the threshold: what acting on the model gains over treating no one.",
    ),
    ("slice", "Slice", "Rows that meet one or two conditions at once, found by search and confirmed on rows set aside."),
    ("importance", "Permutation importance", "How much worse the model gets when one column is shuffled."),
    (
        "rank-agreement",
        "Order of learners (Kendall's tau)",
        "1: learners stand in the same order whether trained on synthetic or real rows; 0: no relation; −1: reversed.",
    ),
    ("digest", "Digest", "A fingerprint of a table's whole content: any changed value gives another."),
    ("subject", "Subject", "The person that rows belong to. With several rows a person, intervals and splits are by person."),
)
