r"""Logs inside logs: text lines that a shipper, a container or a relay wrote into records of its own.

Docker writes each line into an object (`{"log": "...\n", "stream": ..., "time": ...}`, its `json-file`
driver), container runtimes of Kubernetes put a time and a stream before it (CRI), Beats, Elastic Agent,
Logstash, Fluent Bit and Splunk carry it as `message`, `event.original` or `_raw` in JSON or CSV, and relays
put a syslog header of their own before it, also before JSON. None of this changes what the line says: the
lines are taken out, and the one sensor that knows them reads them.

Every event, and what is unread, has the offset and the line of the record that carried it: evidence is the
file as it is. An event whose own line has no time has the time of that record; if that is when a shipper read
the line (`@timestamp`), it stays marked as guessed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import polars as pl

from sensors import schema, sensor
from sensors.reading import delimited, framing, json_columns, json_table, syslog
from sensors.reading.losses import name_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, BinaryIO

    from sensors.sensor import Sensor, Source, Unread

    Frames = Iterator[pl.DataFrame]

_DEPTH: Final = 3  # Docker's lines of a relay's lines of JSON
# Where the text is, the most exact first: `event.original` is what came in, `message` may have been changed.
_NAMES: Final = (
    "_raw", "event.original", "log", "full_message", "message", "Message", "@message", "textPayload", "line",
    "MESSAGE",
)  # fmt: skip
_CRI: Final = (
    r"^(?P<time>2\d{3}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) (?P<tag>[FP])"
    r"[^ ]* (?P<said>.*)$"
)
_TIMES: Final = ("time", "_time", "timestamp")
_READ: Final = "@timestamp"
_CSV: Final = "field "
_YEAR: Final = 365 * 24  # hours
_ZONES_APART: Final = 48  # as far as a wrong zone and a leap day can put a clock wrong
_NEVER: Final = -(1 << 63)


@dataclass(frozen=True, slots=True)
class Carrier:
    """A way of carrying.

    Attributes:
        said: in words, for people.
        taken: the texts of a source: frames of `text` (with its line end), `log.offset`, `log.file.line`,
            `time` (of the record, may be null) and `read` (Boolean: `time` is only when a shipper read it);
            what carries nothing is named as unread.
        certain: whether what carries is told by its form; a syslog header may as well belong to the line.
    """

    said: str
    taken: Callable[[Source], Frames]
    certain: bool = True


class Carried:
    """A sensor of what is inside, reading what is outside."""

    def __init__(self, inside: Sensor, carrier: Carrier) -> None:
        self.name = inside.name
        self.inside = inside
        self.carrier = carrier
        self.last_resort = getattr(inside, "last_resort", False)

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether the texts in it are those of the sensor inside."""
        return self.inside.sniff(head, name)

    def read(self, source: Source) -> Frames:
        """The events of the lines inside, each where the record that carried it is."""
        places = _Places()
        inner = replace(
            source,
            disk=None,
            unread=[],
            opener=lambda: cast("BinaryIO", _Stream(self.carrier.taken(source), places)),
        )
        inner.head = _head(source, self.carrier)
        try:
            for frame in self.inside.read(inner):
                source.unread += map(places.found, inner.unread)
                inner.unread.clear()
                yield places.located(frame)
        finally:
            source.unread += map(places.found, inner.unread)


def claims(source: Source, failed: list[str] | None = None) -> list[Sensor]:
    """The sensors that take `source`, or the text that it carries; one, unless something is wrong.

    Text that is surely carried comes before what else a sensor sees in the source, unless that sensor reads
    such records `as_is`. A sensor of any text (`last_resort`) has what no other takes in any way.

    Args:
        source: of which the first bytes are looked at.
        failed: told of the sensors that could not even look at it.
    """
    outside = sensor.claims(source.head, source.name, failed)
    if any(getattr(each, "as_is", False) for each in outside):
        return outside
    inside = _inside(source, [each for each in CARRIERS if each.certain], failed, _DEPTH)
    if _own(inside):
        return inside
    if _own(outside):
        return outside
    inside = _inside(source, CARRIERS, failed, _DEPTH)
    return _own(inside) or outside or inside


def _inside(
    source: Source, carriers: Sequence[Carrier], failed: list[str] | None, depth: int
) -> list[Sensor]:
    """The sensors of what the first carrier gives that any of them takes, `last_resort` ones last."""
    last: list[Sensor] = []
    for carrier in carriers:
        head = _head(source, carrier)
        if not head.strip():
            continue
        takers = sensor.claims(head, source.name, failed)
        if depth > 1 and not _own(takers):
            takers = _own(_inside(replace(source, head=head), CARRIERS, failed, depth - 1)) or takers
        found: list[Sensor] = [Carried(each, carrier) for each in takers]
        if _own(found):
            return found
        last = last or found
    return last


def _own(takers: Sequence[Sensor]) -> list[Sensor]:
    """Those that do not take anything there is."""
    return [each for each in takers if not getattr(each, "last_resort", False)]


def _head(source: Source, carrier: Carrier) -> bytes:
    """The first bytes of what is carried in the first bytes of `source`; none if nothing is."""
    head = source.head
    whole = head[: head.rfind(b"\n") + 1] if len(head) >= sensor.HEAD_BYTES and b"\n" in head else head
    beginning = replace(source, head=whole, disk=None, unread=[], opener=lambda: io.BytesIO(whole))
    return cast("bytes", _Stream(carrier.taken(beginning), _Places()).read(sensor.HEAD_BYTES))


class _Stream(io.RawIOBase):
    """The texts of frames as one stream of bytes."""

    def __init__(self, frames: Frames, places: _Places) -> None:
        super().__init__()
        self._frames = frames
        self._places = places
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """It can be read, and nothing else."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # typeshed's Buffer is wider
        """Fill `buffer` as far as there is text; 0 at the end."""
        done = 0
        while done < len(buffer):
            if not self._ready:
                frame = next(self._frames, None)
                if frame is None:
                    break
                self._ready = memoryview(self._places.add(frame))
            count = min(len(buffer) - done, len(self._ready))
            buffer[done : done + count] = self._ready[:count]
            self._ready = self._ready[count:]
            done += count
        return done


class _Places:
    """Which record of the outside each byte and line of the inside was carried by.

    Bounded: events come in input order, so that what lies before the last frame is not asked for again.
    """

    def __init__(self) -> None:
        self._pieces: list[
            np.ndarray[Any, Any]
        ] = []  # rows: first byte, first line; outer offset, outer line
        self._byte = 0
        self._line = 1

    def add(self, frame: pl.DataFrame) -> bytes:
        """The texts of `frame`, whose places are now known."""
        lengths = frame["text"].str.len_bytes().to_numpy().astype(np.int64)
        lines = frame["text"].str.count_matches("\n", literal=True).to_numpy().astype(np.int64)
        piece = np.empty((6, frame.height), np.int64)
        piece[0] = self._byte + np.cumsum(lengths) - lengths
        piece[1] = self._line + np.cumsum(lines) - lines
        piece[2] = frame["log.offset"].to_numpy()
        piece[3] = frame["log.file.line"].to_numpy()
        piece[4] = frame["time"].cast(schema.TIME).cast(pl.Int64).fill_null(_NEVER).to_numpy()
        piece[5] = frame["read"].to_numpy()
        self._byte += int(lengths.sum())
        self._line += int(lines.sum())
        if frame.height:
            self._pieces.append(piece)
        return frame["text"].str.join("").item().encode() if frame.height else b""

    def located(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The same events, where the records are that carried them."""
        offsets = frame["log.offset"]
        known = offsets.drop_nulls()
        if not len(known) or not self._pieces:
            return frame
        first = int(cast("int", known.min()))
        while len(self._pieces) > 2 and self._pieces[2][0, 0] <= first:  # noqa: PLR2004 - one more is kept
            del self._pieces[0]
        table = np.concatenate(self._pieces, axis=1)
        rows = np.searchsorted(table[0], offsets.fill_null(first).to_numpy(), "right") - 1
        outer = table[2:, rows.clip(0)]
        there = offsets.is_not_null()
        placed = frame.with_columns(
            pl.when(there).then(pl.Series(outer[0])).alias("log.offset"),
            pl.when(there).then(pl.Series(outer[1])).alias("log.file.line"),
        )
        return _timed(placed, pl.Series(outer[2]), pl.Series(outer[3]) == 1)

    def found(self, lost: Unread) -> Unread:
        """What is unread, where the record is that carried it."""
        place = lost.offset if lost.offset is not None else lost.line
        if place is None or not self._pieces:
            return lost
        table = np.concatenate(self._pieces, axis=1)
        row = max(int(np.searchsorted(table[0 if lost.offset is not None else 1], place, "right")) - 1, 0)
        return replace(lost, offset=int(table[2, row]), line=int(table[3, row]))


def _timed(frame: pl.DataFrame, times: pl.Series, of_reading: pl.Series) -> pl.DataFrame:
    """The same events; a time guessed, wholly or in part, gives way to that of the record that carried it."""
    if "molehunt.guess" not in frame.columns:
        return frame
    guess = frame["molehunt.guess"]
    timeless = guess.list.contains("time").fill_null(value=False)
    partly = ~of_reading & (guess.list.set_intersection(pl.Series([["year", "zone"]])).list.len() > 0)
    # An old log that a container merely printed is not of the day on which it was printed.
    apart = (frame["@timestamp"] - times.cast(schema.TIME)).dt.total_hours().abs() % _YEAR
    partly &= (apart <= _ZONES_APART) | (apart >= _YEAR - _ZONES_APART)
    better = (timeless | partly.fill_null(value=False)) & (times != _NEVER)
    if not better.any():
        return frame
    said = times.cast(schema.TIME)
    shift = pl.when(better).then(pl.lit(said) - pl.col("@timestamp")).otherwise(pl.duration())
    others = guess.list.set_difference(pl.Series([["time", "year", "zone"]]))
    others = others.set(others.list.len() == 0, None)
    return frame.with_columns(
        *(
            (pl.col(name) + shift).cast(schema.TIME).alias(name)
            for name in ("@timestamp", "event.start", "event.end")
            if name in frame.columns
        ),
        pl.when(better & ~of_reading).then(others).otherwise(guess).alias("molehunt.guess"),
    )


def _in_json(source: Source) -> Frames:
    """The texts in JSON records, at the first of `_NAMES` that most of the first records have."""
    records = json_table.peek(source.head)
    held = [[name for name in _NAMES if isinstance(_at(record, name), str)] for record in records]
    names = [name for name in _NAMES if 2 * sum(name in each for each in held) > len(held)]
    if not names:
        return
    for frame in json_table.records(source):
        found = json_columns.chosen(*json_columns.spans(frame["text"]), [*names, *_TIMES, _READ])
        own = json_table.time(found, *_TIMES)
        told = found.select(
            said=pl.coalesce(names),
            time=pl.coalesce(own, json_table.time(found, _READ)),
            read=own.is_null(),
        )
        yield _ended(frame.hstack(told), source, parts=names[0] == "log")


def _at(record: dict[str, Any], name: str) -> object:
    """What is at a dotted name, whether its steps are objects or not."""
    inner: Any = record.get(name)
    for step in name.split(".") if inner is None and "." in name else ():
        record = record.get(step) if isinstance(record, dict) else None  # type: ignore[assignment]
        inner = record
    return inner


def _in_csv(source: Source) -> Frames:
    """The texts in one field of a CSV with a header."""
    rows = delimited.first_rows(source.head, ",", most=2)
    names = [name for name in _NAMES if rows and name in rows[0]]
    if not names or len(rows[0]) != len(set(rows[0])) or "log.offset" in rows[0]:
        return
    fields = [f"field {place}" for place in range(len(rows[0]))]
    header = True
    for frame in delimited.records(source):
        table = delimited.table(frame.slice(int(header)), fields, ",", source)
        header = False
        table = table.rename({field: _CSV + name for field, name in zip(fields, rows[0], strict=True)})
        said = pl.coalesce(_CSV + name for name in names)
        time = json_table.time(table, *(_CSV + name for name in _TIMES), _CSV + _READ)
        yield _ended(table.select(*delimited.PLACE, said=said, time=time, read=True), source)


def _in_cri(source: Source) -> Frames:
    """The texts after a container runtime's time, stream and tag."""
    if " std" not in framing.text_head(source.head[:200]):
        return
    for frame in framing.lines(source):
        parts = frame["text"].str.extract_groups(_CRI).struct.unnest()
        whole = pl.when(parts["tag"] == "P").then(parts["said"]).otherwise(parts["said"] + "\n")
        # A line that the runtime did not write, as of a file that was put together, is passed on as it is.
        whole = pl.coalesce(whole, pl.lit(frame["text"]) + "\n")
        told = parts.select(said=whole, time=json_table.time(parts, "time"), read=False)
        yield _ended(frame.hstack(told), source, parts=True)


def _relayed(source: Source) -> Frames:
    """What follows the time and the sender of a syslog header where a second header follows."""
    yield from _after_header(source, rf"^[^\s,<]+ *:? *<[0-9]{{1,3}}>|{syslog.RELAYED}")


def _after_header(source: Source, form: str = "") -> Frames:
    """What follows the time and the sender of a syslog header, if that is of a form."""
    first = True
    for frame in framing.lines(source):
        head = frame["text"].str.extract(syslog.HEAD, 1)
        rest = frame["text"].str.strip_prefix(head).str.strip_chars_start(" :")
        fits = head.str.contains(":" if form else ".") & rest.str.contains(form)
        if first and 4 * int(fits.sum()) <= 3 * frame.height:
            return
        first = False
        said = rest.str.extract(r"^\S+ +(.+)$", 1).alias("said")
        # A line that lacks the header, as a long one cut by a relay does, is passed on as it is.
        said = said.zip_with(said.is_not_null() & fits, frame["text"])
        yield _ended(frame.with_columns(said, time=_time_of(head), read=False), source)


def _time_of(head: pl.Series) -> pl.Expr:
    """The time of syslog headers that say year and zone; of others it is no better than a guess."""
    stamps = pl.DataFrame({"stamp": head.str.extract(r"(2\d{3}-\d\d-\d\dT\S+(?:Z|[+-]\d\d:\d\d)) ?$", 1)})
    return pl.lit(stamps.select(json_table.time(stamps, "stamp")).to_series())


def _after_program(source: Source) -> Frames:
    """What follows the program of a syslog header."""
    first = True
    for frame in syslog.records(source):
        told = frame["@timestamp"].is_not_null() | frame["priority"].is_not_null()
        if first and 2 * int(told.sum()) <= frame.height:
            return
        first = False
        said = pl.coalesce(pl.col("body").str.strip_prefix("@cee:").str.strip_chars_start(), "rest")
        told_of = syslog.fields(frame).with_columns(said=said, time="@timestamp", read=False)
        yield _ended(told_of, source)


def _ended(frame: pl.DataFrame, source: Source, *, parts: bool = False) -> pl.DataFrame:
    """The texts in `said`, each with its line end.

    Args:
        frame: `said`, `time`, `read`, `log.offset`, `log.file.line`, and `text` or `sample`; `said` is null
            where there is none.
        source: where rows without a text are named.
        parts: whether a text without a line end goes on in the next one, if any text has its own.
    """
    strange = frame["said"].is_null()
    if strange.any():
        name_lost(frame.filter(strange), "no text of a log in this record", source)
        frame = frame.filter(~strange)
    said = pl.col("said")
    if not (parts and frame["said"].str.ends_with("\n").any()):
        said = said.str.strip_chars_end("\r\n") + "\n"
    return frame.select(said.alias("text"), "log.offset", "log.file.line", "time", "read")


CARRIERS: Final[Sequence[Carrier]] = (
    Carrier("a field of JSON records", _in_json),
    Carrier("a field of a CSV", _in_csv),
    Carrier("the lines of a container runtime", _in_cri),
    Carrier("syslog that a relay passed on", _relayed, certain=False),
    Carrier("syslog, after the sender", _after_header, certain=False),
    Carrier("syslog, after the program", _after_program, certain=False),
)
