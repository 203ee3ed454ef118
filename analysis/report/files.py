"""The files of a report, each written aside and renamed: a reader never sees half of one."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TextIO

import orjson

from analysis.report import html
from analysis.report.document import write_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from analysis.finding import Finding
    from analysis.report.document import Report

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
NAMES: Final = ("report.json", "findings.ndjson", "accounts.csv", "unread.ndjson", "report.html")
COLUMNS: Final = (
    "rank",
    "account",
    "score",
    "identifiers",
    "categories",
    "first_seen",
    "last_seen",
    "why",
    "band",
    "kind",
)


def write(report: Report, folder: Path) -> None:
    """Write report.html, report.json, findings.ndjson, accounts.csv and unread.ndjson to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, render in zip(NAMES, (write_json, findings, accounts, unread, html.render), strict=True):
        aside = folder / f".{name}.part"
        with aside.open("w", encoding="utf-8", newline="") as out:
            render(report, out)
        aside.replace(folder / name)


def findings(report: Report, out: TextIO) -> None:
    """Renderer: one finding a line, the rule under `rule.id`."""
    out.writelines(
        orjson.dumps(_row(finding), option=orjson.OPT_UTC_Z).decode() + "\n" for finding in report.findings
    )


def _row(finding: Finding) -> dict[str, object]:
    row = asdict(finding)
    named = {"rule.id": row.pop("detection"), "rule.name": row.pop("title")}
    return {**named, **row, "level": finding.level.name.lower()}


def accounts(report: Report, out: TextIO) -> None:
    """Renderer: every account seen, ranked; no cell is a formula to a spreadsheet."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for account in report.accounts:
        writer.writerow(
            (
                account.rank,
                cell(account.account),
                f"{account.score:.1f}",
                cell(";".join(account.identifiers)),
                cell(";".join(account.categories)),
                account.first_seen.isoformat() if account.first_seen else "",
                account.last_seen.isoformat() if account.last_seen else "",
                cell(account.why),
                account.band,
                account.kind,
            )
        )


def cell(text: str) -> str:
    """Text that a spreadsheet takes for text: a formula gets an apostrophe (OWASP, "CSV Injection")."""
    return "'" + text if text.startswith(_FORMULA) else text


def unread(report: Report, out: TextIO) -> None:
    """Renderer: what could not be read, one thing a line."""
    out.writelines(orjson.dumps(asdict(each)).decode() + "\n" for each in report.unread)


def as_text(report: Report, render: Callable[[Report, TextIO], None]) -> str:
    """What a renderer writes, as one string."""
    out = io.StringIO()
    render(report, out)
    return out.getvalue()
