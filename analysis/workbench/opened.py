"""A lake as the commands of the workbench open it: with what is known besides, and for the days asked for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from analysis.context import Context
    from analysis.known import Known
    from analysis.lake import Batch, Lake

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_CONTEXT: Final = (
    click.option("--roster", type=_FILE, help="HR export as CSV, as `molehunt hunt` takes it."),
    click.option("--geo-city", type=_FILE, help="City database in MaxMind's format (.mmdb)."),
    click.option("--geo-asn", type=_FILE, help="ASN database in MaxMind's format (.mmdb)."),
    click.option("--site", type=_FILE, help="What you know of your own place, as TOML or JSON."),
)


def lake_options(*, required: bool = True) -> Callable[[Any], Any]:
    """The options `--lake`, `--roster`, `--geo-city`, `--geo-asn` and `--site`, for `open_lake`."""
    lake = click.option(
        "--lake",
        required=required,
        type=_FOLDER,
        metavar="DIR",
        help="The lake that a hunt left: OUT/lake, or what its --lake named.",
    )
    return _with(lake, *_CONTEXT)


def days_options(function: Any) -> Any:  # noqa: ANN401 - what click decorates has no better name
    """The options `--since` and `--until`, whose values make `Days`."""
    since = click.option(
        "--since", callback=_day, metavar="DATE", help="First day, as 2026-10-01 (UTC; default: all)."
    )
    until = click.option("--until", callback=_day, metavar="DATE", help="Last day, included.")
    return _with(since, until)(function)


def _with(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(function: Any) -> Any:  # noqa: ANN401 - as above
        for option in reversed(options):
            function = option(function)
        return function

    return apply


def _day(_ctx: click.Context, _param: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no day; write it as 2026-10-31") from error


@dataclass(frozen=True, slots=True)
class Days:
    """Days in UTC, both ends included; None is open. Events without a time are on no day."""

    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if self.since and self.until and self.since > self.until:
            raise click.UsageError(f"--since {self.since} is after --until {self.until}; swap them")

    def holds(self, day: str) -> bool:
        """Whether a part of the lake of this day (ISO 8601, or "undated") is among them."""
        if self.since is None and self.until is None:
            return True
        try:
            on = date.fromisoformat(day)
        except ValueError:
            return False
        return (self.since is None or self.since <= on) and (self.until is None or on <= self.until)

    def before(self, by: timedelta | None) -> Days | None:
        """The days before them that the time `by` touches, all if it is None; None where there are none."""
        if self.since is None or by == timedelta(0):
            return None
        first = None if by is None else (datetime(*self.since.timetuple()[:3], tzinfo=UTC) - by).date()
        return Days(first, self.since - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Opened:
    """A lake and its context."""

    lake: Lake
    context: Context

    def known(self) -> Known:
        """Who is who in it, from all of its days: a lease may be older than what it explains."""
        from analysis.known import Known  # noqa: PLC0415 - late, for speed

        with working(f"who is who in {self.lake.folder}"):
            return Known.of(self.lake, self.context)

    def rows(self, days: Days) -> dict[str, int]:
        """Events by dataset."""
        found: dict[str, int] = {}
        for manifest in self.lake.manifests:
            for part in manifest.parts:
                if days.holds(part.day):
                    found[part.dataset] = found.get(part.dataset, 0) + part.rows
        return dict(sorted(found.items()))

    def sensors(self) -> dict[str, list[str]]:
        """By dataset, the sensors that read its events."""
        found: dict[str, set[str]] = {}
        for manifest in self.lake.manifests:
            for part in manifest.parts:
                found.setdefault(part.dataset, set()).add(manifest.sensor)
        return {dataset: sorted(names) for dataset, names in sorted(found.items())}

    def dates(self, days: Days) -> tuple[date, date] | None:
        """The first and the last day: as asked for or, where that is open, as the lake has it; or None."""
        on = [part.day for manifest in self.lake.manifests for part in manifest.parts if days.holds(part.day)]
        dated = sorted({day for day in on if Days(date.min).holds(day)})
        first = days.since or (date.fromisoformat(dated[0]) if dated else None)
        last = days.until or (date.fromisoformat(dated[-1]) if dated else None)
        return None if first is None or last is None or first > last else (first, last)

    def filled(self, days: Days) -> int:
        """How many days have events: the logs of others may be missing."""
        on = {part.day for manifest in self.lake.manifests for part in manifest.parts}
        return sum(Days(date.min).holds(day) and days.holds(day) for day in on)

    def paths(self) -> frozenset[str]:
        """The logs that its events were read from."""
        return frozenset(manifest.path for manifest in self.lake.manifests)

    def note_on(self, days: Days) -> str:
        """What to tell of days on which it has nothing; "" if it has something."""
        whole = self.dates(Days())
        if self.rows(days):
            return ""
        return "No event of the lake lies on these days" + (
            f"; it has {whole[0]} to {whole[1]}" if whole else ""
        )

    def columns(self, days: Days) -> dict[str, set[str]]:
        """The columns that events of each dataset have, with those that context and attribution add."""
        from analysis.known import added  # noqa: PLC0415 - late, for speed

        found: dict[str, set[str]] = {}
        for manifest in self.lake.manifests:
            for part in manifest.parts:
                if days.holds(part.day):
                    found.setdefault(part.dataset, set()).update(part.columns)
        return {dataset: columns | added(columns, self.context) for dataset, columns in found.items()}

    def batches(
        self, days: Days, columns: Collection[str] | None = None, said: str = "looking at the lake"
    ) -> Iterator[Batch]:
        """Its events as they lie there, with a bar on a terminal's standard error.

        Args:
            days: read these alone.
            columns: read these alone; None for all.
            said: what is being done.
        """
        with working(said, sum(self.rows(days).values())) as done:
            for batch in self.lake.batches(columns=columns, days=days.holds):
                yield batch
                done(batch.frame.height)


def open_lake(
    lake: Path, *, roster: Path | None, geo_city: Path | None, geo_asn: Path | None, site: Path | None
) -> Opened:
    """What `lake_options` named.

    Raises:
        click.ClickException: it is no lake, or empty, or the context cannot be used.
    """
    from analysis.context import ContextError, load_context  # noqa: PLC0415 - late, for speed
    from analysis.lake import Lake, is_lake  # noqa: PLC0415 - late, for speed

    folder = lake if is_lake(lake) else lake / "lake"  # a hunt's OUT is taken as well
    if not is_lake(folder):
        raise click.ClickException(
            f"{lake}: there is no lake; give the folder `lake` of a hunt's --out, or what its --lake named"
        )
    try:
        context = load_context(roster, geo_city, geo_asn, site)
    except ContextError as error:
        raise click.ClickException(str(error)) from error
    opened = Opened(Lake(folder), context)
    if not opened.rows(Days()):
        raise click.ClickException(
            f"{folder}: the lake is empty; `molehunt hunt LOGS --lake {folder}` fills it"
        )
    return opened


@contextmanager
def working(said: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar, or a sign of life, on standard error if that is a terminal; yields what moves it on."""
    from rich.console import Console  # noqa: PLC0415 - late, for speed
    from rich.markup import escape  # noqa: PLC0415 - late, for speed
    from rich.progress import (  # noqa: PLC0415 - late, for speed
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from analysis.report.text import plain  # noqa: PLC0415 - late, for speed

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _rows: None
        return
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*(shown if total is not None else shown[:2]), console=console, transient=True) as bar:
        task = bar.add_task(escape(plain(said)), total=total)
        yield lambda rows: bar.advance(task, rows)
