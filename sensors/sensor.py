"""What a sensor is, what it reads from, and how the one that fits a file is found."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime, tzinfo

    import polars as pl

HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read, and where it is.

    Attributes:
        path: the source's path, archive members after `!`.
        reason: one plain sentence, with what to do if anything can be done.
        line: 1-based line number, where the source has lines.
        offset: byte offset in the (decompressed) source.
        frame: 1-based packet number in a capture.
        sample: the first bytes of what was not read, as text, at most 200 characters.
        count: how many records this entry stands for.
    """

    path: str
    reason: str
    line: int | None = None
    offset: int | None = None
    frame: int | None = None
    sample: str = ""
    count: int = 1


def in_order(unread: Iterable[Unread]) -> list[Unread]:
    """What could not be read of one source, as it stands there; what has no place comes last.

    Blocks are read ahead of those that are in use, so that what is remembered first may stand last.
    """
    last = sys.maxsize
    return sorted(
        unread,
        key=lambda one: [last if at is None else at for at in (one.line, one.offset, one.frame)],
    )


@dataclass(slots=True)
class Source:
    """One log or capture to be read, from a file on disk or from inside an archive.

    Attributes:
        path: as given by the user; `folder/export.zip!okta/day1.json` inside an archive.
        name: last part of the path without the ending of its compression: `day1.json`.
        sha256: of the file on disk (of the archive, for a member): what a court would be handed.
        head: the first bytes, decompressed, at most `HEAD_BYTES`.
        zone: time zone of local times in it (`--tz` or the site file).
        modified: when the file was last written, UTC; stands in for a missing year.
        opener: opens the decompressed stream from its first byte.
        disk: where the content lies on disk as it is, if it does.
        zone_given: whether `zone` was said by the user, or is the default and so a guess.
        unread: what could not be read so far.
    """

    path: str
    name: str
    sha256: str
    head: bytes
    zone: tzinfo
    modified: datetime
    opener: Callable[[], BinaryIO]
    disk: Path | None = None
    zone_given: bool = False
    unread: list[Unread] = field(default_factory=list)

    def open(self) -> BinaryIO:
        """The decompressed content from its first byte; call it once."""
        return self.opener()

    @contextmanager
    def local(self) -> Iterator[Path]:
        """The decompressed content as a file on disk, for readers that must seek; a copy is removed after.

        Content that ends early is kept as far as it goes, and named in `unread`.
        """
        if self.disk is not None:
            yield self.disk
            return
        with tempfile.NamedTemporaryFile(prefix="molehunt-") as copy:
            with self.open() as stream:
                try:
                    shutil.copyfileobj(stream, copy, 1 << 20)
                except (OSError, EOFError) as error:
                    self.lost(f"the data ends early: {error}", offset=copy.tell())
            copy.flush()
            yield Path(copy.name)

    def lost(
        self,
        reason: str,
        *,
        line: int | None = None,
        offset: int | None = None,
        frame: int | None = None,
        sample: str | bytes = "",
        count: int = 1,
    ) -> None:
        """Remember that something in this source could not be read."""
        text = sample.decode("utf-8", "replace") if isinstance(sample, bytes) else sample
        self.unread.append(Unread(self.path, reason, line, offset, frame, text[:200], count))


class Sensor(Protocol):
    """One product's format.

    A sensor of a format that many products share may have `last_resort = True`: it then takes only what no
    other sensor takes. One whose records may carry the lines of other logs, and that reads them all the same,
    has `as_is = True` (see `sensors.carriers`).
    """

    name: str

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether content that begins with `head` is this product's; exactly one sensor may say so."""
        ...

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order, in bounded batches; columns are names of the schema."""
        ...


@cache
def sensors() -> tuple[Sensor, ...]:
    """Every sensor there is: modules of this package that define `SENSOR`, and entry points."""
    import sensors as package  # noqa: PLC0415 - the package is searched, not used

    found = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"sensors.{info.name}")
        if hasattr(module, "SENSOR"):
            found.append(cast("Sensor", module.SENSOR))
    found += [cast("Sensor", point.load()) for point in entry_points(group="molehunt.sensors")]
    return tuple(sorted(found, key=lambda sensor: sensor.name))


def claims(head: bytes, name: str, failed: list[str] | None = None) -> list[Sensor]:
    """The sensors that take content beginning with `head` for their own; one, unless something is wrong.

    Args:
        head: the first bytes, decompressed.
        name: of the file.
        failed: told of the sensors that could not even look at it: a defect of theirs is no one else's.
    """
    found = []
    for sensor in sensors():
        try:
            if sensor.sniff(head, name):
                found.append(sensor)
        except Exception as error:  # noqa: BLE001 - hostile content must not end an unattended night
            if failed is not None:
                failed.append(f"{sensor.name} ({type(error).__name__}: {error})")
    own = [sensor for sensor in found if not getattr(sensor, "last_resort", False)]
    return own or found
