"""Inference: can a secret be guessed from what an intruder knows, better for the source's people than for anybody?

Two attacks on every secret; the stronger counts. `nearest` guesses the secret of the nearest synthetic row by the
quasi-identifiers (Giomi et al. 2023, doi 10.56553/popets-2023-0055): the majority, or the median, among the rows with
exactly those. `model` learns the secret from the quasi-identifiers on the synthetic table. A guess succeeds when it is equal, or,
for numbers and dates, within the tolerance of the larger of the truth's size and the column's scale, its
interquartile range in the source.

A secret that changes between a patient's rows is one secret for each row: rates are of rows then, with intervals by patient. (To
take success on any row for success would reward guessing often.)

Baseline: the best constant guess, the synthetic table's majority class or median. What a model trained on the holdout reaches on
the source stands beside it as a note: that much anybody can know about the population.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.disclosure.attack import Attack, ThreatModel, measured
from synthml.disclosure.finding import Attempt, Finding, Trials, attempt_of
from synthml.estimate import Estimate
from synthml.figures import escape_label
from synthml.neighbours import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground, Side

__all__ = ["ATTACK", "finding"]

Values = np.ndarray[Any, np.dtype[Any]]
_NUMBERS = ("numeric", "datetime")
_RARE = 5  # labels with fewer synthetic rows are not learned: the model could not tell them apart
_TRAINED_ON = 20_000


def keys_for(ground: Ground, secret: str) -> tuple[str, ...]:
    """What the intruder knows when he is after this secret."""
    return tuple(name for name in ground.quasi_identifiers if name != secret)


def values_of(frame: pd.DataFrame, name: str, kind: str) -> Values:
    """A column as numbers (float64, dates in microseconds) or as labels (object); null is NaN."""
    column = frame[name]
    if kind == "datetime":
        stamps = column.to_numpy().astype("datetime64[us]")
        return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64).astype(np.float64))
    if kind == "categorical":
        return column.to_numpy(dtype=object)
    return column.to_numpy(dtype=np.float64)


def succeeds(guess: Values, truth: Values, kind: str, tolerance: float, scale: float) -> NDArray[np.bool_]:
    """(n,) whether each guess is right; guessing null is right where the truth is null."""
    both_null = pd.isna(guess) & pd.isna(truth)
    if kind not in _NUMBERS:
        return np.asarray((guess == truth) | both_null, dtype=bool)
    with np.errstate(invalid="ignore"):
        near = np.abs(guess - truth) <= tolerance * np.maximum(np.abs(truth) if kind == "numeric" else 0.0, scale)
    return np.asarray(near | both_null, dtype=bool)


def constant_guess(values: Values, kind: str) -> Any:
    """The majority class (of equals the first in alphabetical order), or the median."""
    if kind in _NUMBERS:
        known = values[~np.isnan(values)]
        return float(np.median(known)) if len(known) > len(values) / 2 else np.nan
    counts = pd.Series(values).value_counts(dropna=False)
    top = [label for label, count in counts.items() if count == counts.iloc[0]]
    return sorted(top, key=str)[0]


def _scale(values: Values) -> float:
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0
    low, high = np.quantile(known, [0.25, 0.75])
    return float(high - low) or float(known.max() - known.min())


def _by_nearest(side: Side, known: Side, keys: tuple[str, ...], secret: str, kind: str) -> Values:
    found = nearest(side.encoded.columns(keys), known.encoded.columns(keys), k=1).index[:, 0]
    return _common(known, keys, secret, kind)[found]


def _common(known: Side, keys: tuple[str, ...], secret: str, kind: str) -> Values:
    """(n,) for each row the majority class (of equals the first in order), or the median, among the rows with its keys."""
    values = values_of(known.frame, secret, kind)
    codes = pd.factorize(pd.util.hash_pandas_object(known.frame[list(keys)], index=False))[0]
    if kind in _NUMBERS:
        return np.asarray(pd.Series(values).groupby(codes).transform("median"))
    labels, uniques = pd.factorize(values, sort=True, use_na_sentinel=False)
    pairs, counts = np.unique(codes * len(uniques) + labels, return_counts=True)
    order = np.lexsort((pairs, -counts, pairs // len(uniques)))
    groups, first = np.unique(pairs[order] // len(uniques), return_index=True)
    best = np.empty(int(codes.max()) + 1, dtype=np.int64)
    best[groups] = pairs[order][first] % len(uniques)
    return np.asarray(np.asarray(uniques)[best[codes]])


def _by_model(sides: tuple[Side, ...], known: Side, ground: Ground, secret: str) -> list[Values] | None:
    """What a model trained on `known` guesses on each side; None when there is nothing to learn."""
    from threadpoolctl import threadpool_limits
    from xgboost import XGBClassifier, XGBRegressor

    kind, keys = ground.kinds[secret], keys_for(ground, secret)
    truth = values_of(known.frame, secret, kind)
    rows = np.flatnonzero(~pd.isna(truth))[:_TRAINED_ON]  # the order of content: as good as a random sample
    words: dict[str, Any] = {"n_estimators": 60, "max_depth": 6, "learning_rate": 0.2, "n_jobs": 1, "random_state": 0}
    encode = _design(known.frame, ground, keys)
    if kind in _NUMBERS:
        if len(rows) < 2:
            return None
        centre, spread = float(truth[rows].mean()), float(truth[rows].std()) or 1.0
        model: Any = XGBRegressor(objective="reg:absoluteerror", **words).fit(
            encode(known.frame)[rows], (truth[rows] - centre) / spread
        )
        return [model.predict(encode(side.frame)).astype(np.float64) * spread + centre for side in sides]
    labels, codes, counts = np.unique(truth[rows].astype(str), return_inverse=True, return_counts=True)
    kept = np.flatnonzero(counts >= _RARE)
    if len(kept) < 2:
        return None
    place = np.full(len(labels), -1)
    place[kept] = np.arange(len(kept))
    learned = place[codes] >= 0
    originals = np.array([truth[rows][np.argmax(codes == label)] for label in kept], dtype=object)
    with threadpool_limits(1):
        model = XGBClassifier(**words).fit(encode(known.frame)[rows][learned], place[codes][learned])
        guesses = [originals[model.predict(encode(side.frame)).astype(int)] for side in sides]
    return guesses if kind == "categorical" else [guess.astype(np.float64) for guess in guesses]


def _design(frame: pd.DataFrame, ground: Ground, keys: tuple[str, ...]) -> Callable[[pd.DataFrame], NDArray[np.float32]]:
    """Numbers as they are, labels as one column each when they are few, else by their order of frequency."""
    levels = {name: frame[name].value_counts().index[:200] for name in keys if ground.kinds[name] == "categorical"}

    def encode(table: pd.DataFrame) -> NDArray[np.float32]:
        parts: list[Values] = []
        for name in keys:
            values = values_of(table, name, ground.kinds[name])
            if name not in levels:
                parts.append(values[:, None])
                continue
            codes = levels[name].get_indexer(pd.Index(values))
            few = len(levels[name]) <= 20
            parts.append((codes[:, None] == np.arange(len(levels[name]))).astype(np.float32) if few else codes[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32) if parts else np.zeros((len(table), 1), np.float32)

    return encode


def _attempts(ground: Ground, secrets: tuple[str, ...] | None = None) -> list[Attempt]:
    found: list[Attempt] = []
    sides = tuple(side for side in (ground.source, ground.holdout) if side is not None)
    for secret in ground.secrets if secrets is None else secrets:
        if unfit(ground, secret):
            continue
        kind, keys = ground.kinds[secret], keys_for(ground, secret)
        varies = changes(ground.source, secret)
        truths = [values_of(side.frame, secret, kind) for side in sides]
        judged = partial(succeeds, kind=kind, tolerance=ground.settings.tolerance, scale=_spread(ground, secret))
        constant = constant_guess(values_of(ground.synthetic.frame, secret, kind), kind)
        baseline = judged(np.full(len(truths[0]), constant, dtype=truths[0].dtype), truths[0]).astype(np.float64)
        guesses = {"nearest": [_by_nearest(side, ground.synthetic, keys, secret, kind) for side in sides]}
        by_model = _by_model(sides, ground.synthetic, ground, secret)
        if by_model is not None:
            guesses["model"] = by_model
        for mode, made in guesses.items():
            hits = [judged(guess, truth) for guess, truth in zip(made, truths, strict=True)]
            trials = Trials(hits[0], hits[1] if len(hits) > 1 else None, baseline, by_row=varies)
            found.append(attempt_of(ground, mode, trials, of=secret))
    return found


def changes(side: Side, secret: str) -> bool:
    """Whether the secret differs between the rows of somebody."""
    if not side.clustered:
        return False
    codes = pd.factorize(side.frame[secret])[0]
    lowest, highest = np.full(side.count, len(codes)), np.full(side.count, -2)
    np.minimum.at(lowest, side.units, codes)
    np.maximum.at(highest, side.units, codes)
    return bool((lowest < highest).any())


def _spread(ground: Ground, secret: str) -> float:
    kind = ground.kinds[secret]
    return _scale(values_of(ground.source.frame, secret, kind)) if kind in _NUMBERS else 0.0


def unfit(ground: Ground, secret: str) -> str:
    """Why a secret cannot be attacked, or nothing."""
    if not keys_for(ground, secret):
        return f"no quasi-identifier besides '{secret}': the intruder would know nothing"
    if ground.source.frame[secret].nunique(dropna=False) < 2:
        return f"'{secret}' is constant in the source: there is nothing to infer"
    return ""


def _population(ground: Ground) -> tuple[dict[str, Any], ...]:
    """What a model trained on the holdout reaches on the source: knowledge about the population."""
    rows = []
    for secret in ground.secrets:
        if ground.holdout is None or unfit(ground, secret):
            continue
        guesses = _by_model((ground.source,), ground.holdout, ground, secret)
        if guesses is not None:
            kind = ground.kinds[secret]
            truth = values_of(ground.source.frame, secret, kind)
            right = succeeds(guesses[0], truth, kind, ground.settings.tolerance, _spread(ground, secret))
            rows.append({"secret": secret, "unit": "rows", "model_on_holdout": float(right.mean()), "n": len(right)})
    return tuple(rows)


ATTACK = Attack(
    "inference",
    ThreatModel(
        question="Can a secret be guessed from what is known?",
        knows="the quasi-identifiers of a person, and the synthetic table",
        tries="to guess the secret, from the most similar synthetic row and with a model trained on the synthetic table",
        succeeds="when the guess is right more often for the people behind the table than for people who were not in the data",
    ),
    _attempts,
)


def finding(ground: Ground) -> Finding:
    """Rates and risk of every secret; a secret that cannot be attacked is insufficient, with the reason."""
    found = measured(ATTACK, ground)
    figures = dict(found.figures)
    for secret in ground.secrets:
        reason = unfit(ground, secret)
        if reason:
            for part in ("main", "control", "baseline", "risk", "difference"):
                figures[f"disclosure.inference.{part}/{escape_label(secret)}"] = Estimate.insufficient(reason)
    population = _population(ground)
    tables = {**found.tables, "disclosure_population": population} if population else found.tables
    return Finding(figures, tables, found.notes, found.hits)
