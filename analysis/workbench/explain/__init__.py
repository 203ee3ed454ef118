"""`molehunt rules explain`: why a rule matches an event, or how close it came."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from analysis.options import SITE, ZONE, site_of

if TYPE_CHECKING:
    from datetime import tzinfo


@click.command()
@click.argument("rule")
@click.option(
    "--event", "places", required=True, multiple=True, metavar="FILE:LINE", help="The event; may be repeated."
)
@click.option(
    "--rules",
    "library",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, path_type=Path),
    help="Where to look for RULE, and for filters, besides molehunt's own rules; may be repeated.",
)
@ZONE
@SITE
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule and event.")
def command(
    rule: str,
    places: tuple[str, ...],
    library: tuple[Path, ...],
    zone: tzinfo | None,
    site: Path | None,
    *,
    as_json: bool,
) -> None:
    """Explain why RULE matches an event, or how close it came.

    RULE is a file, or the id or the name of a rule. FILE:LINE is a place in a log, as findings quote it (of
    EVTX the record id, of a capture the frame; FILE:LINE:N is the N-th event of a line), or in a file of
    examples. Of a correlation it is said what it counts; of an anomaly rule, whether it is measured.

    Exit status 0 if the rule matches, 1 if it does not, 2 if there is no such rule or event.
    """
    from analysis.workbench.chosen import NoSuchRuleError, choose  # noqa: PLC0415 - late, for speed
    from analysis.workbench.explain.explaining import explained  # noqa: PLC0415 - late, for speed

    known = site_of(site)
    try:
        chosen = choose([rule], library, known.placeholders)
    except NoSuchRuleError as error:
        _stop(str(error))
    for wrong in chosen.errors:
        click.echo(str(wrong), err=True)
    if not chosen.detections:
        _stop(f"{rule}: there is no rule in it that can be loaded")
    events = [(place, _event(place, zone, site)) for place in places]
    matched = True
    for one in chosen.detections:
        for said in explained(one, chosen.pack, events):
            matched &= said.matched
            click.echo(json.dumps(said.as_json(), ensure_ascii=False) if as_json else said.text())
    sys.exit(0 if matched else 1)


def _event(place: str, zone: tzinfo | None, site: Path | None) -> dict[str, Any]:
    """The event, with what the site file adds to it."""
    from analysis.context import Context  # noqa: PLC0415 - late, for speed
    from analysis.workbench.event import EventError, event_at  # noqa: PLC0415 - late, for speed

    known = site_of(site)
    try:
        frame = event_at(place, zone or known.zone_for(place.rsplit(":", 1)[0]))
    except EventError as error:
        _stop(str(error))
    return Context(site=known).enrich(frame).row(0, named=True)


class _NothingToExplainError(click.ClickException):
    exit_code = 2


def _stop(message: str) -> NoReturn:
    raise _NothingToExplainError(message)
