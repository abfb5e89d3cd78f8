"""The ledger: statements about tables, and about models in the world, which belong to no single version.

Recalls and their lifts, derivations of tables, verdicts taken on a holdout, deployments. It is an experiment of stock MLflow,
named `synthml-ledger` (SYNTHML_LEDGER names another), in which each statement is a run that is made by one call, whole or not at
all, and is never changed afterwards. Writers need not know of each other. Its tags are described in `entries`.

So one request finds everything that was said about a digest, and needs no artifact. The table of tags has its key in front of its
index: the time does not depend on the number of runs.

Who counts. Anyone with write access can add a run here, so an entry is worth what its signature is worth, with one exception that
is meant: **a recall blocks whoever declared it**, verified or not, and is told as what it is. A forged recall can stop a
deployment; that is an outage, which a verified lift ends, and whoever can forge one could as well delete the model. A true recall
that did not count, because its key expired or its document was damaged, would let a withdrawn table serve patients. For the same
reason a run that was deleted in MLflow still counts until it is purged: what ends a recall is a lift, and a lift counts only with
a verified signature of a role that the trust file allows. An unverified derivation counts too: it can only add recalls and
contamination. What cannot be noticed is an entry that was purged, or whose tags were removed by hand.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synthml.errors import TrackingError
from synthml_tracking.client import address, experiment_ids, load_mlflow, paged, patience, tracking_uri_of
from synthml_tracking.entries import (
    DIGESTS,
    HOLDOUT,
    KIND,
    LOGGED,
    MATERIAL,
    MODEL,
    SUBJECT,
    Entry,
    entry_item,
    is_model_id,
    read_entry,
)
from synthml_tracking.items import short_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from synthml_tracking.items import LedgerItem

__all__ = ["LEDGER", "Ledger", "ledger_name", "open_ledger"]

LEDGER = "SYNTHML_LEDGER"
_NAME = "synthml-ledger"
_PAGE = 1000


def ledger_name(environment: Mapping[str, str] = os.environ) -> str:
    """The experiment's name."""
    return environment.get(LEDGER, "").strip() or _NAME


@contextmanager
def open_ledger(tracking_uri: str | None, what: str) -> Iterator[Ledger]:
    """The ledger of a store, with MLflow pointed at it. what: told when the store fails, as TrackingError."""
    uri = tracking_uri_of(tracking_uri)
    with address(uri), patience(what):
        yield Ledger(load_mlflow().MlflowClient(tracking_uri=uri))


class Ledger:
    """The ledger of a store. Reading one that does not exist finds nothing; writing makes it."""

    def __init__(self, client: Any, name: str | None = None) -> None:
        self.client, self.name = client, name or ledger_name()
        self._experiment: str | None = None
        self._looked = False

    def _place(self) -> str | None:
        """Id of the experiment, looked up once. Raises TrackingError when it was deleted: what it held is not known then."""
        if not self._looked:
            found = self.client.get_experiment_by_name(self.name)
            if found is not None and found.lifecycle_stage != "active":
                raise TrackingError(f"the ledger, experiment '{self.name}', was deleted: restore it in MLflow")
            self._experiment = None if found is None else str(found.experiment_id)
            self._looked = True
        return self._experiment

    def others(self) -> list[str]:
        """Ids of the experiments besides the ledger's, those that were not deleted."""
        from mlflow.entities import ViewType

        place = self._place()
        return [one for one in experiment_ids(self.client, ViewType.ACTIVE_ONLY) if one != place]

    def _made(self) -> str:
        from mlflow.exceptions import MlflowException

        if self._place() is None:
            try:
                self._experiment = str(self.client.create_experiment(self.name))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                self._looked = False
                self._place()
        return str(self._experiment)

    def append(self, raw: bytes, *, holdouts: Sequence[str] = ()) -> bool:
        """Write a document, unless the same was said before by the same signer. Returns whether it was written."""
        return self.write(entry_item(raw, holdouts=holdouts))

    def write(self, item: LedgerItem) -> bool:
        """Write an entry: one call makes it, whole; a second one only closes the run."""
        new = self._place() is None
        place = self._made()
        if not new and self._search(place, f"tags.`{item.once}` LIKE '%'", most=1):
            return False
        run = self.client.create_run(place, tags=dict(item.tags))
        self.client.set_terminated(run.info.run_id, status="FINISHED")
        return True

    def about(self, digest: str, *kinds: str) -> tuple[Entry, ...]:
        """Everything said of a digest as a subject: recalls, lifts, how it was made, where a model serves. One request.

        kinds: only these. The digest may be the full one or its first 32 hex.
        """
        return self._entries(f"tags.`{SUBJECT}{short_digest(digest)}` LIKE '%'", kinds)

    def made_from(self, digest: str) -> tuple[Entry, ...]:
        """Derivations, and releases, in which a table was a material. One request."""
        return self._entries(f"tags.`{MATERIAL}{short_digest(digest)}` LIKE '%'", ())

    def serving(self, model_id: str) -> tuple[Entry, ...]:
        """Deployments and retirements of a LoggedModel. One request; none for what is no id of one."""
        return self._entries(f"tags.`{LOGGED}{model_id}` LIKE '%'", ()) if is_model_id(model_id) else ()

    def all(self, kind: str) -> tuple[Entry, ...]:
        """Every entry of a kind; a request for each thousand."""
        return self._entries(f"tags.`{KIND}` = '{kind}'", ())

    def judged(self, holdout: str, *, besides: str, most: int) -> int:
        """How many other models a verdict was taken of on a holdout, counted up to `most`; signed or not, each model once.

        besides: digest of the model that is judged now. One request, whatever the number of verdicts.
        """
        place = self._place()
        if place is None:
            return 0
        told = f"tags.`{HOLDOUT}{short_digest(holdout)}` LIKE '%' AND tags.`{MODEL}` != '{short_digest(besides)}'"
        found: set[str] = set()
        for run in self._pages(place, told, at_once=min(_PAGE, most + 1)):
            found.add(str(run.data.tags.get(MODEL)))
            if len(found) >= most:
                break
        return len(found)

    def known_digests(self, prefix: str) -> set[str]:
        """Full digests in the ledger that begin with some hex. One request in most cases."""
        place = self._place()
        if place is None:
            return set()
        found = set()
        for run in self._search(place, f"tags.`{DIGESTS}` LIKE '%:{prefix}%'", most=_PAGE):
            told = str(run.data.tags.get(DIGESTS, "")).split()
            found |= {digest for digest in told if digest.partition(":")[2].startswith(prefix)}
        return found

    def _entries(self, told: str, kinds: Iterable[str]) -> tuple[Entry, ...]:
        place = self._place()
        if place is None:
            return ()
        wanted, found = set(kinds), dict[str, Entry]()
        for run in self._pages(place, told):
            entry = read_entry(run)
            if not wanted or entry.kind in wanted:
                found.setdefault(entry.identity, entry)
        return tuple(sorted(found.values(), key=lambda entry: entry.identity))

    def _pages(self, place: str, told: str, *, at_once: int = _PAGE) -> Iterator[Any]:
        return paged(self._search, place, told, most=at_once)

    def _search(self, place: str, told: str, *, most: int, page_token: str | None = None) -> Any:
        from mlflow.entities import ViewType

        return self.client.search_runs([place], told, ViewType.ALL, most, ["attributes.start_time ASC"], page_token)
