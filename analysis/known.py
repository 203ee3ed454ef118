"""What a lake tells of its own events: whose they are, and what context adds to each.

known = Known.of(lake, context)          # one pass, over the few columns that say it
for batch in lake.batches():
    frame = known.add(batch.frame)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import identity as identities
from analysis.attribution import SAYS_HOLDERS, Attribution, leases
from analysis.context.geo import FIELDS
from analysis.detach import detached
from analysis.identity import NAMES
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Collection

    from analysis.context import Context
    from analysis.identity import Identity
    from analysis.lake import Lake

# What the first pass reads of each event, and what `add` reads.
EVIDENCE: Final = frozenset((*NAMES, *SAYS_HOLDERS))
READ: Final = EVIDENCE.union(FIELDS)
_MERGE_ROWS: Final = 100_000  # rows of distinct names that are held before they are merged


@dataclass(frozen=True, slots=True)
class Known:
    """Who is who, who held what when, and what is known besides the logs.

    Attributes:
        identity: names to accounts.
        attribution: addresses and computers to accounts; it counts what `add` attributed.
        context: roster, site and geography.
    """

    identity: Identity
    attribution: Attribution
    context: Context

    @classmethod
    def of(cls, lake: Lake, context: Context) -> Known:
        """Learn it from all events of a lake.

        Memory grows with distinct names, sessions, leases and logons, not with events.
        """
        names: list[pl.DataFrame] = []
        intervals: list[pl.DataFrame] = []
        merged = 0
        for batch in lake.batches(columns=EVIDENCE):
            names.append(detached(identities.names(batch.frame)))
            intervals.append(detached(leases(batch.frame)))
            if sum(part.height for part in names) > 2 * merged + _MERGE_ROWS:
                names = [identities.together(names)]
                merged = names[0].height
        identity = identities.resolve(names, context)
        return cls(identity, Attribution.build(intervals, identity, context), context)

    def add(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The events with their account and with what roster, site and geography add to it.

        Args:
            frame: events, with at least `@timestamp`.

        Returns:
            The same rows in the same order, with more columns.
        """
        return self.context.enrich(self.attribution.attach(self.identity.assign(frame)))


def added(columns: Collection[str], context: Context) -> set[str]:
    """The columns that `Known.add` gives to events with these columns; not all of them need have a value."""
    event = pl.DataFrame(schema={"@timestamp": TIME, "account": pl.String()})
    found = {"account", "account.kind", "account.basis", *context.enrich(event).columns} - {"@timestamp"}
    if "source.ip" not in columns:
        return found
    if context.site.networks():
        found.add("molehunt.source.network")
    if context.geo is not None:
        kinds = (("source.geo.", context.geo.has_city), ("source.as.", context.geo.has_asn))
        found |= {name for name in FIELDS for prefix, has in kinds if has and name.startswith(prefix)}
    return found
