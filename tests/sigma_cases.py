"""What the tests of the rules share: packs from text, and frames from events as they are."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from analysis.sigma import RulePack
from analysis.sigma.explain import explain
from analysis.sigma.taxonomy import AsWritten, Taxonomy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth" / "sigma"


def pack_of(
    folder: Path,
    *texts: str,
    taxonomy: Taxonomy | None = None,
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> RulePack:
    """A pack of rules, each text a file of its own in `folder`."""
    for number, text in enumerate(texts):
        (folder / f"rule{number}.yml").write_text(text, "utf-8")
    return RulePack.load([folder], taxonomy=taxonomy or AsWritten(), placeholders=placeholders)


def raw_frame(events: list[dict[str, Any]]) -> pl.DataFrame:
    """Events as they are; a field of several types is text."""
    columns = []
    for name in dict.fromkeys(name for event in events for name in event):
        values = [event.get(name) for event in events]
        if len({type(value) for value in values if value is not None}) > 1:
            values = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
        columns.append(pl.Series(name, values))
    return pl.DataFrame(columns)


def rule_text(detection: str, **keys: str) -> str:
    """A rule of the generic logsource with this detection (indented YAML) and further keys."""
    head = {"title": "t", "level": "low", **keys}
    lines = [f"{key}: {value}" for key, value in head.items()]
    return "\n".join([*lines, "logsource: {product: test}", "detection:", detection, ""])


def loaded(
    selection: object, placeholders: Mapping[str, Sequence[str]] | None = None, condition: str = "s"
) -> RulePack:
    """A pack of one rule whose selection `s` is this; the rule file is JSON, which YAML holds."""
    body = {"title": "t", "level": "low", "logsource": {"product": "x"}}
    rule = body | {"detection": {"s": selection, "condition": condition}}
    with tempfile.TemporaryDirectory() as folder:
        return pack_of(Path(folder), json.dumps(rule, ensure_ascii=False), placeholders=placeholders)


def found(
    selection: object, frame: pl.DataFrame, placeholders: Mapping[str, Sequence[str]] | None = None
) -> list[int]:
    """The rows that match, by columns and row by row alike."""
    pack = loaded(selection, placeholders)
    assert pack.errors == []
    rows = pack.match(frame, "")["row"].to_list()
    assert [
        row for row, event in enumerate(frame.to_dicts()) if explain(pack.rules[0], event).matched
    ] == rows
    return rows


def picked(values: Sequence[Any], true: Callable[[Any], bool]) -> list[int]:
    return [row for row, value in enumerate(values) if value is not None and true(value)]


def plain(text: str) -> str:
    r"""A text without wildcards, as a rule writes it."""
    return re.sub(r"[\\*?]", r"\\\g<0>", text)


def low(text: str) -> str:
    return text.casefold()
