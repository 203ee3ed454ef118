"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from analysis.context import Site
    from sensors.mapped import Mapped


def _zone(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tzinfo | None:
    from sensors.reading.zones import zone  # noqa: PLC0415 - late, for speed

    if value is None:
        return None
    try:
        return zone(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
ZONE: Final = click.option(
    "--tz",
    "zone",
    metavar="ZONE",
    callback=_zone,
    help="Time zone of logs that do not say theirs: IANA name or +HH:MM (default: UTC, marked as a guess).",
)
MAPPING: Final = click.option(
    "--mapping",
    "mappings",
    multiple=True,
    type=FILE,
    help="YAML that says how to read a format of your own; may be repeated.",
)
SITE: Final = click.option("--site", type=FILE, help="What you know of your own place, as TOML or JSON.")


def site_of(path: Path | None) -> Site:
    """The site file that `--site` named, or an empty one; keys that are not known are named on stderr.

    Raises:
        click.ClickException: it cannot be used.
    """
    from analysis.context import ContextError, Site  # noqa: PLC0415 - late, for speed
    from analysis.context.site import load_site  # noqa: PLC0415 - late, for speed

    if path is None:
        return Site()
    try:
        site, notes = load_site(path)
    except ContextError as error:
        raise click.ClickException(str(error)) from error
    for note in notes:
        click.echo(note, err=True)
    return site


def mapped_by(paths: Iterable[Path]) -> list[Mapped]:
    """The sensors of the mapping files that `--mapping` named.

    Raises:
        click.ClickException: one of them cannot be used.
    """
    paths = dict.fromkeys(path.resolve() for path in paths)
    if not paths:
        return []
    from sensors.mapped import MappingError, mapped  # noqa: PLC0415 - late, for speed
    from sensors.sensor import sensors  # noqa: PLC0415 - late, for speed

    taken = {sensor.name: "a sensor of molehunt's own" for sensor in sensors()}
    found = []
    for path in paths:
        try:
            mapping = mapped(path)
        except MappingError as error:
            raise click.ClickException(str(error)) from error
        if mapping.name in taken:
            message = f"{path}: {mapping.name!r} is {taken[mapping.name]} already; choose another name"
            raise click.ClickException(message)
        taken[mapping.name] = f"the name of {path}"
        found.append(mapping)
    return found
