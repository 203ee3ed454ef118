"""`molehunt rules new`: a rule to begin with."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from analysis.options import ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from analysis.sigma.taxonomy import Logsource

_LEVELS: Final = ("informational", "low", "medium", "high", "critical")
_CATEGORIES: Final = ("access", "remote-control", "exfiltration", "identity", "payment")
_SHAPES: Final = ("correlation", "anomaly")


def _template(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    from analysis.workbench.new.telling import templates  # noqa: PLC0415 - late, for speed

    if value is not None and value not in (*templates(), *_SHAPES):
        raise click.BadParameter(f"{value!r} is none; take one of {', '.join((*templates(), *_SHAPES))}")
    return value


@click.command()
@click.option(
    "--template",
    callback=_template,
    metavar="NAME",
    help="What to begin with: process, authentication, vpn, dns, tls, proxy, network_traffic, device, "
    "remote_session, repository, saas_file, file, registry, any; correlation or anomaly.",
)
@click.option("--from-event", "place", metavar="FILE:LINE", help="The event that the rule is to find.")
@ZONE
@click.option("--title", help="What was seen, in a few words.")
@click.option(
    "--level", type=click.Choice(_LEVELS), default="medium", show_default=True, help="How bad it is."
)
@click.option("--category", type=click.Choice(_CATEGORIES), help="What it is a sign of.")
@click.option("--author", help="Who writes it (default: git's user.name).")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, such as rules/x.yml; its examples go beside it (default: standard output).",
)
def command(
    template: str | None, place: str | None, zone: tzinfo | None, output: Path | None, **given: str | None
) -> None:
    """Write a rule to begin with, and its examples.

    It is made of an event: that at FILE:LINE of a log (or of a file of examples), or an example of the
    template. FILE:LINE is as findings quote it; of EVTX the record id, of a capture the frame, and
    FILE:LINE:N the N-th event of a line. What is written passes `molehunt rules check` and `test`.
    """
    if template is None and place is None:
        raise click.UsageError("give --template or --from-event: the rule is made of an event")
    from analysis.workbench.new.drafting import Wanted, draft  # noqa: PLC0415 - late, for speed

    event, near = _event(template, place, zone)
    wanted = Wanted(
        name=_name(output.stem if output else given["title"] or template or "new_rule"),
        source=_logsource(event, template),
        title=given["title"],
        category=given["category"],
        level=str(given["level"]),
        author=_git_user() if given["author"] is None else given["author"],
    )
    files = draft(event, near, str(template) if template in _SHAPES else "rule", wanted)
    if output is None:
        sys.stdout.write("---\n".join(text for name, text in files.items() if name.endswith(".yml")))
        return
    _write({output.parent / name: text for name, text in files.items()})
    for name in files:
        click.echo(str(output.parent / name))
    told = "take the names of people out of the examples before you share them, " if place else ""
    click.echo(
        f"next: {told}say what else could explain it, write events that come close to "
        f"{wanted.name}.nomatch.ndjson; then molehunt rules check, and test",
        err=True,
    )


def _event(
    template: str | None, place: str | None, zone: tzinfo | None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The event that the rule is made of, and what to change in it for one that must not match."""
    from analysis.workbench.new.telling import templates  # noqa: PLC0415 - late, for speed

    if place is None:
        begun = templates()[template if template not in (None, *_SHAPES) else "authentication"]
        return {"@timestamp": "2026-10-12T14:00:00Z", **begun["event"]}, begun["near"]
    from analysis.workbench.event import EventError, event_at  # noqa: PLC0415 - late, for speed

    try:
        return event_at(place, zone).row(0, named=True), None
    except EventError as error:
        raise click.ClickException(str(error)) from error


def _logsource(event: Mapping[str, Any], template: str | None) -> Logsource:
    """Where the rule looks: as the template says, if the event is of it, else the narrowest that fits."""
    from analysis.sigma.explain import true_of  # noqa: PLC0415 - late, for speed
    from analysis.sigma.taxonomy import Logsource, Taxonomy  # noqa: PLC0415 - late, for speed
    from analysis.workbench.new.telling import logsource_of, templates  # noqa: PLC0415 - late, for speed

    narrowest = logsource_of(event)
    if template in (None, *_SHAPES):
        return narrowest
    asked = Logsource(**templates()[str(template)]["logsource"])
    meant = Taxonomy().events(asked)
    if meant is None or not true_of(meant, event):
        raise click.ClickException(f"the event is not of {asked}, but of {narrowest}; leave --template out")
    return asked


def _name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "new_rule"


def _git_user() -> str:
    try:
        told = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return told.stdout.strip()


def _write(files: Mapping[Path, str]) -> None:
    """Write all files, or none where one of them is there already.

    Raises:
        click.ClickException: one is there, or cannot be written.
    """
    for path in files:
        if path.exists():
            raise click.ClickException(f"{path} is there already; nothing was written: give another -o")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
