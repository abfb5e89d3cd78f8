"""Attribution: what the synthetic rows with somebody's quasi-identifiers say about his secret.

`cap`                 correct attribution probability: share of the synthetic rows with the same keys that have the same secret,
                      nought where there is no such row (Elliot 2014; Taub et al. 2018, doi 10.1007/978-3-319-99771-1_9)
`tcap`                the same among source rows whose synthetic key group is of one mind about the secret (targeted: tau = 1)
`disco`               share of source rows whose keys lead to a synthetic group of one mind, and to the right secret
`replicated_uniques`  share of source rows with keys that nobody else has, and that stand once in the synthetic table too
                      (Raab, Nowok & Dibben 2024, arXiv 2406.16826)

The excess is the same on the source minus on the holdout: a dominant class tells nothing about anybody. Numbers among the keys,
and a numeric secret, are binned by the deciles of the source. All four take integer codes, so that they can be repeated on many
halves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.disclosure.attack import ThreatModel
from synthml.disclosure.finding import NO_HOLDOUT, Finding
from synthml.disclosure.inference import keys_for, unfit
from synthml.disclosure.matches import joint_codes, value_codes
from synthml.estimate import Estimate
from synthml.estimate.linear import spread
from synthml.estimate.proportions import quantile
from synthml.figures import escape_label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground, Side

__all__ = ["THREAT_MODEL", "cap", "disco", "finding", "replicated_uniques", "tcap"]

Codes = np.ndarray[Any, np.dtype[np.int64]]
HIGH = 0.7
THREAT_MODEL = ThreatModel(
    question="Do attribute guesses come out right?",
    knows="the quasi-identifiers of a person",
    tries="to read the secret off the synthetic rows with exactly these quasi-identifiers",
    succeeds="when these rows give the right secret more often for people behind the table than for strangers",
)


def cap(keys: Codes, secret: Codes, made_keys: Codes, made_secret: Codes) -> NDArray[np.float64]:
    """(n,) for each real row the share of synthetic rows with its keys that have its secret; nought without such a row."""
    groups = _counts(made_keys, keys)
    pairs = _pairs(keys, secret, made_keys, made_secret)
    return np.asarray(np.divide(pairs, groups, out=np.zeros(len(keys)), where=groups > 0))


def tcap(keys: Codes, secret: Codes, made_keys: Codes, made_secret: Codes) -> NDArray[np.float64]:
    """(n,) 1 or 0 for real rows whose synthetic group is of one mind: whether it is right; NaN for the others."""
    share = cap(keys, secret, made_keys, made_secret)
    sure = _of_one_mind(keys, made_keys, made_secret)
    return np.asarray(np.where(sure, share, np.nan))


def disco(keys: Codes, secret: Codes, made_keys: Codes, made_secret: Codes) -> NDArray[np.float64]:
    """(n,) 1 where the synthetic group with the row's keys is of one mind, and right."""
    return np.asarray(cap(keys, secret, made_keys, made_secret) == 1, dtype=np.float64)


def replicated_uniques(keys: Codes, made_keys: Codes) -> NDArray[np.float64]:
    """(n,) 1 where the keys stand once among the real rows and once among the synthetic ones."""
    return np.asarray((_counts(keys, keys) == 1) & (_counts(made_keys, keys) == 1), dtype=np.float64)


def _counts(table: Codes, wanted: Codes) -> NDArray[np.int64]:
    size = int(max(table.max(initial=0), wanted.max(initial=0))) + 1
    return np.bincount(table, minlength=size)[wanted]


def _pairs(keys: Codes, secret: Codes, made_keys: Codes, made_secret: Codes) -> NDArray[np.int64]:
    width = int(max(secret.max(initial=0), made_secret.max(initial=0))) + 1
    wanted, table = keys * width + secret, np.sort(made_keys * width + made_secret)
    return np.searchsorted(table, wanted, "right") - np.searchsorted(table, wanted, "left")


def _of_one_mind(keys: Codes, made_keys: Codes, made_secret: Codes) -> NDArray[np.bool_]:
    size = int(max(keys.max(initial=0), made_keys.max(initial=0))) + 1
    lowest, highest = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
    np.minimum.at(lowest, made_keys, made_secret)
    np.maximum.at(highest, made_keys, made_secret)
    return np.asarray((lowest == highest)[keys])


def finding(ground: Ground) -> Finding:
    """CAP, targeted CAP and DiSCO of every secret, and replicated uniques, each beside the holdout."""
    figures: dict[str, Estimate] = {}
    rows: list[dict[str, Any]] = []
    for secret in ground.secrets:
        of = escape_label(secret)
        reason = unfit(ground, secret)
        if reason:
            figures |= {
                f"disclosure.{name}/{of}": Estimate.insufficient(reason) for name in ("cap.excess", "tcap.excess", "disco")
            }
            continue
        keys = joint_codes(ground, keys_for(ground, secret))
        codes = value_codes(ground, secret, binned=True)
        figures |= _of_secret(ground, of, keys, codes, rows, secret)
    keys = joint_codes(ground, ground.quasi_identifiers)
    unique = replicated_uniques(keys[0], keys[1])
    method = "share of source rows with keys unique in source and synthetic table"
    figures["disclosure.replicated_uniques/all"] = _mean(unique, ground.source, ground, method)
    hits = {"attribution": np.flatnonzero(unique > 0)}
    return Finding(figures, {"disclosure_cap": tuple(rows)} if rows else {}, (), hits)


def _of_secret(
    ground: Ground,
    of: str,
    keys: tuple[Codes, Codes, Codes | None],
    codes: list[Codes],
    rows: list[dict[str, Any]],
    secret: str,
) -> dict[str, Estimate]:
    made = (keys[1], codes[1])
    found: dict[str, Estimate] = {
        f"disclosure.disco/{of}": _mean(disco(keys[0], codes[0], *made), ground.source, ground, "DiSCO, share of source rows")
    }
    row: dict[str, Any] = {"secret": secret}
    for name, measure in (("cap", cap), ("tcap", tcap)):
        main = _mean(measure(keys[0], codes[0], *made), ground.source, ground, f"{name.upper()} on the source")
        control = Estimate.insufficient(NO_HOLDOUT)
        if keys[2] is not None and ground.holdout is not None:
            control = _mean(measure(keys[2], codes[2], *made), ground.holdout, ground, f"{name.upper()} on the holdout")
        excess = _gap(main, control, name.upper())
        found[f"disclosure.{name}.excess/{of}"] = excess
        row |= {name: main.value, f"{name}_control": control.value, f"{name}_excess": excess.value}
        row |= {f"{name}_excess_low": excess.low, f"{name}_excess_high": excess.high}
    marginal = np.bincount(codes[1]) / len(codes[1])
    row["baseline"] = float(np.pad(marginal, (0, int(codes[0].max()) + 1))[codes[0]].mean())
    rows.append(row | _key_groups(ground, keys, codes))
    return found


def _key_groups(ground: Ground, keys: tuple[Codes, Codes, Codes | None], codes: list[Codes]) -> dict[str, Any]:
    """How many key groups of the minimum size there are, and in how many CAP exceeds 0.7."""
    share = cap(keys[0], codes[0], keys[1], codes[1])
    rows = np.bincount(keys[0])
    large = rows >= ground.schema.minimum_cell.rows
    mean = np.divide(np.bincount(keys[0], weights=share), rows, out=np.zeros(len(rows)), where=rows > 0)
    return {"key_groups": int(large.sum()), "key_groups_above_070": int((large & (mean > HIGH)).sum())}


def _mean(values: NDArray[np.float64], side: Side, ground: Ground, method: str) -> Estimate:
    """Mean over rows with an interval by patient; rows without a value stay out."""
    told = ~np.isnan(values)
    n = int(told.sum())
    if n < 2:
        return Estimate.insufficient("fewer than two rows have a synthetic group of one mind", n=n)
    value = float(values[told].mean())
    found = spread(np.where(told, values - value, 0.0) / n, side.units)
    # a share that every row has, or none, is not known without error: one row more would show another
    error = max(found.error, 1 / n) if value in (0.0, 1.0) else found.error
    half = quantile(ground.confidence, found.df) * error if math.isfinite(found.df) else error
    return Estimate(
        value, max(value - half, 0.0), min(value + half, 1.0), n, f"{method}, by {ground.unit}", confidence=ground.confidence
    )


def _gap(main: Estimate, control: Estimate, name: str) -> Estimate:
    """Main minus control, independent samples; each half width is taken from its own interval (MOVER)."""
    if main.value is None or main.low is None or main.high is None:
        return main
    if control.value is None or control.low is None or control.high is None:
        return control
    value = main.value - control.value
    low = value - math.hypot(main.value - main.low, control.high - control.value)
    high = value + math.hypot(main.high - main.value, control.value - control.low)
    return Estimate(value, low, high, main.n, f"{name} on the source minus on the holdout", confidence=main.confidence)
