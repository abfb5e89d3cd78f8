"""Set an alias on a version that passes the gate, look again after the write, and take the alias back when it no longer passes.

MLflow sets an alias without asking what it was, so between the verdict and the write anything may happen. Therefore:

    judge -> note on the version what the alias was before -> set it -> judge again, with a new clock -> strike the note out

The note, a tag `synthml.promoting.<alias>` = number of the version before, or `none`, is what a promotion that died leaves
behind. Whoever promotes this version again, under the same alias, goes on from it: a pass finishes the promotion, anything else
takes the alias back to what it was before. Nothing is decided from the note but where the alias goes back to.

Two promotions at once: the later write stands. The earlier one sees that and says so, and takes nothing back. When the later one
must go back, and finds that what it replaced was itself not finished, it goes back to what was before both.

Besides what the gate asks, the version must be what it says. Tags are copied with a version, and a version may be made by hand
that points anywhere. So it must point at a model and belong to the run that made it, and have no tag that gives another digest
than the model's files have.

Without a guard in the server all of this is advisory: whoever may write may set an alias (docs/threat-model.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.errors import EvidenceError, InputError
from synthml_tracking.client import address, load_mlflow, patience, tracking_uri_of, version_named
from synthml_tracking.gating import judge, recorded

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from securesystemslib.signer import Signer

    from synthml.attestation import Trust
    from synthml.policy import Policy, Verdict
    from synthml_tracking.gating import Judgement

__all__ = ["NOTE", "Promotion", "promote"]

NOTE = "synthml.promoting."
_NONE = "none"
_NUMBER = re.compile(r"[0-9]+")
_ALIAS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-]{0,199}")


@dataclass(frozen=True)
class Promotion:
    """True only when the alias stands on this version, and the version passed before and after it was set.

    verdict: the last that was taken. previous: the version that the alias stood on before, None for none. told: what was done.
    exit_code: 0 done; 3 when the evidence could not decide it, and nothing was set; 1 otherwise.
    """

    name: str
    number: str
    alias: str
    verdict: Verdict
    previous: str | None
    told: str
    exit_code: int

    def __bool__(self) -> bool:
        return self.exit_code == 0


def promote(
    model_uri: str,
    alias: str,
    policy: Policy | str | Path,
    *,
    trust: Trust | Path | str | None = None,
    signer: Signer | None = None,
    tracking_uri: str | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Promotion:
    """Gate a registered version and, when it passes, set the alias.

    model_uri: models:/NAME/1 or models:/NAME@alias. signer: signs the verdict. clock: gives the time of each of the two
    decisions; by default the clock's.

    Raises as `gate` does. When it raises after the alias was set, the alias may stand unchecked: run it again.
    """
    if not _ALIAS.fullmatch(alias):
        raise InputError(f"'{alias[:80]}' is no alias: expected letters, digits, `_` and `-`")
    from synthml import Policy as PolicyFile

    chosen = policy if isinstance(policy, PolicyFile) else PolicyFile.load(policy)
    uri = tracking_uri_of(tracking_uri)
    with address(uri):
        client = load_mlflow().MlflowClient(tracking_uri=uri)
        with patience("looking for the version"):
            name, number = _version(client, model_uri)
        attempt = _Attempt(client, uri, name, number, alias, chosen, trust, signer, clock)
        return attempt.run()


def _version(client: Any, model_uri: str) -> tuple[str, str]:
    named = version_named(client, model_uri)
    if named is None or not _NUMBER.fullmatch(named[1]):
        raise InputError(f"'{model_uri[:200]}' names no registered version: expected models:/NAME/1 or models:/NAME@alias")
    return named


@dataclass
class _Attempt:
    """One promotion."""

    client: Any
    uri: str
    name: str
    number: str
    alias: str
    policy: Policy
    trust: Trust | Path | str | None
    signer: Signer | None
    clock: Callable[[], datetime] | None

    def run(self) -> Promotion:
        with patience("reading the alias"):
            noted = self.noted(self.number)
            before = self.stands()
            unfinished = noted is not None and before == self.number
        try:
            first = self.judged(record=True)
        except EvidenceError:
            if unfinished:
                with patience(f"taking the alias '{self.alias}' back"):
                    self.restore(str(noted))
            raise
        doubt = self.doubt(first)
        previous = noted if unfinished else before or _NONE
        with patience(f"setting the alias '{self.alias}'"):
            if doubt or not first.verdict:
                why = doubt or f"the verdict is {first.verdict.outcome}"
                code = 3 if first.verdict.outcome == "insufficient" and not doubt else 1
                return self.refused(first.verdict, str(previous), why, taken=unfinished, known=noted, code=code)
            self.client.set_model_version_tag(self.name, self.number, NOTE + self.alias, str(previous))
            self.client.set_registered_model_alias(self.name, self.alias, self.number)
        return self.checked(first, str(previous))

    def checked(self, first: Judgement, previous: str) -> Promotion:
        """After the write: the same questions with a new clock."""
        try:
            second, why = self.judged(record=False), ""
        except EvidenceError as error:  # a document was changed or taken away since
            second, why = first, str(error)
        with patience(f"checking the alias '{self.alias}'"):
            now = self.stands()
            why = why or self.doubt(second) or self.changed(first, second)
            if now != self.number:
                self.strike()
                where = "was taken away" if now is None else f"was set to version {now}"
                return self.told(second.verdict, previous, f"the alias '{self.alias}' {where} by somebody else meanwhile")
            back = self.refused(second.verdict, previous, why, taken=True, known=previous) if why else None
            if back is None:
                self.strike()
        if back is None:
            return self.told(second.verdict, previous, f"the alias '{self.alias}' stands on version {self.number}", code=0)
        if not second.verdict:  # else the page would go on showing the pass
            recorded(second, signer=self.signer, tracking_uri=self.uri)
        return back

    def changed(self, first: Judgement, second: Judgement) -> str:
        if not second.verdict:
            against = [*second.verdict.failed, *second.verdict.open]
            return f"after the write the verdict is {second.verdict.outcome}: {against[0].id}, {against[0].found}"
        if first.gathered.found.model_id != second.gathered.found.model_id:
            return "after the write the version is another model"
        return ""

    def refused(self, verdict: Verdict, previous: str, why: str, *, taken: bool, known: str | None, code: int = 1) -> Promotion:
        """taken: the alias stands on this version because of a promotion that is not finished: it goes back."""
        if taken:
            back = self.restore(previous)
            return self.told(verdict, previous, f"{why}; the alias '{self.alias}' was {back}")
        if known is not None:
            self.strike()
        stands = self.stands() == self.number
        left = "still stands on this version, from before: take it away if nothing may serve it" if stands else "was not set"
        return self.told(verdict, previous, f"{why}; the alias '{self.alias}' {left}", code=code)

    def restore(self, previous: str) -> str:
        """Back to what was before; past versions whose own promotion was not finished, to what was before them."""
        seen = {self.number}
        while previous != _NONE and previous not in seen:
            seen.add(previous)
            further = self.noted(previous)
            if further is None:
                break
            previous = further
        if previous in (_NONE, self.number):
            self.client.delete_registered_model_alias(self.name, self.alias)
            self.strike()
            return "taken away again"
        self.client.set_registered_model_alias(self.name, self.alias, previous)
        self.strike()
        return f"set back to version {previous}"

    # ---- looking ----------------------------------------------------------------------------------------------------------

    def judged(self, *, record: bool) -> Judgement:
        return judge(
            f"models:/{self.name}/{self.number}",
            self.policy,
            trust=self.trust,
            signer=self.signer,
            record=record,
            tracking_uri=self.uri,
            now=None if self.clock is None else self.clock(),
        )

    def doubt(self, judged: Judgement) -> str:
        """Why this version is not what it says; empty when it is."""
        found = judged.gathered.found
        mine = next((one for one in found.versions if (one.name, one.number) == (self.name, self.number)), None)
        if mine is None:
            return "the version does not belong to the run that made its model: what is attached there is not about it"
        claimed = mine.tags.get("synthml.model_digest")
        if claimed is not None and claimed != found.digest:
            return f"the version's tags are about another model: they say {claimed[:19]}, its files are {found.digest[:19]}"
        return ""

    def stands(self) -> str | None:
        """The number of the version that the alias stands on."""
        found = self.client.get_registered_model(self.name).aliases.get(self.alias)
        return None if found is None else str(found)

    def noted(self, number: str) -> str | None:
        """What an unfinished promotion of a version noted as the version before it."""
        from mlflow.exceptions import MlflowException

        try:
            value = self.client.get_model_version(self.name, number).tags.get(NOTE + self.alias)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return _NONE if number != self.number else None  # it was deleted: nothing can go back to it
        if value is None:
            return None
        return value if _NUMBER.fullmatch(value) else _NONE

    def strike(self) -> None:
        """The promotion is over; striking out a note that is not there changes nothing."""
        if self.noted(self.number) is not None:
            self.client.delete_model_version_tag(self.name, self.number, NOTE + self.alias)

    def told(self, verdict: Verdict, previous: str, told: str, *, code: int = 1) -> Promotion:
        before = None if previous == _NONE else previous
        return Promotion(self.name, self.number, self.alias, verdict, before, told, code)
