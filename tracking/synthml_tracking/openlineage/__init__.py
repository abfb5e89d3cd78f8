"""OpenLineage: what a run did with which tables, told to whatever endpoint the OpenLineage client is configured for.

facets      the facets that events carry, standard ones and ours; `facets.json` is the schema of ours. Pure
events      the events of a recording, from the items that are logged. Pure
export      the events of a lineage graph. Pure
sending     the one module that knows the client: in the background, and never in the way

Only what MLflow is given goes into an event, so nothing leaves by this road that does not stand in the tracking store. A table
is named by its digest and a model by its id, so that all who speak of one thing mean the same node.
"""

from __future__ import annotations

from synthml_tracking.openlineage.export import exported
from synthml_tracking.openlineage.sending import ended, started

__all__ = ["ended", "exported", "started"]
