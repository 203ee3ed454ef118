"""The lake: events as Parquet by dataset and day, and what of it is true.

    LAKE/events/<event.dataset>/<YYYY-MM-DD>/<sha256 of the source>-<member>-<reading>-<n>.parquet
    LAKE/sources/<sha256 of the source>-<member>.json      the manifest: what was read, and its parts

A part counts only if a manifest names it, and a manifest is renamed into place after all of its parts: a kill
at any moment leaves a source either wholly in the lake or not at all, and reading it again adds nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

import orjson
import polars as pl

from sensors.sensor import Unread, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from sensors.sensor import Source

# Raise it when a sensor reads the same bytes to other events: kept lakes then read their sources again.
READING: Final = 2
_FLUSH_ROWS: Final = 120_000
_FLUSH_BYTES: Final = 96 << 20
# Analysis adds columns and copies to a batch: memory goes with it, and an empty cell takes 16 bytes.
_BATCH_ROWS: Final = 100_000
_BATCH_CELLS: Final = 32_000_000
_UNDATED: Final = "undated"
_FOLDERS: Final = ("events", "sources", "staging")


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of the lake."""

    file: str
    dataset: str
    day: str
    rows: int
    columns: list[str]


@dataclass(slots=True)
class Manifest:
    """One source as the lake has it."""

    path: str
    sha256: str
    member: str
    sensor: str
    reading: str
    events: int = 0
    first: datetime | None = None
    last: datetime | None = None
    parts: list[Part] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one dataset, of one day or of a few."""

    dataset: str
    frame: pl.DataFrame


def is_lake(folder: Path) -> bool:
    """Whether a folder is a lake: what is in it was read already, from the logs themselves."""
    return (folder / "lock").is_file() and all((folder / name).is_dir() for name in _FOLDERS)


class Lake:
    """A folder of events. Reading needs no lock; adding takes the lake for itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._events, self._sources, self._staging = (folder / name for name in _FOLDERS)
        for each in (self._events, self._sources, self._staging):
            each.mkdir(parents=True, exist_ok=True)
        self._manifests = self._loaded()

    def _loaded(self) -> dict[str, Manifest]:
        return {path.stem: _load(path) for path in sorted(self._sources.glob("*.json"))}

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lake for adding; what an earlier run left behind half-done is swept away.

        Raises:
            BlockingIOError: another molehunt is adding to this lake.
        """
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another may have added to the lake since this object looked; what it added must not be swept.
            self._manifests = self._loaded()
            self._sweep()
            yield

    def known(self, source: Source, sensor: str) -> Manifest | None:
        """The manifest of a source that was read before in the same way."""
        manifest = self._manifests.get(_key(source))
        return manifest if manifest and manifest.reading == _reading(source, sensor) else None

    def add(self, source: Source, sensor: str, batches: Iterator[pl.DataFrame]) -> Manifest:
        """Write a source's events; it is in the lake when this returns, and not at all before.

        Args:
            source: what is read; what could not be read of it is kept in the manifest.
            sensor: name of the sensor that reads it.
            batches: its events, columns as the schema has them, `event.dataset` and `@timestamp` among them.
        """
        key, reading = _key(source), _reading(source, sensor)
        manifest = Manifest(source.path, source.sha256, _member(source), sensor, reading)
        staged = self._staging / key
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        for number, frame in enumerate(_gathered(batches)):
            self._stage(frame, f"{key}-{reading}-{number:05d}", staged, manifest)
        manifest.unread = in_order(source.unread)
        old = self._manifests.get(key)
        self._commit(manifest, key, staged)
        if old is not None:
            kept = {part.file for part in manifest.parts}
            for part in old.parts:
                if part.file not in kept:
                    (self._events / part.file).unlink(missing_ok=True)
        return manifest

    def _stage(self, frame: pl.DataFrame, stem: str, staged: Path, manifest: Manifest) -> None:
        times = frame["@timestamp"]
        first, last = cast("datetime | None", times.min()), cast("datetime | None", times.max())
        manifest.events += frame.height
        manifest.first = min(filter(None, (manifest.first, first)), default=None)
        manifest.last = max(filter(None, (manifest.last, last)), default=None)
        day = pl.col("@timestamp").dt.strftime("%Y-%m-%d").fill_null(_UNDATED)
        split = frame.with_columns(_day=day).partition_by(
            "event.dataset", "_day", maintain_order=True, include_key=True
        )
        for part in split:
            dataset, on = str(part["event.dataset"][0]), str(part["_day"][0])
            rows = part.drop("_day")
            rows = rows.select(
                name for name in rows.columns if name == "@timestamp" or rows[name].null_count() < rows.height
            )
            file = f"{_safe(dataset)}/{on}/{stem}.parquet"
            target = staged / file
            target.parent.mkdir(parents=True, exist_ok=True)
            rows.write_parquet(target, compression="zstd", compression_level=1, statistics=True)
            manifest.parts.append(Part(file, dataset, on, rows.height, rows.columns))

    def _commit(self, manifest: Manifest, key: str, staged: Path) -> None:
        for part in manifest.parts:
            final = self._events / part.file
            final.parent.mkdir(parents=True, exist_ok=True)
            _sync(staged / part.file)
            (staged / part.file).replace(final)
        aside = staged / "manifest.json"
        aside.write_bytes(orjson.dumps(asdict(manifest), option=orjson.OPT_UTC_Z))
        _sync(aside)
        aside.replace(self._sources / f"{key}.json")
        self._manifests[key] = manifest
        shutil.rmtree(staged, ignore_errors=True)

    def _sweep(self) -> None:
        for left in self._staging.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        named = {part.file for manifest in self._manifests.values() for part in manifest.parts}
        for path in self._events.rglob("*.parquet"):
            if str(path.relative_to(self._events)) not in named:
                path.unlink()

    @property
    def manifests(self) -> list[Manifest]:
        """Every source in the lake."""
        return list(self._manifests.values())

    def only(self, manifests: Iterable[Manifest]) -> None:
        """From now on this object reads these sources alone; nothing is taken out of the folder."""
        keys = {(each.sha256, each.member) for each in manifests}
        self._manifests = {
            key: each for key, each in self._manifests.items() if (each.sha256, each.member) in keys
        }

    def columns(self) -> dict[str, set[str]]:
        """The columns that each dataset has anywhere."""
        found: dict[str, set[str]] = {}
        for manifest in self._manifests.values():
            for part in manifest.parts:
                found.setdefault(part.dataset, set()).update(part.columns)
        return found

    def rows(self) -> dict[str, int]:
        """Events by dataset."""
        found: dict[str, int] = {}
        for manifest in self._manifests.values():
            for part in manifest.parts:
                found[part.dataset] = found.get(part.dataset, 0) + part.rows
        return dict(sorted(found.items()))

    def batches(
        self,
        rows: int = _BATCH_ROWS,
        *,
        columns: Collection[str] | None = None,
        days: Callable[[str], bool] | None = None,
    ) -> Iterator[Batch]:
        """All events, dataset by dataset and day by day, in frames of `rows` rows at most.

        Args:
            rows: the most that a frame has.
            columns: read these alone, and `@timestamp`; None for all. A frame has those that its events have.
            days: read the days (as `Part.day` has them) for which this is true; None for all.
        """
        parts = sorted(
            (
                part
                for manifest in self._manifests.values()
                for part in manifest.parts
                if days is None or days(part.day)
            ),
            key=lambda part: (part.dataset, part.day, part.file),
        )
        held: list[Part] = []
        names: set[str] = set()
        count = 0
        for part in parts:
            wanted = set(part.columns if columns is None else _wanted(part, columns))
            wider = names | wanted
            if held and (count + part.rows > _height(rows, wider) or part.dataset != held[0].dataset):
                yield from self._batches(held, _height(rows, names), columns)
                held, wider, count = [], wanted, 0
            held.append(part)
            names = wider
            count += part.rows
        if held:
            yield from self._batches(held, _height(rows, names), columns)

    def _batches(self, parts: list[Part], rows: int, columns: Collection[str] | None) -> Iterator[Batch]:
        frames = [self._part(part, columns) for part in parts]
        pieces = list(pl.concat(frames, how="diagonal").iter_slices(rows))
        frames.clear()
        while pieces:  # what was yielded is not held
            yield Batch(parts[0].dataset, pieces.pop(0))

    def _part(self, part: Part, columns: Collection[str] | None) -> pl.DataFrame:
        wanted = None if columns is None else _wanted(part, columns)
        return pl.read_parquet(self._events / part.file, columns=wanted, hive_partitioning=False)


def _wanted(part: Part, columns: Collection[str]) -> list[str]:
    return [name for name in part.columns if name in columns or name == "@timestamp"]


def _height(rows: int, names: Collection[str]) -> int:
    """The most rows of a frame with the columns `names`."""
    return max(1, min(rows, _BATCH_CELLS // max(1, len(names))))


def _gathered(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Small batches together, so that parts are few; memory stays within the flush limits."""
    held: list[pl.DataFrame] = []
    rows = size = 0
    for frame in batches:
        if not frame.height:
            continue
        held.append(frame)
        rows, size = rows + frame.height, size + int(frame.estimated_size())
        if rows >= _FLUSH_ROWS or size >= _FLUSH_BYTES:
            yield pl.concat(held, how="diagonal")
            held, rows, size = [], 0, 0
    if held:
        yield pl.concat(held, how="diagonal")


def _member(source: Source) -> str:
    return source.path.partition("!")[2]


def _key(source: Source) -> str:
    return f"{source.sha256}-{hashlib.sha256(_member(source).encode()).hexdigest()[:8]}"


def _reading(source: Source, sensor: str) -> str:
    """What else decides the events that a sensor makes of the same bytes."""
    day = source.modified.date().isoformat()  # stands in for a missing year
    how = f"{READING}\0{sensor}\0{source.zone}\0{source.zone_given}\0{day}"
    return hashlib.sha256(how.encode()).hexdigest()[:8]


def _safe(dataset: str) -> str:
    """A dataset's name as a folder's: a sensor fed from a file may have taken it from there."""
    clean = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in dataset)[:80]
    return clean.lstrip(".") or "_"


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _load(path: Path) -> Manifest:
    raw = orjson.loads(path.read_bytes())
    raw["parts"] = [Part(**part) for part in raw["parts"]]
    raw["unread"] = [Unread(**each) for each in raw["unread"]]
    for end in ("first", "last"):
        raw[end] = datetime.fromisoformat(raw[end]) if raw[end] else None
    return Manifest(**raw)
