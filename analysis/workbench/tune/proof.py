"""A proposed filter as a file, and what a rule finds with and without it: run, not reckoned."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from analysis.sigma.filters import HASH_KEY, in_force, placed, read_filter, rule_hash, today
from analysis.sigma.matching.match import Plan
from analysis.sigma.reading.documents import read
from analysis.sigma.sieve import Sieve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import polars as pl

    from analysis.sigma.reading.rule import Rule
    from analysis.sigma.taxonomy import Taxonomy
    from analysis.workbench.tune.likeness import Likeness

_LONGEST_TITLE: Final = 256  # letters, by the specification
_LONGEST_LINE: Final = 60


@dataclass(frozen=True, slots=True)
class Owned:
    """Who suppresses, why and until when; what is not known yet is None."""

    owner: str | None = None
    reason: str | None = None
    expires: date | None = None


def written(rule: Rule, lines: Sequence[Likeness], called_false: int, owned: Owned) -> str:
    """The filter that denies all of `lines` to `rule`, as YAML; the same for the same arguments."""
    selection = [f"        {_key(one.key)}:{_values(one.written)}" for one in lines]
    same = f"molehunt:filter:{rule.id}:{chr(10).join(selection)}"
    title = f"{rule.title}: not {'; '.join(shortened(str(one), _LONGEST_LINE) for one in lines)}"
    hits = f"{called_false} hits that were" if called_false != 1 else "1 hit that was"
    head = {
        "title": shortened(title, _LONGEST_TITLE),
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, same)),
        "description": f"Fits {hits} called false, and none that is known to be true.",
        "owner": owned.owner,
        "reason": owned.reason,
        "expires": owned.expires and owned.expires.isoformat(),
        HASH_KEY: rule_hash(rule.document),
    }
    source = rule.logsource
    where = {"category": source.category, "product": source.product, "service": source.service}
    return "\n".join(
        [
            *(f"{key}: {_quoted(value)}" for key, value in head.items() if value),
            "logsource:",
            *(f"    {key}: {_quoted(value)}" for key, value in where.items() if value),
            "filter:",
            "    rules:",
            f"        - {_quoted(rule.id)}",
            "    selection:",
            *selection,
            "    condition: not selection",
            "",
        ]
    )


def shortened(text: str, most: int) -> str:
    """A text of so many letters at most."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _values(values: Sequence[str]) -> str:
    if len(values) == 1:
        return f" {_quoted(values[0])}"
    return "".join(f"\n            - {_quoted(value)}" for value in values)


def _quoted(text: str) -> str:
    """A text that is the same in every version of YAML; line breaks become spaces."""
    return "'" + " ".join(text.split("\n")).replace("'", "''") + "'"


def _key(key: str) -> str:
    plain = key.replace("|", "").replace(".", "").replace("_", "").replace("-", "")
    return key if plain.isalnum() and key[0].isalpha() else _quoted(key)


@dataclass(frozen=True, slots=True)
class Count:
    """Hits of one kind without and with the filter."""

    kind: str
    before: int
    after: int

    @property
    def removed(self) -> int:
        """Hits that the filter holds back."""
        return self.before - self.after


class Trial:
    """A rule with one more filter, both read as a hunt would read them.

    Args:
        rule: with the filters that are in force already.
        path: the file of the new one.
        taxonomy: what names mean.
        placeholders: what `%name%` stands for.

    Raises:
        ValueError: the file is no filter that applies to the rule; that would be a defect of the proposal.
    """

    def __init__(
        self, rule: Rule, path: Path, taxonomy: Taxonomy, placeholders: Mapping[str, Sequence[str]]
    ) -> None:
        documents, errors = read(path)
        one, told = read_filter(documents[0])
        one = placed(one, [rule], taxonomy, placeholders)
        if errors or told or not one.on:
            raise ValueError(f"the proposed filter does not apply to {rule.title!r}: {[*errors, *told]}")
        self._before = Plan([None if rule.source is None else (rule.source, rule.condition)])
        self._sieve = Sieve(in_force([rule], [one], today()))

    def of(self, events: pl.DataFrame, dataset: str) -> tuple[pl.Series, pl.Series]:
        """The rows that the rule finds without the filter, and with it."""
        before = self._before.match(events, dataset)
        return before["row"], self._sieve.sift(events, dataset, before).matches["row"]
