"""`synthml policy`: the policies that ship, and files of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import AS_JSON

if TYPE_CHECKING:
    from synthml.policy import Criterion, Policy

__all__ = ["policy"]


@click.group()
def policy() -> None:
    """Policies: list those that ship, explain one, check a file."""


@policy.command("list")
@AS_JSON
def list_(as_json: bool) -> None:
    """Names, versions and what each is for."""
    from synthml import Policy
    from synthml.policy.criteria import shipped_policies

    found = [Policy.load(name) for name in shipped_policies()]
    if as_json:
        click.echo(json.dumps([{"name": p.name, "version": p.version, "digest": p.digest} for p in found], indent=2))
        return
    for one in found:
        click.echo(f"{one.name + f' v{one.version}':24}{one.description}")


@policy.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the whole policy as one JSON document.")
def show(name: str, as_json: bool) -> None:
    """Explain a policy in plain words. NAME is a shipped policy or a file."""
    from synthml import Policy

    chosen = Policy.load(name)
    if as_json:
        click.echo(json.dumps({**chosen.model_dump(mode="json"), "digest": chosen.digest}, indent=2))
        return
    click.echo("\n".join(_explained(chosen, name)))


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Is a policy file one that can decide? Names the line of every mistake."""
    from synthml import Policy

    chosen = Policy.load(file)
    click.echo(f"{file}: {chosen.name} v{chosen.version}, {len(chosen.criteria)} criteria, {chosen.digest}")


def _explained(chosen: Policy, name: str) -> list[str]:
    from synthml.policy.inheritance import inheritance
    from synthml.report.wording import plural

    require, lineage = chosen.require, chosen.lineage
    lines = [f"{chosen.name}, version {chosen.version}", chosen.description, chosen.digest, ""]
    for step in inheritance(name):
        lines += [*step.lines(), ""]
    asked = [f"evidence of kind {kind}" for kind in require.kinds]
    asked += [f"a signature of the {role}" for role in require.signatures]
    asked += [f"{path} filled in" for path in require.documents]
    if require.freshness_days:
        asked.append(f"evidence not older than {require.freshness_days} days")
    if require.minimum_cell:
        cell = require.minimum_cell
        asked.append(f"groups below {cell.rows} rows or {cell.events} events withheld, no figure of model or bias on fewer rows")
    if require.approvals:
        asked.append(plural(require.approvals, "approval"))
    if lineage.no_contamination:
        asked.append("a holdout that neither generator nor model has seen")
    if lineage.no_recall:
        asked.append("no recalled table behind the model")
    if lineage.release == "required":
        asked.append("a release statement of the synthetic table")
    if lineage.holdout_verdicts_at_most:
        asked.append(f"at most {lineage.holdout_verdicts_at_most} verdicts on one holdout")
    lines += ["There must be:", *(f"  - {what}" for what in asked), ""] if asked else []
    for title, severity in (("Passes only when", "block"), ("Warns unless", "warn")):
        criteria = [c for c in chosen.criteria if c.severity == severity]
        if criteria:
            lines += [f"{title}:", *(line for c in criteria for line in _criterion(c)), ""]
    return [*lines, "A pass is no claim of compliance with any law."]


def _criterion(criterion: Criterion) -> list[str]:
    whole = {"all": "", "each": ", everywhere it is measured", "groups": ", in every group"}
    read = {"value": ("value", "value"), "low": ("lower bound",) * 2, "high": ("upper bound",) * 2}
    lower, upper = read.get(criterion.decided_on, ("lower bound", "upper bound"))
    bounds = []
    if criterion.at_least is not None:
        bounds.append(f"its {lower} is at least {criterion.at_least:g}")
    if criterion.at_most is not None:
        bounds.append(f"its {upper} is at most {criterion.at_most:g}")
    draws = "" if criterion.draws == 1 else f", on the worst of {criterion.draws} draws or more"
    tasks = f" ({', '.join(criterion.tasks)} only)" if criterion.tasks else ""
    where = whole.get(criterion.of, f" of {criterion.of}")
    return [
        f"  - {criterion.id}: {criterion.figure}{where}: {' and '.join(bounds)}{draws}{tasks}"
        f"{', may be waived' if criterion.waivable else ''}",
        f"      {criterion.source}; set by {criterion.set_by}",
    ]
