"""The event at a place that a person typed: FILE:LINE."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson
import polars as pl

from analysis import intake
from analysis.workbench.examples import MATCH, NOMATCH, event_of, frame_of
from sensors.sensor import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from sensors.sensor import Sensor

_PLACE: Final = re.compile(r"(?P<file>.+?):(?P<line>[1-9]\d{0,17})(?::(?P<nth>[1-9]\d{0,8}))?")
_NUMBERS: Final = ("log.file.line", "winlog.record_id", "molehunt.frame.number")
_CALLED: Final = {_NUMBERS[0]: "line", _NUMBERS[1]: "record", _NUMBERS[2]: "frame"}


class EventError(Exception):
    """There is no event at the place that was given; the text says why, and what to do."""


def event_at(place: str, zone: tzinfo | None = None) -> pl.DataFrame:
    """The event at `place`, read as the hunt would read it, or as examples are where it is in ECS already.

    Args:
        place: `FILE:LINE`. LINE is the line at which the event begins (`log.file.line`), the record id of an
            EVTX file, or the frame of a capture. Where one line holds several events, `FILE:LINE:N` is the
            N-th. In an archive, FILE is `export.zip!okta/day1.json`, as findings quote it.
        zone: time zone of logs that do not say theirs; None means UTC.

    Returns:
        One row with the columns that have a value, `event.dataset` among them.

    Raises:
        EventError: there is none.
    """
    said = _PLACE.fullmatch(place)
    if said is None:
        raise EventError(f"{place!r} is no place; write FILE:LINE, such as auth.log:12")
    file, line = said["file"], int(said["line"])
    path = Path(file)
    if path.is_file():
        own = _written_in_ecs(path, line)
        if own is not None:
            return own
    found = _read(file, line, zone)
    if found.height > 1 and said["nth"] is None:
        raise EventError(
            f"{place} holds {found.height} events; say which one: {place}:1 to {place}:{found.height}"
        )
    nth = int(said["nth"] or 1)
    if nth > found.height:
        raise EventError(f"{file}:{line} holds no more than {found.height} events")
    row = found[nth - 1]
    return row[[series.name for series in row if series.null_count() == 0]]


def _written_in_ecs(path: Path, line: int) -> pl.DataFrame | None:
    """The event in that line if it is one of ours: an example, or what `molehunt events` printed."""
    with path.open("rb") as stream:
        text = next(islice(stream, line - 1, line), None)
    example = path.name.endswith((MATCH, NOMATCH))
    if text is None:
        if example:
            raise EventError(f"{path} has no line {line}")
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not example and not (isinstance(value, dict) and isinstance(value.get("event.dataset"), str)):
        return None
    event = event_of(text)
    if isinstance(event, str):
        raise EventError(f"{path}:{line}: {event}")
    if event.get("event.dataset") is None:
        raise EventError(f"{path}:{line}: the event has no event.dataset; say which log it is of")
    frame = frame_of([event])
    return frame[[series.name for series in frame if series.null_count() == 0]]


def _read(file: str, line: int, zone: tzinfo | None) -> pl.DataFrame:
    """The events at a line of the log that is meant, by the sensor that reads it."""
    disk = Path(file)
    cut = -1
    while not disk.is_file() and (cut := file.find("!", cut + 1)) >= 0:
        disk = Path(file[:cut])
    if not disk.is_file():
        missing = "is a folder; give a file in it" if disk.is_dir() else "is not there; check the path"
        raise EventError(f"{file} {missing}")
    others = []
    for item in intake.found([disk], lambda _path: zone):
        if isinstance(item, tuple):
            if item[0].path == file:
                return _at(*item, line)
            others.append(item[0].path)
        elif item.path == file:
            reason = "it is empty" if isinstance(item, Source) else item.reason
            raise EventError(f"{file} cannot be read: {reason}")
        else:
            others.append(item.path)
    names = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")  # noqa: PLR2004 - enough to see the form
    raise EventError(f"{file} is none of what {disk} holds; name one of them: {names}")


def _at(source: Source, sensor: Sensor, line: int) -> pl.DataFrame:
    before, after = 0, 0
    called = "line"
    for frame, kind, numbers in _numbered(source, sensor):
        found = frame.filter(numbers == line)
        if found.height:
            return found
        called = kind
        below, above = _end(numbers.filter(numbers < line).max()), _end(numbers.filter(numbers > line).min())
        before = max(before, below)
        after = min(after or above, above or after)
    for unread in source.unread:
        if line in (unread.line, unread.frame):
            raise EventError(f"{source.path}:{line} could not be read: {unread.reason}")
    beside = " and ".join(f"{called} {number}" for number in (before, after) if number)
    hint = f"; the nearest begin at {beside}" if beside else ""
    raise EventError(f"no event of {source.path} begins at {line}{hint}")


def _end(number: object) -> int:
    """The least or the greatest of some numbers; 0 if there is none."""
    return number if isinstance(number, int) else 0


def _numbered(source: Source, sensor: Sensor) -> Iterator[tuple[pl.DataFrame, str, pl.Series]]:
    """The events of a source in batches, with what their numbers are called and the numbers."""
    seen = 0
    for frame in intake.events(source, sensor):
        name = next((name for name in _NUMBERS if name in frame.columns), None)
        if sensor.name == "ecs" or name is None:  # its events keep their places in other files
            kind, numbers = "event", pl.Series(range(seen + 1, seen + frame.height + 1), dtype=pl.Int64)
        else:
            kind, numbers = _CALLED[name], frame[name].cast(pl.Int64, strict=False)
        yield frame, kind, numbers
        seen += frame.height
