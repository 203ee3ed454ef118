"""`molehunt rules convert`: rules in the language of another system."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analysis.options import SITE, site_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.workbench.convert.asked import Failure

_FOLDER = click.Path(exists=True, path_type=Path)


def _option(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"{value!r} is no option of a backend; write it as name=value")
    return dict(value.split("=", 1) for value in values)


@click.command()
@click.argument("rules", nargs=-1, metavar="RULE...")
@click.option("-t", "--target", default="molehunt", metavar="TARGET", help="The language (default: SQL).")
@click.option("-p", "--pipeline", "pipelines", multiple=True, metavar="NAME", help="May be repeated.")
@click.option("--without-pipeline", is_flag=True, help="Where the target asks for one: convert without it.")
@click.option("-f", "--format", "form", default="default", metavar="FORMAT", help="Of the target's formats.")
@click.option(
    "-O", "options", multiple=True, callback=_option, metavar="NAME=VALUE", help="An option of the backend."
)
@click.option("--lake", type=_FOLDER, metavar="DIR", help="With the target molehunt: the lake that is asked.")
@click.option(
    "--rules", "library", multiple=True, metavar="DIR", type=_FOLDER, help="Rules that are counted."
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option("--list", "listed", is_flag=True, help="List the targets there are, and how to get others.")
@SITE
def command(  # noqa: PLR0913 - one an option
    *,
    rules: tuple[str, ...],
    target: str,
    pipelines: tuple[str, ...],
    form: str,
    options: dict[str, str],
    lake: Path | None,
    library: tuple[Path, ...],
    output: Path | None,
    site: Path | None,
    without_pipeline: bool,
    listed: bool,
) -> None:
    """Convert rules to the language of another system.

    RULEs are files or folders, or the ids or names of molehunt's own rules. Without --target they become SQL
    over a lake, for Polars and DuckDB alike; --list tells of other targets. What a correlation counts is
    looked up among the rules named, beside them, in --rules and in molehunt's own.

    Each rule that cannot be converted is named with the reason; the others are converted. Exit status 1 if
    there is one that cannot, 0 if not.
    """
    from analysis.workbench.convert import targets  # noqa: PLC0415 - late, for speed
    from analysis.workbench.convert.asked import read_rules  # noqa: PLC0415 - late, for speed
    from analysis.workbench.convert.conversion import convert  # noqa: PLC0415 - late, for speed
    from analysis.workbench.opened import working  # noqa: PLC0415 - late, for speed

    if listed:
        click.echo(targets.told())
        return
    if not rules:
        raise click.UsageError(
            "name the rules to convert: files, folders, ids or names; or --list the targets"
        )
    asked, failures = read_rules(rules, library)
    chosen = targets.Target(
        target,
        pipelines,
        {**options, **({"lake": str(lake)} if lake is not None else {})},
        site_of(site).placeholders,
        without_pipeline=without_pipeline,
    )
    with working(f"converting {len(asked.wanted):,} rules"):
        converted, refused = convert(asked, chosen, form)
    _write(converted, output)
    _tell([*failures, *refused], len(asked.wanted) - len(refused))


def _write(converted: bytes, output: Path | None) -> None:
    if not converted:
        return
    if output is None:
        sys.stdout.buffer.write(converted)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(converted)
    except OSError as error:
        raise click.ClickException(
            f"{output} cannot be written ({error.strerror}); name another file"
        ) from error


def _tell(failures: Iterable[Failure], converted: int) -> None:
    told = list(failures)
    for failure in told:
        click.echo(str(failure), err=True)
    if told:
        rules = "1 rule" if converted == 1 else f"{converted} rules"
        click.echo(f"converted: {rules}; not converted: {len(told)}", err=True)
        sys.exit(1)
