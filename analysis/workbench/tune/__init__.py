"""`molehunt rules tune`: a filter that removes named false hits, and the proof that no true one is lost."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import click

from analysis.workbench.opened import Days, Opened, days_options, lake_options, open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.lake import Lake
    from analysis.workbench.tune.proof import Owned
    from analysis.workbench.tune.tuned import Tuned

_EXISTING: Final = click.Path(exists=True, path_type=Path)
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def _places(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, int]]:
    found = []
    for value in values:
        path, _, line = value.rpartition(":")
        if not path or not (line.isascii() and line.isdigit()):
            raise click.BadParameter(f"{value!r} is no place; write FILE:LINE, such as auth.log:12")
        found.append((path, int(line)))
    return found


def _last_day(_ctx: click.Context, _param: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no day; write it as 2026-12-31") from error
    if day < datetime.now(UTC).date():
        raise click.BadParameter(f"{day} is over: the filter would never apply")
    return day


@click.command()
@click.argument("rule", metavar="RULE")
@lake_options(required=False)
@click.option("--events", multiple=True, type=_EXISTING, metavar="PATH", help="Logs, instead of a lake.")
@click.option(
    "--false", "false", multiple=True, callback=_places, metavar="FILE:LINE", help="A false hit; repeat it."
)
@click.option("--verdicts", type=_FILE, help="CSV: rule,account,file,line,verdict,by,note.")
@click.option("--rules", multiple=True, type=_EXISTING, metavar="DIR", help="Further rules and filters.")
@days_options
@click.option("--owner", help="Who answers for the filter.")
@click.option("--reason", help="Why these hits are harmless.")
@click.option("--expires", callback=_last_day, metavar="DATE", help="The last day on which it applies.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A new file for it.")
@click.option(
    "--broad", is_flag=True, help="Take a filter, too, that holds back most hits of accounts nobody judged."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the filter, the proof, the search.")
def command(  # noqa: PLR0913 - one an option
    *,
    rule: str,
    events: tuple[Path, ...],
    false: list[tuple[str, int]],
    verdicts: Path | None,
    rules: tuple[Path, ...],
    since: date | None,
    until: date | None,
    output: Path | None,
    owner: str | None,
    reason: str | None,
    expires: date | None,
    broad: bool,
    as_json: bool,
    **context: Path | None,
) -> None:
    """Propose a filter that removes false hits of a rule, and prove that no true one is lost.

    RULE is an id, a name or a file. What the false hits share is asked of all other hits, of those that a
    verdict calls true, and of the examples beside the rule. The smallest filter that fits all false hits and
    no true one is run, and printed as YAML; what it does is told on standard error: how many hits of how many
    accounts it holds back, too. A filter for an account or a department alone would hide whatever these
    people do, and is not proposed; nor, without --broad, one that holds back most of what nobody judged, of
    more accounts than were judged. Exit status 1 if there is none.
    """
    from analysis.workbench.tune.proof import Owned  # noqa: PLC0415 - late, for speed
    from analysis.workbench.tune.told import as_json as everything  # noqa: PLC0415 - late, for speed
    from analysis.workbench.tune.told import told  # noqa: PLC0415 - late, for speed

    if not false and verdicts is None:
        raise click.UsageError("name false hits: --false FILE:LINE, or --verdicts FILE")
    if output is not None and output.exists():
        raise click.ClickException(f"{output} is there already; give the name of a new file")
    owned = Owned(owner, reason, expires)
    with _opened(events, context) as opened:
        tuned = _tuned(rule, rules, opened, Days(since, until), false, verdicts, owned)
    if tuned.broad and not broad:
        tuned = replace(tuned, text="")
    if as_json:
        click.echo(json.dumps(everything(tuned), ensure_ascii=False))
    else:
        click.echo(told(tuned, owned), err=True)
    if tuned.text and output is not None:
        _write(output, tuned.text)
    elif tuned.text and not as_json:
        click.echo(tuned.text, nl=False)
    sys.exit(0 if tuned.proven else 1)


def _tuned(
    named: str,
    library: tuple[Path, ...],
    opened: Opened,
    days: Days,
    false: list[tuple[str, int]],
    verdicts: Path | None,
    owned: Owned,
) -> Tuned:
    import polars as pl  # noqa: PLC0415 - late, for speed

    from analysis.workbench.tune.parted import TuneError  # noqa: PLC0415 - late, for speed
    from analysis.workbench.tune.tuned import rule_to_tune, tune  # noqa: PLC0415 - late, for speed
    from analysis.workbench.verdicts import SCHEMA, read_verdicts  # noqa: PLC0415 - late, for speed

    said = pl.DataFrame(schema=SCHEMA) if verdicts is None else read_verdicts(verdicts)
    try:
        chosen, rule = rule_to_tune(named, library, opened.context.site.placeholders)
        return tune(chosen, rule, opened, days, false, said, owned)
    except TuneError as error:
        raise click.ClickException(str(error)) from error


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror or error}") from error
    click.echo(f"Written to {path}", err=True)


@contextmanager
def _opened(events: tuple[Path, ...], context: dict[str, Path | None]) -> Iterator[Opened]:
    """The lake that was named, or one of the logs that were, for as long as it is needed."""
    from analysis.lake import Lake  # noqa: PLC0415 - late, for speed

    lake = context.pop("lake")
    if (lake is None) == (not events):
        raise click.UsageError("give --lake DIR, or --events PATH")
    if lake is not None:
        yield open_lake(lake, **context)
        return
    with TemporaryDirectory(prefix="molehunt-tune-") as folder:
        _read(Lake(Path(folder)), events)
        yield open_lake(Path(folder), **context)


def _read(lake: Lake, events: tuple[Path, ...]) -> None:
    from analysis.intake import read_into  # noqa: PLC0415 - late, for speed
    from analysis.lake import is_lake  # noqa: PLC0415 - late, for speed

    read = read_into(
        lake,
        events,
        lambda _path: None,
        is_context=lambda _path: False,
        skip=is_lake,
        progress=lambda _path: None,
    )
    for unread in read.unread:
        click.echo(f"{unread.path}: not read: {unread.reason}", err=True)
