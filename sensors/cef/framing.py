"""Lines of CEF and LEEF to columns: the header, and one column for each key, by its full name.

"Implementing ArcSight Common Event Format (CEF)", versions 0.1 and 1.x; "Log Event Extended Format (LEEF)" of
IBM QRadar, versions 1.0 and 2.0. A syslog header in front, RFC 3164's or 5424's, is taken off; so is anything
else that stands before `CEF:`. Sensors of products that export CEF build upon `records`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from sensors.cef import pairs
from sensors.reading import framing, patterns, syslog
from sensors.reading.losses import name_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sensors.sensor import Source

_BEFORE: Final = r"(?s)^(?P<before>.*?)"
_CEF: Final = (
    r"\bCEF: ?(?P<version>[0-9](?:\.[0-9]+)?)\|(?P<vendor>(?:[^|\\]|\\.)*)\|(?P<product>(?:[^|\\]|\\.)*)"
    r"\|(?P<device_version>(?:[^|\\]|\\.)*)\|(?P<class>(?:[^|\\]|\\.)*)\|(?P<name>(?:[^|\\]|\\.)*)"
    r"\|(?P<severity>(?:[^|\\]|\\.)*)(?:\|(?P<extension>.*))?$"
)
_LEEF: Final = (
    r"\bLEEF: ?(?P<version>[12](?:\.[0-9])?)\|(?P<vendor>[^|]*)\|(?P<product>[^|]*)"
    r"\|(?P<device_version>[^|]*)\|(?P<class>[^|]*)(?:\|(?P<extension>.*))?$"
)
_DELIMITER: Final = r"^(?:(0?x[0-9A-Fa-f]{1,4}|[^A-Za-z0-9|=\s]|\t)?\|)"
_LINE: Final = re.compile(r"\b(?:CEF: ?[0-9](?:\.[0-9]+)?|LEEF: ?[12](?:\.[0-9])?)\|([^|]*)\|([^|]*)\|")
_SEPARATORS: Final = 16  # different ones in one batch; beyond them a file is no log
_TAB: Final = "\t"
HEADER: Final = ("version", "vendor", "product", "device_version", "class", "name", "severity")


@cache
def dictionary() -> dict[str, Any]:
    """The tables of `dictionary.toml`."""
    return tomllib.loads((files("sensors.cef") / "dictionary.toml").read_text("utf-8"))


def products(head: bytes) -> list[tuple[str, str]]:
    """Vendor and product of each line at the head of a file; none where most lines are no CEF and no LEEF."""
    lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
    found = [match.groups() for match in map(_LINE.search, lines) if match]
    return [(vendor, product) for vendor, product in found] if 2 * len(found) > len(lines) else []


def records(
    source: Source, rename: Callable[[str], Mapping[str, str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The lines of a source: what is known of each, and beside it a column for each key.

    Lines of another form are named in `source.unread`.

    Args:
        source: what is read.
        rename: gives for `cef` and for `leef` the column's name by key.

    Yields:
        Frames with `HEADER`, `leef` (Boolean), `host` (who sent it, by the syslog header), `partial` (keys
        were left out) and what `sensors.reading.syslog.records` yields; frames of the same height with the
        values of the keys.
    """
    for lines in syslog.records(source):
        parts = _headed(lines)
        strange = parts["version"].is_null()
        if strange.any():
            name_lost(parts.filter(strange), "neither CEF nor LEEF", source)
        chosen = parts.filter(~strange)
        if chosen.height:
            yield _keyed(chosen, rename)


def _headed(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines with the parts of their header, all null where there is none."""
    found = patterns.Extraction(lines["rest"])
    strange = np.flatnonzero(~found.fit(_BEFORE + _CEF, np.arange(lines.height)))
    leef = np.zeros(lines.height, np.bool_)
    if len(strange):
        other = strange[lines["rest"].gather(strange).str.contains("LEEF:", literal=True).to_numpy()]
        leef[other] = found.fit(_BEFORE + _LEEF, other)
    host = pl.col("before").str.extract(r"^\s*(?:<[^>]*>\s*)?([^\s:,<>\[\]{}\"]{2,255}):?(?:\s|$)", 1)
    return lines.hstack(found.columns(every=True)).with_columns(
        pl.coalesce(pl.when(host != "-").then(host), "relay").alias("host"),
        pl.Series("leef", leef),
        *(_plain(name) for name in ("vendor", "product", "device_version", "class", "name")),
    )


def _plain(name: str) -> pl.Expr:
    text = pl.col(name).str.replace_all(r"\\([|\\])", "${1}").str.strip_chars()
    return pl.when(text != "").then(text).alias(name)


def _keyed(
    parts: pl.DataFrame, rename: Callable[[str], Mapping[str, str]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines, and the values of their keys; a file that mixes the two formats stays in its order."""
    done = []
    for (leef,), part in parts.partition_by("leef", as_dict=True, maintain_order=True).items():
        extension = part["extension"].fill_null("").str.strip_chars_end()
        marks = _leef_marks(extension, part["version"]) if leef else pairs.marked(extension, pairs.BLANK)
        values, partial = pairs.table(marks, rename("leef" if leef else "cef"))
        bare = pl.all().str.replace(r'^"([^"]*)"$', "${1}")  # some products quote what needs no quotes
        values = pairs.unescaped(values.with_columns(bare))
        done.append((part.with_columns(partial), values.with_columns(pl.when(pl.all() != "").then(pl.all()))))
    if len(done) == 1:
        return done[0]
    lines = pl.concat([part for part, _ in done])
    order = lines["log.offset"].arg_sort()
    return lines[order], pl.concat([values for _, values in done], how="diagonal")[order]


def _leef_marks(extension: pl.Series, version: pl.Series) -> pl.Series:
    """LEEF's attributes marked, each line by its own separator: a tab, or what its header names.

    Relays write tabs as `#011` or blanks, and some products separate by `|` without saying so.
    """
    new = version.str.starts_with("2")
    said = extension.str.extract(_DELIMITER, 1)
    text = extension.zip_with(~new, extension.str.replace(_DELIMITER, ""))
    text = text.zip_with(
        ~text.str.contains("#011", literal=True), text.str.replace_all("#011", _TAB, literal=True)
    )
    named = pl.when(pl.col("new") & (pl.col("said") != "")).then("said")
    hexadecimal = named.str.extract(r"x([0-9A-Fa-f]{1,4})$", 1)
    guessed = (
        pl.when(pl.col("text").str.contains(_TAB, literal=True))
        .then(pl.lit(_TAB))
        .when(pl.col("text").str.contains(r"\|\w+="))
        .then(pl.lit("|"))
        .otherwise(pl.lit(" "))
    )
    frame = pl.DataFrame({"text": text, "said": said, "new": new})
    by = frame.select(named=named, code=hexadecimal, guessed=guessed)
    codes = {code: chr(int(code, 16)) for code in by["code"].drop_nulls().unique()}
    separator = by.select(
        pl.coalesce(
            pl.col("code").replace_strict(codes, default=None, return_dtype=pl.String), "named", "guessed"
        )
    ).to_series()
    marks = pairs.marked(text, pairs.BLANK)
    for one in separator.unique(maintain_order=True).head(_SEPARATORS):
        if one != " ":
            its = separator == one
            marks = marks.zip_with(~its, pairs.marked(text, pairs.separated(one)))
    return marks
