"""The command line. Everything heavy is imported by the command that needs it: `--help` is instant."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from analysis.options import FILE, MAPPING, SITE, ZONE, mapped_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo
    from typing import Any, NoReturn

    from analysis.hunt import Options
    from sensors.mapped import Mapped
    from sensors.sensor import Unread

DONE: Final = 0
FAILED: Final = 1
SOME_UNREAD: Final = 3

_EXISTING: Final = click.Path(exists=True, path_type=Path)
_FOLDER: Final = click.Path(file_okay=False, path_type=Path)


class _Late(click.Group):
    """A group whose sub-group `rules` is imported only when it is run; its help line stands here."""

    _LATE: Final = {
        "rules": ("analysis.workbench.commands:rules", "Write, check, test and ship detection rules.")
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self._LATE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._LATE:
            return click.Command(cmd_name, help=self._LATE[cmd_name][1])
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._LATE:
            return super().resolve_command(ctx, args)
        module, _, name = self._LATE[args[0]][0].partition(":")
        return args[0], getattr(import_module(module), name), args[1:]


def _with(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(function: Any) -> Any:  # noqa: ANN401 - what click decorates has no better name
        for option in reversed(options):
            function = option(function)
        return function

    return apply


_PATHS = click.argument("paths", nargs=-1, required=True, type=_EXISTING, metavar="PATH...")


@click.group(cls=_Late, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="molehunt")
def main() -> None:
    """Find accounts that look like an embedded worker, in the logs and captures you already have."""


@main.command()
@_with(
    _PATHS,
    click.option("--out", required=True, type=_FOLDER, help="Folder for the report; made if missing."),
    click.option("--roster", type=FILE, help="HR export as CSV: who works here, where and since when."),
    click.option("--geo-city", type=FILE, help="City database in MaxMind's format (.mmdb)."),
    click.option("--geo-asn", type=FILE, help="ASN database in MaxMind's format (.mmdb)."),
    SITE,
    click.option("--rules", "rules", multiple=True, type=_EXISTING, help="Further rules; may be repeated."),
    click.option("--no-bundled-rules", is_flag=True, help="Run only the rules given by --rules."),
    ZONE,
    MAPPING,
    click.option(
        "--lake", type=_FOLDER, help="Keep events in this folder and add to it (default: OUT/lake)."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the report as JSON instead of text."),
)
def hunt(
    paths: tuple[Path, ...],
    *,
    as_json: bool,
    zone: tzinfo | None,
    mappings: tuple[Path, ...],
    **given: Any,  # noqa: ANN401 - click's
) -> None:
    """Read logs and captures, and say which accounts look like an embedded worker, and why.

    PATHs are files, archives or folders. A roster.csv, a site file or .mmdb files among them are used as
    such. Writes report.html, report.json, findings.ndjson, accounts.csv and unread.ndjson to OUT.
    """
    from analysis.hunt import HuntError, Options, run  # noqa: PLC0415 - late, for speed

    options: Options = Options(paths=paths, zone=zone, mappings=tuple(mapped_by(mappings)), **given)
    try:
        report = run(options)
    except HuntError as error:
        raise click.ClickException(str(error)) from error
    from analysis.report import text  # noqa: PLC0415 - late, for speed

    if as_json:
        sys.stdout.buffer.write(report.to_json() + b"\n")
    else:
        text.render(report, sys.stdout)
    click.echo(f"The page: {options.out / 'report.html'}", err=as_json)
    sys.exit(SOME_UNREAD if report.unread else DONE)


@main.command()
@_with(
    _PATHS,
    ZONE,
    MAPPING,
    click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File to write (.parquet or .ndjson; default: NDJSON on standard output).",
    ),
    click.option("--explain", is_flag=True, help="Say of each file what reads it, and how well, instead."),
    click.option("--json", "as_json", is_flag=True, help="With --explain: a line of JSON for each file."),
)
def events(
    paths: tuple[Path, ...],
    *,
    zone: tzinfo | None,
    mappings: tuple[Path, ...],
    output: Path | None,
    explain: bool,
    as_json: bool,
) -> None:
    """Normalise logs and captures to ECS events, in input order."""
    mapped = mapped_by(mappings)
    if explain:
        _explain(paths, zone, mapped, as_json=as_json)
    from analysis import emit, intake  # noqa: PLC0415 - late, for speed
    from sensors.sensor import Source, Unread  # noqa: PLC0415 - late, for speed

    unread: list[Unread] = []

    def frames() -> Any:  # noqa: ANN401 - an iterator of frames; naming it would import polars
        for item in intake.found(paths, lambda _path: zone, mapped):
            if isinstance(item, Unread):
                unread.append(item)
            elif not isinstance(item, Source):
                yield from intake.events(*item)
                unread.extend(item[0].unread)

    if output is None:
        emit.ndjson(frames(), sys.stdout.buffer)
    else:
        try:
            emit.file(frames(), output)
        except OSError as error:
            raise click.ClickException(f"{output}: {error.strerror or error}") from error
    for each in unread:
        click.echo(_not_read(each), err=True)
    sys.exit(SOME_UNREAD if unread else DONE)


def _explain(
    paths: tuple[Path, ...], zone: tzinfo | None, mappings: list[Mapped], *, as_json: bool
) -> NoReturn:
    from analysis.understood import told, understood  # noqa: PLC0415 - late, for speed

    unread = 0
    for found in understood(paths, lambda _path: zone, mappings):
        told(found, sys.stdout, as_json=as_json)
        unread += found.unread
    sys.exit(SOME_UNREAD if unread else DONE)


def _not_read(what: Unread) -> str:
    from analysis.report.text import plain  # noqa: PLC0415 - late, for speed

    places = (("line", what.line), ("byte", what.offset), ("frame", what.frame))
    where = ", ".join(f"{name} {value}" for name, value in places if value is not None)
    begins = f" (begins {what.sample!r})" if what.sample else ""
    return plain(f"not read: {what.path}{f' {where}' if where else ''}: {what.reason}{begins}")


@main.command()
@_with(_PATHS, click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each capture."))
def flows(paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Show what CAPTUREs hold: the tools that speak, who sent what where, and who was named.

    Folders are searched for captures; other files are passed over.
    """
    from analysis.flows import shown  # noqa: PLC0415 - late, for speed
    from analysis.flows.text import told  # noqa: PLC0415 - late, for speed
    from analysis.intake import captures  # noqa: PLC0415 - late, for speed

    unread = seen = 0
    for source in captures(paths):
        found = shown(source)
        told(found, sys.stdout, as_json=as_json)
        unread += len(found.unread)
        seen += 1
    if not seen:
        raise click.ClickException("no capture (pcap, pcapng) is among them")
    sys.exit(SOME_UNREAD if unread else DONE)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def sensors(*, as_json: bool) -> None:
    """List the formats that are read, by sensor; a mapping file reads any other JSON or CSV.

    How a mapping file is written says sensors/mapped/README.md, with an example.
    """
    from analysis.formats import listed  # noqa: PLC0415 - late, for speed

    listed(sys.stdout, as_json=as_json)


@main.command()
@click.argument("report", type=FILE)
@click.option("--out", required=True, type=_FOLDER, help="Folder for the pages; made if missing.")
def report(report: Path, out: Path) -> None:
    """Draw the pages of an earlier REPORT (a report.json) again."""
    from analysis.report import files  # noqa: PLC0415 - late, for speed
    from analysis.report.document import Report  # noqa: PLC0415 - late, for speed

    try:
        files.write(Report.from_json(report.read_bytes()), out)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"The page: {out / 'report.html'}")
