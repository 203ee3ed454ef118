"""Lines of `key=value` pairs to columns, when values have blanks in them and nothing says where they end.

A value ends where the next key begins. One regular expression finds where keys begin, whatever the format;
from there all is splitting, for a whole batch at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

KEY: Final = r"([A-Za-z0-9_][\w.\-]*(?:\[[0-9]+\])?)"
# A key of CEF stands behind a blank. In values `=` is escaped: a word before a bare `=` is none of theirs.
BLANK: Final = rf"(?:^|[ \t\r\n]+){KEY}="
OTHERS: Final = 200  # keys that no dictionary has and that are kept, of one batch
_PAIR: Final = "\x1e"  # these two are in no value that is fit to read, and are taken out of those they are in
_VALUE: Final = "\x1f"
_HELD: Final = "\x1d"
_NAME: Final = r"^[A-Za-z][A-Za-z0-9_.\-]{0,63}$"


def separated(separator: str) -> str:
    """Where keys begin, in a format that has `separator` between pairs."""
    return rf"(?:^|{re.escape(separator)}+) *{KEY}="


def marked(text: pl.Series, boundary: str, closing: str = "") -> pl.Series:
    """The text with the beginnings of keys and values marked, as `table` expects it.

    Args:
        text: pairs, and nothing else.
        boundary: expression that fits from where a value ends to where the next begins; group 1 is the key.
        closing: characters that stand around each value.
    """
    clean = text.str.replace_all(f"[{_PAIR}{_VALUE}{_HELD}]", " ")
    return clean.str.replace_all(boundary, f"{_PAIR}${{1}}{_VALUE}{closing}")


def table(
    marks: pl.Series, names: Mapping[str, str], *, others: bool = True
) -> tuple[pl.DataFrame, pl.Series]:
    """One column for each key, and which rows have keys that no column was made for.

    Of a key that occurs twice in a row the first value counts. Empty values are null.

    Args:
        marks: what `marked` gave.
        names: the columns' names by key; two keys may have one name.
        others: whether keys that `names` does not have are columns as well, by their own name.
    """
    pairs = (
        pl.DataFrame({"row": pl.Series(range(len(marks)), dtype=pl.UInt32), "pair": marks})
        .with_columns(pl.col("pair").str.split(_PAIR))
        .explode("pair", empty_as_null=False)
        .with_columns(pl.col("pair").str.splitn(_VALUE, 2).struct.rename_fields(["key", "value"]))
        .unnest("pair")
        .filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    )
    column = pl.col("key").replace_strict(names, default=None, return_dtype=pl.String)
    pairs = pairs.with_columns(column.alias("name"))
    if others and pairs["name"].null_count():
        pairs = _with_others(pairs, set(names.values()))
    lost = pairs.filter(pl.col("name").is_null())["row"].unique()
    partial = pl.Series("partial", range(len(marks)), dtype=pl.UInt32).is_in(lost.implode())
    return columns(pairs, len(marks)), partial


def _with_others(pairs: pl.DataFrame, taken: Collection[str]) -> pl.DataFrame:
    """Names for the commonest keys that have none yet; a key that is a known name is that."""
    unknown = pairs.filter(pl.col("name").is_null() & pl.col("key").str.contains(_NAME))["key"]
    common = unknown.value_counts().sort("count", "key", descending=[True, False]).head(OTHERS)["key"]
    kept = {key: key for key in [*taken, *common]}
    found = pl.col("key").replace_strict(kept, default=None, return_dtype=pl.String)
    return pairs.with_columns(pl.coalesce("name", found).alias("name"))


def columns(pairs: pl.DataFrame, height: int) -> pl.DataFrame:
    """The pairs, a column for each name; written from the last to the first, so that the first stays."""
    made = []
    for (name,), part in pairs.drop_nulls("name").partition_by("name", as_dict=True).items():
        backwards = part.reverse()
        column = pl.Series(str(name), [None], dtype=pl.String).new_from_index(0, height)
        made.append(column.scatter(backwards["row"], backwards["value"]))
    return pl.DataFrame(made) if made else pl.DataFrame(height=height)


def unescaped(frame: pl.DataFrame) -> pl.DataFrame:
    r"""All values without the backslashes of CEF: `\=`, `\|`, `\\`, `\n`, `\r`."""
    escaped = [
        column.name for column in frame.iter_columns() if column.str.contains("\\", literal=True).any()
    ]
    return frame.with_columns(
        pl.col(name)
        .str.replace_all("\\\\", _HELD, literal=True)
        .str.replace_all("\\n", "\n", literal=True)
        .str.replace_all("\\r", "\r", literal=True)
        .str.replace_all(r"\\([=|\]\"])", "${1}")
        .str.replace_all(_HELD, "\\", literal=True)
        for name in escaped
    )
