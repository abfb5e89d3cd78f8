"""What the terminal shows: steps of long work, and tables of results.

On a terminal a progress bar; elsewhere one plain line a step, on standard error, so that standard output stays for results.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.table import Table

    from synthml.estimate import Estimate
    from synthml.evidence import Dossier

__all__ = ["chain_table", "dossier_table", "steps"]


@contextmanager
def steps(total: int, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Gives a function that is called with the text of each next step; `total` is about how many there will be."""
    if quiet:
        yield lambda _: None
        return
    if sys.stderr.isatty():
        with _bar(total) as step:
            yield step
        return
    started = time.monotonic()
    yield lambda text: click.echo(f"{time.monotonic() - started:6.1f} s  {text}", err=True)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(bar_width=30), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=total)

        def step(text: str) -> None:
            progress.update(task, description=text, advance=1)

        yield step
        progress.update(task, completed=total)


def dossier_table(dossier: Dossier) -> Table:
    """The headline metric, overall and in every group, with the loss and its interval; a dash where a small group is withheld."""
    from rich.markup import escape
    from rich.table import Table

    from synthml.figures import parse_of
    from synthml.utility.learners import HEADLINE

    metric = HEADLINE.get(str(dossier.study.get("task")), "auroc")
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for title in (f"{metric}, trained on", "synthetic", "real", "loss", "rows"):
        first = title.startswith(metric)
        table.add_column(title, justify="left" if first else "right", no_wrap=True, max_width=27 if first else None)
    prefix = f"utility.{metric}.tstr/"
    groups = [name.removeprefix(prefix) for name in dossier.figures if name.startswith(prefix)]
    for of in sorted(groups, key=lambda g: (g != "all", g.count(" "), g)):
        tstr, trtr, loss = (dossier.figures.get(f"utility.{metric}.{protocol}/{of}") for protocol in ("tstr", "trtr", "loss"))
        label = "everyone" if of == "all" else ", ".join(f"{column} {label}" for column, label in parse_of(of))
        rows = "" if tstr is None or tstr.n is None or not tstr.ok else f"{tstr.n:,}"
        table.add_row(escape(label), _number(tstr), _number(trtr), "" if loss is None or not loss.ok else str(loss), rows)
    return table


def chain_table(dossier: Dossier) -> Table | None:
    """How each group's outcomes differ from everyone else's, from source to synthetic table to model; None when not measured."""
    from rich.markup import escape
    from rich.table import Table

    from synthml.figures import parse_of

    steps_shown = ("outcome.source", "outcome.synthetic", "chain.model", "chain.real_model")
    of_source = [name for name in dossier.figures if name.startswith("bias.outcome.source/")]
    shown = [name.partition("/")[2] for name in of_source if dossier.figures[name].ok]
    if not shown:
        return None
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for title in ("outcome against everyone else", "source", "synthetic", "model", "real-trained"):
        table.add_column(title, justify="left" if title.startswith("outcome") else "right", no_wrap=True, max_width=29)
    for of in shown:
        cells = [dossier.figures.get(f"bias.{step}/{of}") for step in steps_shown]
        label = ", ".join(f"{column} {value}" for column, value in parse_of(of))
        table.add_row(escape(label), *("—" if c is None or c.value is None else f"{c.value:+.3f}" for c in cells))
    return table


def _number(figure: Estimate | None) -> str:
    if figure is None:
        return ""
    return "—" if figure.value is None else f"{figure.value:.3f}"
