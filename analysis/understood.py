"""How well files are understood: which sensor reads each, how much of it, and what it could not read."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, TextIO

import orjson

from analysis import intake
from analysis.formats import said_of
from analysis.report.text import plain
from sensors.schema import vendor_roots
from sensors.sensor import Source, Unread, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime, tzinfo
    from pathlib import Path

    import polars as pl

    from sensors.sensor import Sensor

_SHOWN: Final = 5
_WIDTH: Final = 96  # letters beside the names of the rows
_OWN: Final = ("log.", "molehunt.", "event.module", "event.dataset", "event.kind")


@dataclass(slots=True)
class Understood:
    """One source.

    Attributes:
        path: as given by the user, archive members after `!`.
        sensor: that reads it, and in its module's words what it reads; "" if none does, or none can.
        events: read of it.
        unread: records that could not be read.
        unknown: events of a kind that the sensor does not know; they are kept with their text.
        guessed: by what was guessed (a zone, a year), the events.
        first, last: the times of the events.
        datasets: events by `event.dataset`.
        fields: how many events have a value, by field; without those that every event has.
        never: fields that a mapping file speaks of, and that no event has.
        lost: what could not be read.
    """

    path: str
    sensor: str = ""
    reads: str = ""
    events: int = 0
    unread: int = 0
    unknown: int = 0
    guessed: dict[str, int] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None
    datasets: dict[str, int] = field(default_factory=dict)
    fields: dict[str, int] = field(default_factory=dict)
    never: list[str] = field(default_factory=list)
    lost: list[Unread] = field(default_factory=list)

    def add(self, frame: pl.DataFrame) -> None:
        """Count a batch of events."""
        self.events += frame.height
        times = frame["@timestamp"].drop_nulls().sort()
        if len(times):
            self.first = min(filter(None, (self.first, times[0])))
            self.last = max(filter(None, (self.last, times[-1])))
        for name, count in frame["event.dataset"].value_counts().iter_rows():
            self.datasets[name] = self.datasets.get(name, 0) + count
        for column in frame:
            if column.name != "@timestamp" and not column.name.startswith(_OWN):
                there = frame.height - column.null_count()
                self.fields[column.name] = self.fields.get(column.name, 0) + there
        self.unknown = self.fields.get("event.original", 0)
        if "molehunt.guess" in frame.columns:
            for name, count in frame["molehunt.guess"].explode().drop_nulls().value_counts().iter_rows():
                self.guessed[name] = self.guessed.get(name, 0) + count


def understood(
    paths: Sequence[Path], zone_for: Callable[[str], tzinfo | None], mappings: Sequence[Sensor]
) -> Iterable[Understood]:
    """Read every source under `paths`, and say how well that went."""
    for item in intake.found(paths, zone_for, mappings):
        if isinstance(item, Unread):
            yield Understood(item.path, unread=item.count, lost=[item])
        elif isinstance(item, Source):
            yield Understood(item.path, reads="an empty file")
        else:
            source, sensor = item
            found = Understood(source.path, sensor.name, said_of(sensor))
            for frame in intake.events(source, sensor):
                found.add(frame)
            may: frozenset[str] = getattr(sensor, "fields", frozenset())
            found.never = sorted(name for name in may if not found.fields.get(name))
            found.lost = in_order(source.unread)
            found.unread = sum(each.count for each in source.unread)
            yield found


def told(found: Understood, out: TextIO, *, as_json: bool) -> None:
    """Print it: a paragraph, or a line of JSON."""
    if as_json:
        out.write(orjson.dumps(_as_json(found), option=orjson.OPT_UTC_Z).decode() + "\n")
        return
    lines = [found.path]
    for name, text in _rows(found):
        wrapped = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
        lines += [f"  {'' if at else name:<9} {part}" for at, part in enumerate(wrapped)]
    lines += [f"            {_place(each)}{each.reason}{_sample(each)}" for each in found.lost[:_SHOWN]]
    if len(found.lost) > _SHOWN:
        lines.append(f"            and {len(found.lost) - _SHOWN:,} more")
    out.write("\n".join(plain(line) for line in lines) + "\n")


def _as_json(found: Understood) -> dict[str, Any]:
    return asdict(found) | {"lost": [asdict(each) for each in found.lost]}


def _rows(found: Understood) -> Iterable[tuple[str, str]]:
    yield "read by", f"{found.sensor}: {found.reads}" if found.sensor else found.reads or "no sensor"
    records = found.events + found.unread
    if found.events:
        share = f"{100 * found.events / records:.4g} % of {records:,} records"
        span = (
            f", {found.first:%Y-%m-%d %H:%M:%S} to {found.last:%Y-%m-%d %H:%M:%S} UTC" if found.first else ""
        )
        yield "events", f"{found.events:,}, {share}{span}"
        yield "datasets", ", ".join(f"{name} {count:,}" for name, count in sorted(found.datasets.items()))
    ours = sorted(name for name in found.fields if name.partition(".")[0] not in vendor_roots())
    every = [name for name in ours if found.fields[name] == found.events]
    some = [f"{name} {found.fields[name]:,}" for name in ours if 0 < found.fields[name] < found.events]
    yield "in all", ", ".join(every)
    yield "in some", ", ".join(some)
    yield "in none", ", ".join(found.never)
    yield (
        "unknown",
        f"{found.unknown:,} of a kind that is not known; kept with their text" if found.unknown else "",
    )
    yield "guessed", ", ".join(f"{name} of {count:,} events" for name, count in sorted(found.guessed.items()))
    yield "not read", f"{found.unread:,}:" if found.unread else ""


def _place(each: Unread) -> str:
    places = (("line", each.line), ("byte", each.offset), ("frame", each.frame))
    return next((f"{name} {value}: " for name, value in places if value is not None), "")


def _sample(each: Unread) -> str:
    return f" (begins {each.sample[:80]!r})" if each.sample else ""
