"""What people found out about hits: a CSV file with the header `rule,account,file,line,verdict,by,note`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import click
import polars as pl

from analysis.context.table import Table, decode, read_table

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = {
    "rule": pl.String,
    "account": pl.String,
    "file": pl.String,
    "line": pl.Int64,
    "verdict": pl.Boolean,
    "by": pl.String,
    "note": pl.String,
}
_NEEDED: Final = ("rule", "verdict")
_WORDS: Final = {"true": True, "false": False}


def read_verdicts(path: Path) -> pl.DataFrame:
    """Read a file of verdicts.

    Args:
        path: CSV, in any encoding and with any delimiter that spreadsheets write. `rule` (id or name) and
            `verdict` (true or false) are needed; `account`, or `file` and `line`, say which of its hits
            are meant, all of them if neither does.

    Returns:
        A row a verdict, in the order of the file, with the columns of `SCHEMA`; null where nothing is said.

    Raises:
        click.ClickException: the file, or a line of it, is not as it should be.
    """
    table = _table(path)
    columns = [name.lower() for name in table.header]
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise click.ClickException(f"{path}:1: no column {missing[0]!r}; the header is {','.join(SCHEMA)}")
    twice = next((name for name in SCHEMA if columns.count(name) > 1), None)
    if twice:
        raise click.ClickException(f"{path}:1: two columns are called {twice!r}; delete one")
    if table.uneven:
        raise click.ClickException(
            f"{path}:{table.uneven[0]}: not as many cells as the header has; quote a cell that holds a comma"
        )
    rows = [_row(path, line, dict(zip(columns, cells, strict=True))) for line, cells in table.rows]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _table(path: Path) -> Table:
    try:
        text = decode(path.read_bytes())
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        table = read_table(text, lambda cells: sum(cell.strip().lower() in SCHEMA for cell in cells))
    except csv.Error as error:
        raise click.ClickException(f"{path}: is no CSV ({error})") from error
    if table is None:
        raise click.ClickException(f"{path}:1: no header; the first line is {','.join(SCHEMA)}")
    return table


def _row(path: Path, line: int, cells: dict[str, str]) -> dict[str, object]:
    said = {name: cells.get(name, "").strip() or None for name in SCHEMA}
    if said["rule"] is None:
        raise click.ClickException(f"{path}:{line}: no rule; write its id or name")
    verdict = _WORDS.get((said["verdict"] or "").lower())
    if verdict is None:
        raise click.ClickException(
            f"{path}:{line}: verdict {said['verdict'] or ''!r}; write true (the rule is right) or false"
        )
    number = said["line"]
    if number is not None and not (number.isascii() and number.isdigit()):
        raise click.ClickException(f"{path}:{line}: line {number!r} is no number of a line")
    if (number is None) != (said["file"] is None):
        raise click.ClickException(f"{path}:{line}: a file and a line go together; give both, or neither")
    return {**said, "verdict": verdict, "line": None if number is None else int(number)}
