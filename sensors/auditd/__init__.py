"""Linux auditd's audit.log, raw and enriched, with or without `node=`.

Records after https://github.com/linux-audit/audit-documentation/wiki. Every record is an event; what the
other records of an audit event say of a system call (arguments, folder, file, address, title) stands in the
event of the system call as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.auditd.columns import mapped
from sensors.auditd.values import parsed
from sensors.reading import framing
from sensors.reading.losses import name_lost
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_RECORD: Final = (
    r"^(?:.{0,120}?\b)?(?:node=(?P<node>\S+) )?type=(?P<type>[A-Z0-9_]+(?:\[[0-9]+\])?) "
    r"msg=audit\((?P<second>[0-9]{9,11})\.(?P<milli>[0-9]{1,6}):(?P<sequence>[0-9]+)\): ?(?P<body>.*)$"
)
_LINE: Final = re.compile(r"^[^\"{]*?\btype=[A-Z0-9_]+(?:\[\d+\])? msg=audit\(\d{9,11}\.\d+:\d+\):")
_HELD: Final = 10_000  # records of one audit event at most
_SNIFFED: Final = 200


class Auditd:
    """The sensor."""

    name = "auditd"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the records say it all
        """Whether at least half of the lines are records of the audit system."""
        lines = [line for line in framing.text_head(head).split("\n")[:_SNIFFED] if line.strip()]
        told = sum(bool(_LINE.match(line[:400])) for line in lines)
        return bool(told) and 2 * told >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record, in input order."""
        held: pl.DataFrame | None = None
        for lines in framing.lines(source):
            frame = lines.hstack(lines["text"].str.extract_groups(_RECORD).struct.unnest())
            strange = frame["type"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "not a record of the audit system", source)
                frame = frame.filter(~strange)
            frame = frame if held is None else pl.concat([held, frame])
            if not frame.height:
                continue
            # The last audit event of a batch may go on in the next one.
            begins = int((frame["sequence"] == frame["sequence"][-1]).arg_true()[0])
            cut = begins if frame.height - begins <= _HELD else frame.height
            held, frame = frame.slice(cut), frame.head(cut)
            if frame.height:
                yield _events(frame)
        if held is not None and held.height:
            yield _events(held)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    return ecs.only(mapped(parsed(frame)).sort("log.offset"), "auditd")


SENSOR: Final = Auditd()
