"""Messages in words to columns: the first regular expression that fits a message says what its parts are.

The expressions are data (`forms.toml` of each sensor that has them); their groups carry names of columns.
They run a column at a time (`sensors.reading.patterns`), without look-around and references back.
"""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sensors.reading import patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sensors.reading.json_scan import Array


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
    """The rows with the parts of the first form that fits their `body`, in their order.

    Rows that no form fits have `message`, their `body`; of others it is null if there is no such column yet.
    Each form sees only the rows that those before it did not fit, so that the commonest belongs first.
    """
    return by_kind(frame, [(forms, np.arange(frame.height))])


def by_kind(frame: pl.DataFrame, kinds: Iterable[tuple[Iterable[str], Array]]) -> pl.DataFrame:
    """The same where each kind of message has its own forms.

    Args:
        frame: has `body`.
        kinds: forms, and the numbers of the rows that they are for, ascending.
    """
    found = patterns.Extraction(frame["body"])
    unread = np.zeros(frame.height, np.bool_)
    for forms, rows in kinds:
        left = rows
        for form in forms:
            if not len(left):
                break
            fits = found.fit(form, left)
            left = left[~fits] if fits.any() else left
        unread[left] = True
    whole = frame.hstack(found.columns())
    if not unread.any():
        return whole
    said = pl.when(pl.lit(pl.Series(unread))).then("body")
    return whole.with_columns(
        (said.otherwise("message") if "message" in whole.columns else said).alias("message")
    )
