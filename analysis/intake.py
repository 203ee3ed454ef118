"""Paths to a lake: every file found, claimed by one sensor, read, and written; nothing vanishes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import carriers, files, schema
from sensors.capture import SENSOR as CAPTURE
from sensors.reading.ahead import ahead
from sensors.sensor import Source, Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from analysis.lake import Lake, Manifest
    from sensors.sensor import Sensor

_NO_SENSOR: Final = (
    "no sensor knows this format; `molehunt sensors` lists those that are read, and a mapping file reads any "
    "JSON or CSV (--mapping)"
)


@dataclass(slots=True)
class Intake:
    """What one run read, and what it could not.

    Attributes:
        manifests: the sources in the lake that were given this time, and whether they were known.
        unread: all that could not be read of them, and files that nothing reads.
        context: files among the inputs that are context, not logs.
        empty: files without a byte; there was nothing to read, and that is said.
    """

    manifests: list[tuple[Manifest, bool]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    context: list[Path] = field(default_factory=list)
    empty: list[Source] = field(default_factory=list)


def found(
    paths: Sequence[Path], zone_for: Callable[[str], tzinfo | None], mappings: Sequence[Sensor] = ()
) -> Iterator[tuple[Source, Sensor] | Source | Unread]:
    """Every source under `paths` with the sensor that reads it, alone if it is empty, and what has none.

    Args:
        paths: files and folders.
        zone_for: the time zone that the user gave for a path, or None.
        mappings: sensors made of the user's mapping files; what they claim is theirs.
    """
    for path in files.walk(paths):
        if isinstance(path, Unread):
            yield path
            continue
        for source in files.sources(path, zone_for(str(path))):
            yield source if isinstance(source, Unread) or not source.head else claimed(source, mappings)


def captures(paths: Sequence[Path]) -> Iterator[Source]:
    """The captures among the sources under `paths`."""
    for path in files.walk(paths):
        if not isinstance(path, Unread):
            for source in files.sources(path, None):
                if isinstance(source, Source) and CAPTURE.sniff(source.head, source.name):
                    yield source


def claimed(source: Source, mappings: Sequence[Sensor]) -> tuple[Source, Sensor] | Unread:
    """The source with the one sensor that reads it; mappings of the user come first."""
    takers = [sensor for sensor in mappings if sensor.sniff(source.head, source.name)]
    failed: list[str] = []
    takers = takers or carriers.claims(source, failed)
    if len(takers) == 1:
        return source, takers[0]
    if not takers:
        sample = source.head[:120].decode("utf-8", "replace")
        reason = _NO_SENSOR
        if failed:
            reason += f"; {', '.join(failed)} failed at looking at it: please report this as a defect"
        return Unread(source.path, reason, sample=sample)
    names = " and ".join(sensor.name for sensor in takers)
    return Unread(source.path, f"{names} both take it for theirs; please report this as a defect")


def events(source: Source, sensor: Sensor) -> Iterator[pl.DataFrame]:
    """A source's events, typed, with where they come from; a sensor's own failure ends them and is named."""
    batches = sensor.read(source)
    while True:
        try:
            frame = next(batches)
            yield _complete(frame, source, sensor)
        except StopIteration:
            return
        # A defect in one sensor must not end an unattended night; Polars' own defects are no Exception.
        except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - see above
            source.lost(
                f"the {sensor.name} sensor failed here ({type(error).__name__}: {error}); what came before "
                "is kept; please report this as a defect"
            )
            return


def _complete(frame: pl.DataFrame, source: Source, sensor: Sensor) -> pl.DataFrame:
    given = frame.columns
    defaults = {
        "event.module": sensor.name,
        "log.file.path": source.path,
        "molehunt.source.sha256": source.sha256,
    }
    filled = frame.with_columns(
        (pl.col(name).fill_null(pl.lit(value)) if name in given else pl.lit(value)).alias(name)
        for name, value in defaults.items()
    )
    for needed in ("@timestamp", "event.dataset"):
        if needed not in given:
            raise KeyError(f"the sensor gave no {needed}")
    typed = schema.conform(filled)
    if "@timestamp" not in typed.columns:
        typed = typed.with_columns(pl.lit(None, schema.TIME).alias("@timestamp"))
    return typed


def _timed(source: Source, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The events that have a time; those whose time cannot be read are named: analysis cannot place them."""
    for frame in frames:
        timeless = frame.filter(pl.col("@timestamp").is_null())
        if timeless.height:
            first = timeless.row(0, named=True)
            source.lost(
                "the event has no time that can be read",
                line=first.get("log.file.line"),
                offset=first.get("log.offset"),
                frame=first.get("molehunt.frame.number"),
                count=timeless.height,
            )
        if timeless.height < frame.height:
            yield frame.filter(pl.col("@timestamp").is_not_null()) if timeless.height else frame


def read_into(
    lake: Lake,
    paths: Sequence[Path],
    zone_for: Callable[[str], tzinfo | None],
    *,
    is_context: Callable[[Path], bool],
    skip: Callable[[Path], bool],
    progress: Callable[[str], None],
    mappings: Sequence[Sensor] = (),
) -> Intake:
    """Read all of `paths` into the lake.

    Args:
        lake: taken for adding while this runs.
        paths: files and folders.
        zone_for: the time zone that the user gave for a path, or None.
        is_context: whether a file is a roster or the like, which is no log.
        skip: whether a file or a folder among the inputs is molehunt's own work.
        progress: told of each source before it is read.
        mappings: sensors made of the user's mapping files.
    """
    intake = Intake()
    with lake.writing():
        for path in files.walk(paths, skip):
            if isinstance(path, Unread):
                intake.unread.append(path)
            elif is_context(path):
                intake.context.append(path)
            else:
                for item in found([path], zone_for, mappings):
                    _take(item, lake, intake, progress)
    return intake


def _take(
    item: tuple[Source, Sensor] | Source | Unread, lake: Lake, intake: Intake, progress: Callable[[str], None]
) -> None:
    if isinstance(item, Unread):
        intake.unread.append(item)
        return
    if isinstance(item, Source):
        intake.empty.append(item)
        return
    source, sensor = item
    progress(source.path)
    reader = f"{sensor.name} {getattr(sensor, 'version', '')}".rstrip()  # another mapping reads anew
    known = lake.known(source, reader)
    manifest = known or lake.add(source, reader, _timed(source, ahead(events(source, sensor))))
    # The same bytes may have been read under another path; the report names what was given this time.
    intake.manifests.append((replace(manifest, path=source.path), known is not None))
    intake.unread += manifest.unread
