"""One page for several comparisons, made of Evidently's parts: its program stands there once, each comparison is a tab.

The page is handed out to people and shown in frames without rights (MLflow shows artifacts in a sandboxed frame), so it fetches
nothing, stores nothing, and runs nothing but the two programs whose digests its own security policy names: whatever a column or
a label is called, it is text. Evidently's random ids are numbered, so that equal figures make equal pages.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthml.drift.comparison import Comparison
    from synthml.drift.engine import Drawing

__all__ = ["page_of", "shown_names", "told"]

_LONGEST_NAME = 40
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def shown_names(names: Sequence[str], units: Sequence[float]) -> dict[str, str]:
    """Column -> its name on the page: printable, short, different from the others. units: powers of ten it was lifted by."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name, unit in zip(names, units, strict=True):
        text = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in name)
        text = " ".join(text.replace("<", "‹").replace(">", "›").split()) or "(blank)"
        text = text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
        text = text if unit == 1.0 else f"{text} (× {unit:g})"
        shown, count = text, 1
        while shown in taken:
            count += 1
            shown = f"{text} ({count})"
        taken.add(shown)
        found[name] = shown
    return found


def told(value: Any) -> Any:
    """JSON without NaN and infinity, which Evidently writes where it has no number."""
    if isinstance(value, dict):
        return {str(key): told(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [told(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def page_of(comparisons: Sequence[Comparison]) -> str:
    """The page; empty when no comparison has a drawing."""
    drawn = [(comparison, comparison.drawing) for comparison in comparisons if comparison.drawing is not None]
    if not drawn:
        return ""
    tabs, panes = [], []
    for at, (comparison, drawing) in enumerate(drawn):
        reference, current = (html.escape(name) for name in comparison.names)
        tabs.append(
            f'<button role="tab" id="tab{at}" aria-controls="pane{at}" aria-selected="{str(at == 0).lower()}">'
            f"{reference} → {current}</button>"
        )
        panes.append(
            f'<section role="tabpanel" id="pane{at}" aria-labelledby="tab{at}"{" hidden" if at else ""}>'
            f"<p>Reference: the {reference} table. Current: the {current} table.</p>"
            f'<div id="root{at}"></div></section>\n'
            f'<script type="application/json" id="data{at}">{_json(drawing)}</script>'
        )
    library = f"var global = globalThis;\n{drawn[0][1].script}".replace("\r\n", "\n").replace("\r", "\n")
    allowed = " ".join(f"'sha256-{_digest(text)}'" for text in (library, _PROGRAM))
    policy = _POLICY.format(scripts=allowed)
    return _PAGE.format(
        policy=policy, style=drawn[0][1].style, own=_STYLE, tabs="".join(tabs), panes="\n".join(panes),
        library=library, program=_PROGRAM,
    )  # fmt: skip


def _json(drawing: Drawing) -> str:
    """The data of a tab, with Evidently's random ids numbered, and no sign that could end the script it stands in."""
    text = json.dumps(told({"dashboard": drawing.dashboard, "graphs": drawing.graphs}), separators=(",", ":"), allow_nan=False)
    places: dict[str, str] = {}
    text = _UUID.sub(lambda found: places.setdefault(found.group(), f"part-{len(places)}"), text)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; font-src data:; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
_STYLE = """
body { font-family: system-ui, sans-serif; margin: 0; color: #1f2328; background: #fff; }
header, section > p { max-width: 70rem; margin: 0 auto; padding: 0.5rem 1rem; }
header p { margin: 0.3rem 0; line-height: 1.45; }
section > div { overflow-x: auto; }
[role=tablist] { display: flex; flex-wrap: wrap; gap: 0.3rem; margin-top: 0.7rem; }
[role=tab] { font: inherit; padding: 0.4rem 0.9rem; border: 1px solid #8c959f; border-radius: 0.4rem; background: #f6f8fa; }
[role=tab][aria-selected=true] { background: #1f2328; color: #fff; border-color: #1f2328; }
"""
_PROGRAM = """
(function () {
  var tabs = Array.prototype.slice.call(document.querySelectorAll("[role=tab]")), drawn = {};
  function open(at) {
    tabs.forEach(function (tab, i) {
      tab.setAttribute("aria-selected", String(i === at));
      document.getElementById("pane" + i).hidden = i !== at;
    });
    if (!drawn[at]) {
      drawn[at] = true;
      var data = JSON.parse(document.getElementById("data" + at).textContent);
      window.drawDashboard(data.dashboard, new Map(Object.entries(data.graphs)), "root" + at);
    }
  }
  tabs.forEach(function (tab, at) { tab.addEventListener("click", function () { open(at); }); });
  open(0);
})();
"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Drift between the tables</title>
<style>{style}</style>
<style>{own}</style>
</head>
<body>
<header>
<h1>Drift between the tables</h1>
<p>Drawn by Evidently from masked tables: labels that few people carry read “(rare)”, numbers are rounded until ten people share
each, dates are months, and rows stand in no order. So smallest and largest values, counts of different values and of duplicated
rows are those of the masked tables.</p>
<p>A score of 0.1 or more counts as drift. Small tables reach that by chance: the report gives each score's interval.</p>
<div role="tablist">{tabs}</div>
</header>
{panes}
<script>{library}</script>
<script>{program}</script>
</body>
</html>
"""
