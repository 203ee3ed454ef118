"""Messages in words to columns: the first regular expression that fits a message says what its parts are.

The expressions are data (`forms.toml` of each sensor that has them); their groups carry names of columns.
They run a column at a time in Rust, which has neither look-around nor references back.
"""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def expanded(parts: Mapping[str, str], templates: Iterable[str]) -> tuple[str, ...]:
    """The expressions with every `${name}` replaced by the part of that name.

    Args:
        parts: by name; a part may use those before it.
        templates: expressions; a `$` without a name after it stays the end of the text.
    """
    known: dict[str, str] = {}
    for name, text in parts.items():
        known[name] = Template(text).safe_substitute(known)
    return tuple(Template(template).safe_substitute(known) for template in templates)


def matched(frame: pl.DataFrame, forms: Iterable[str]) -> pl.DataFrame:
    """The rows with the parts of the first form that fits their `body`, in any order.

    Rows that no form fits have `message`, their `body`; of others it is null if there is no such column yet.
    Each form sees only the rows that those before it did not fit, so that the commonest belongs first.
    """
    done: list[pl.DataFrame] = []
    left = frame
    for form in forms:
        parts = left["body"].str.extract_groups(form).struct.unnest()
        fits = parts.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        if fits.all():
            return pl.concat([*done, left.hstack(parts)], how="diagonal")
        if fits.any():
            done.append(left.filter(fits).hstack(parts.filter(fits)))
            left = left.filter(~fits)
    return pl.concat([*done, left.with_columns(message=pl.col("body"))], how="diagonal")
