"""`molehunt rules match`: rules against JSON lines as they are."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from analysis.options import SITE, site_of
from analysis.workbench.opened import working

if TYPE_CHECKING:
    import polars as pl

    from analysis.sigma.pack import RulePack
    from sensors.sensor import Source

_BAD_RULE: Final = 1
_SOME_UNREAD: Final = 3


@click.command()
@click.argument(
    "rules", nargs=-1, required=True, metavar="RULE...", type=click.Path(exists=True, path_type=Path)
)
@click.option(
    "--events",
    required=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Events, a JSON object a line; also compressed (.gz, .zst); - is standard input.",
)
@click.option(
    "--time-field",
    metavar="FIELD",
    help="Where events say their time, for correlations (default: @timestamp, else what looks like it).",
)
@SITE
def command(rules: tuple[Path, ...], events: Path, time_field: str | None, site: Path | None) -> None:
    """Match rules against JSON lines as they are.

    RULEs are files or folders. Their fields are the events' own names, nested ones with dots (`actor.id`);
    nothing is mapped, and a rule's logsource is not asked for. For each rule and event that match, one line
    is printed, `{"rule.id": "…", "event": 3}` with the number of the event's line, in order of event and
    rule; of a correlation, for each event at which its condition holds. A rule that only serves others
    prints nothing.

    Exit status 1 if a rule cannot be loaded, 3 if a line of FILE is no event.
    """
    from analysis.sigma.pack import RulePack  # noqa: PLC0415 - late, for speed
    from analysis.workbench.match.as_written import Names  # noqa: PLC0415 - late, for speed
    from analysis.workbench.match.moments import CANDIDATES  # noqa: PLC0415 - late, for speed
    from analysis.workbench.match.numbered import numbered  # noqa: PLC0415 - late, for speed

    pack = RulePack.load(rules, taxonomy=Names(), placeholders=site_of(site).placeholders)
    for error in (*pack.errors, *pack.notes):
        click.echo(str(error), err=True)
    for _, path in pack.anomalies:
        click.echo(f"{path}: an anomaly rule learns from weeks of events; try it by rules backtest", err=True)
    source = _source(events)
    # On a terminal the matches themselves are the sign of life.
    with nullcontext() if sys.stdout.isatty() else working(f"matching {events}"):
        for matches in numbered(pack, source, (time_field,) if time_field else CANDIDATES):
            sys.stdout.buffer.write(_lines(matches, pack))
    for unread in source.unread:
        place = "" if unread.line is None else f":{unread.line}"
        begins = f" (begins {unread.sample[:60]!r})" if unread.sample else ""
        more = f" ({unread.count} of them from here on)" if unread.count > 1 else ""
        click.echo(f"{unread.path}{place}: {unread.reason}{begins}{more}", err=True)
    lost = pack.anomalies or any(not error.harmless for error in pack.errors)
    sys.exit(_BAD_RULE if lost else _SOME_UNREAD if source.unread else 0)


def _source(path: Path) -> Source:
    """The file, unpacked if it is compressed, or standard input.

    Raises:
        click.ClickException: it cannot be read, or is an archive of several files.
    """
    from sensors.files import sources  # noqa: PLC0415 - late, for speed
    from sensors.sensor import Source  # noqa: PLC0415 - late, for speed

    if str(path) == "-":
        now = datetime.now(UTC)
        return Source("standard input", "-", "", b"", UTC, now, lambda: sys.stdin.buffer)
    found = list(sources(path))
    if len(found) != 1:
        raise click.ClickException(f"{path} holds {len(found)} files; give one file of JSON lines")
    if not isinstance(found[0], Source):
        raise click.ClickException(f"{path}: {found[0].reason}")
    return found[0]


def _lines(matches: pl.DataFrame, pack: RulePack) -> bytes:
    import polars as pl  # noqa: PLC0415 - late, for speed

    if matches.is_empty():
        return b""
    begins = pl.Series(
        [f'{{"rule.id": {json.dumps(one.id)}, "event": ' for one in (*pack.rules, *pack.correlations)]
    )
    lines = begins.gather(matches["rule"]) + matches["event"].cast(pl.String)
    return str((lines + "}\n").str.join().item()).encode()
