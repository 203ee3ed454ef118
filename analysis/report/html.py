"""The page: one self-contained file without a script, whose policy forbids the browser to fetch anything."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final, TextIO

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.finding import CATEGORIES
from analysis.report import picture
from analysis.report.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.finding import Evidence, Finding
    from analysis.report.document import Account, Report

CATEGORY_NAMES: Final = {
    "access": "Access",
    "remote_control": "Remote control",
    "exfiltration": "Data out",
    "identity": "Identity",
    "payment": "Payment",
}
_DASH: Final = "\N{EN DASH}"
BANDS: Final = {"high": "▲▲▲", "elevated": "▲▲", "watch": "▲", "none": ""}
_DETAILED: Final = 60  # accounts with a section of their own; the rest stand in the table and in report.json


def render(report: Report, out: TextIO) -> None:
    """Renderer: the whole page."""
    found = [account for account in report.accounts if account.findings]
    ranked = [account for account in found if account.band != "none"]
    template = _environment().get_template("report.html.j2")
    out.writelines(
        template.generate(
            report=report,
            detailed=ranked[:_DETAILED],
            brief=ranked[_DETAILED:],
            weak=[account for account in found if account.band == "none"],
            quiet=[account for account in report.accounts if not account.findings],
            unattributed=[finding for finding in report.findings if not finding.account],
            band_counts={
                band: sum(account.band == band for account in report.accounts)
                for band in BANDS
                if band != "none"
            },
            categories=CATEGORY_NAMES,
            bands=BANDS,
        )
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("analysis.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(plain=plain, when=when, day=day, size=size, where=where, short=short, named=_named)
    made.globals.update(
        timeline=picture.timeline,
        clock=picture.clock,
        outbound_bars=picture.outbound,
        findings_of=findings_of,
    )
    return made


def findings_of(report: Report, account: Account) -> list[Finding]:
    """The account's findings: the gravest and surest first, then by time."""
    own = (report.findings[index] for index in account.findings)
    return sorted(own, key=lambda each: (-each.level * each.confidence, each.first_seen))


def when(moment: datetime | None) -> str:
    """A moment in UTC, to the second, or a dash."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") + " UTC" if moment else _DASH


def day(moment: datetime | None) -> str:
    """A day as people write it: 3 Nov 2026."""
    return f"{moment.day} {moment:%b %Y}" if moment else _DASH


def size(count: float) -> str:
    """Bytes in the largest unit that leaves one digit or more before the point (powers of 1,024)."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004 - what the docstring says
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def where(evidence: Evidence) -> str:
    """The place in the raw file: line, record or frame, and the byte where it begins."""
    places = (
        ("line", evidence.line),
        ("record", evidence.record),
        ("frame", evidence.frame),
        ("byte", evidence.offset),
    )
    return ", ".join(f"{word} {value}" for word, value in places if value is not None)


def short(digest: str) -> str:
    """A digest's first characters; the page shows the whole beside the source."""
    return digest[:12]


def _named(categories: Iterable[str]) -> list[str]:
    given = set(categories)
    return [CATEGORY_NAMES[each] for each in CATEGORIES if each in given]
