"""Where events stand: a file, and the line, record or frame in it, as `FILE:LINE` names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from analysis.finding import Finding

_NUMBERS: Final = ("log.file.line", "winlog.record_id", "molehunt.frame.number")


def file_of(frame: pl.DataFrame) -> pl.Expr:
    """The log of each event; null where it is not said."""
    named = "log.file.path" in frame.columns
    return pl.col("log.file.path").cast(pl.String) if named else pl.lit(None, pl.String)


def line_of(frame: pl.DataFrame) -> pl.Expr:
    """The number in the log of each event: of its line or, without one, of its record or frame."""
    numbers = [pl.col(name).cast(pl.Int64, strict=False) for name in _NUMBERS if name in frame.columns]
    return pl.coalesce(numbers) if numbers else pl.lit(None, pl.Int64)


def place_of(event: Mapping[str, Any]) -> str:
    """Where one event stands."""
    number = next((event[name] for name in _NUMBERS if event.get(name) is not None), None)
    return _said(event.get("log.file.path") or "", number)


def place_of_finding(finding: Finding) -> str:
    """Where the first event that a finding shows stands; "" if it shows none."""
    if not finding.evidence:
        return ""
    event = finding.evidence[0]
    number = next((each for each in (event.line, event.record, event.frame) if each is not None), None)
    return _said(event.path, number)


def _said(path: str, number: object) -> str:
    return path if number is None else f"{path}:{number}"


def same_file(asked: str, paths: Collection[str]) -> tuple[str, ...]:
    """The logs that a person may mean by a path: itself, or those that it ends, or that end it."""
    wanted = _parts(asked)
    exact = [path for path in paths if _parts(path) == wanted]
    ending = [path for path in paths if _ends(_parts(path), wanted) or _ends(wanted, _parts(path))]
    return tuple(sorted(exact or ending))


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part != "."]


def _ends(whole: list[str], end: list[str]) -> bool:
    return whole[len(whole) - len(end) :] == end if len(end) <= len(whole) else False


def with_whole_paths(verdicts: pl.DataFrame, paths: Collection[str]) -> pl.DataFrame:
    """Verdicts whose files are named as the events name them, where it is clear which is meant."""
    whole = {}
    for file in verdicts["file"].drop_nulls().unique():
        meant = same_file(file, paths)
        whole[file] = meant[0] if len(meant) == 1 else file
    return verdicts.with_columns(pl.col("file").replace(whole))
