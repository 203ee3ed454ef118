"""What a capture shows, on the terminal or as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.report.text import plain

if TYPE_CHECKING:
    import polars as pl

    from analysis.flows import Shown

_ROWS: Final = 15  # of each table; JSON has all
_PIPED: Final = 150  # letters of a line that goes to no terminal
_STEP: Final = 1024


def told(found: Shown, out: TextIO, *, as_json: bool) -> None:
    """Print what one capture shows."""
    if as_json:
        out.write(orjson.dumps(_as_json(found), option=orjson.OPT_UTC_Z, default=str).decode() + "\n")
        return
    console = Console(file=out, highlight=False, width=None if out.isatty() else _PIPED)
    for line in _about(found):
        console.print(line, soft_wrap=True)
    talks = found.talks
    senders = talks.sort("sent", descending=True, maintain_order=True) if talks.height else talks
    tables = (
        ("Tools", found.tools, _TOOLS),
        ("Most sent", senders, _TALKS),
        ("Most talk", talks, _TALKS),
        ("Who was named", found.people, _PEOPLE),
    )
    for title, frame, columns in tables:
        console.print(_table(title, frame, columns))
    for each in found.unread:
        where = f" (frame {each.frame:,})" if each.frame else ""
        console.print(plain(f"not read: {each.reason}{where}"), style="yellow", markup=False)


_TOOLS: Final = {
    "tool": "molehunt.tool.name", "kind": "molehunt.tool.kind", "how sure": "molehunt.tool.confidence",
    "known by": "molehunt.tool.evidence", "from": "source.ip", "to": "destination.ip", "events": "events",
    "first frame": "molehunt.frame.number",
}  # fmt: skip
_TALKS: Final = {
    "from": "source.ip", "to": "destination.ip", "port": "destination.port", "over": "network.transport",
    "protocol": "network.protocol", "name": "names", "sent": "sent", "received": "received", "flows": "flows",
    "first": "first", "first frame": "molehunt.frame.number",
}  # fmt: skip
_PEOPLE: Final = {
    "user": "user.name", "domain": "user.domain", "computer": "host.name", "MAC": "client.mac",
    "address": "source.ip", "said in": "event.dataset", "first frame": "molehunt.frame.number",
}  # fmt: skip
_NUMBERS: Final = ("port", "sent", "received", "flows", "events", "first frame")


def _about(found: Shown) -> list[str]:
    said = found.facts
    lines = [f"[bold]{escape(plain(found.path))}[/bold]  SHA-256 {found.sha256}"]
    when = f", {_moment(said.first)} to {_moment(said.last)}" if said.first and said.last else ""
    lines.append(f"{said.packets:,} packets{when}")
    parts = []
    if said.shortened:
        parts.append(f"{said.shortened:,} packets were cut off by the capture's length limit")
    if dropped := sum(each.dropped or 0 for each in said.interfaces):
        parts.append(f"{dropped:,} packets were dropped while capturing")
    if said.backwards:
        parts.append(f"{said.backwards:,} packets are earlier than those before them")
    lines += [f"[yellow]{part}[/yellow]" for part in parts]
    return lines


def _moment(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _table(title: str, frame: pl.DataFrame, columns: dict[str, str]) -> Table | str:
    if not frame.height:
        return f"\n[bold]{title}[/bold]: none seen"
    more = f" (the first {_ROWS} of {frame.height:,}; --json has all)" if frame.height > _ROWS else ""
    table = Table(title=f"{title}{more}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in _NUMBERS else "left", overflow="fold")
    for row in frame.head(_ROWS).iter_rows(named=True):
        table.add_row(*(escape(_written(name, row[column])) for name, column in columns.items()))
    return table


def _written(name: str, value: Any) -> str:  # noqa: ANN401 - a cell
    if value is None:
        return ""
    if name in ("sent", "received"):
        return _size(value)
    if isinstance(value, list):
        return plain(", ".join(value))
    if isinstance(value, datetime):
        return value.strftime("%m-%d %H:%M:%S")
    return f"{value:,}" if isinstance(value, int) and name != "port" else plain(str(value))


def _size(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < _STEP:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= _STEP
    return f"{number:,.1f} TiB"


def _as_json(found: Shown) -> dict[str, Any]:
    said = found.facts
    return {
        "path": found.path,
        "sha256": found.sha256,
        "packets": said.packets,
        "first": _moment(said.first) if said.first else None,
        "last": _moment(said.last) if said.last else None,
        "cut_off": said.shortened,
        "dropped": sum(each.dropped or 0 for each in said.interfaces),
        "interfaces": [
            {"link": each.link, "snaplen": each.snaplen, "name": each.name} for each in said.interfaces
        ],
        "comments": [{"frame": frame, "text": text} for frame, text in said.comments],
        "tools": found.tools.to_dicts(),
        "talks": found.talks.to_dicts(),
        "people": found.people.to_dicts(),
        "unread": [
            {"reason": each.reason, "frame": each.frame, "offset": each.offset, "count": each.count}
            for each in found.unread
        ],
    }
