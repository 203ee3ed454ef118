"""The terminal's report: the few accounts worth a look, readable without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from analysis.report.document import Account, Report

_TOP: Final = 10
_MARK: Final = {"high": "!!!", "elevated": "!! ", "watch": "!  ", "none": "   "}
_STYLE: Final = {"high": "bold red", "elevated": "yellow", "watch": "cyan", "none": ""}


def plain(text: str) -> str:
    """Text from a log with what a terminal would obey (control, formatting) shown instead of sent."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def render(report: Report, out: TextIO) -> None:
    """Renderer: a ranked table of the accounts that have findings, and what was not read or not run."""
    console = Console(
        file=out, highlight=False, soft_wrap=not out.isatty(), width=None if out.isatty() else 110
    )
    ranked = [account for account in report.accounts if account.band != "none"]
    console.print(_table(ranked[:_TOP]) if ranked else "No account stands out.")
    if len(ranked) > _TOP:
        console.print(f"{len(ranked) - _TOP} more in accounts.csv and on the page.")
    console.print(_summary(report), markup=False)


def _table(accounts: list[Account]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading, justify in (
        ("#", "right"),
        ("score", "right"),
        ("", "left"),
        ("account", "left"),
        ("why", "left"),
    ):
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=heading != "why")  # type: ignore[arg-type] # rich's literal
    for account in accounts:
        band = Text(f"{_MARK[account.band]} {account.band}", style=_STYLE[account.band])
        table.add_row(
            str(account.rank),
            f"{account.score:.0f}",
            band,
            Text(plain(account.account)),
            Text(plain(account.why)),
        )
    return table


def _summary(report: Report) -> str:
    lines = [
        (
            f"{report.events:,} events from {len(report.sources)} sources, {len(report.accounts)} accounts, "
            f"{len(report.findings)} findings by {report.detections} detections."
        )
    ]
    if report.unread:
        lines.append(f"{len(report.unread)} things could not be read: see unread.ndjson.")
    if report.not_run:
        lines.append(f"{len(report.not_run)} detections did not run: the page says why.")
    if report.held_back:
        count = sum(each.count for each in report.held_back)
        lines.append(
            f"Filters held back {count:,} match{'es' if count != 1 else ''}: the page says which did."
        )
    return "\n" + "\n".join(lines)
