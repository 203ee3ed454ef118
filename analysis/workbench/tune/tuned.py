"""One rule tuned: its hits gathered, a filter sought, written, and run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.sigma import Rule
from analysis.workbench.chosen import Chosen, NoSuchRuleError, choose
from analysis.workbench.tune.hits import keep_hits
from analysis.workbench.tune.parted import EXAMPLE, FALSE, KINDS, OPEN, TRUE, Hits, TuneError, judged
from analysis.workbench.tune.proof import Count, Owned, Trial, written
from analysis.workbench.tune.search import Found, search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.workbench.opened import Days, Opened

_NAMED: Final = 10  # rules that a message lists
REMOVED: Final = {"account": pl.String(), "day": pl.Date(), "hits": pl.Int64()}


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it.

    Attributes:
        found: the search.
        text: the filter as YAML; "" if there is none.
        counts: hits by kind, without and with it; none if there is none.
        removed: hits that nobody judged and that it removes, by account ("" if unknown) and day (UTC).
        judged: the accounts of the hits called false.
        people: line about a department → how many the roster has in it; none without a roster.
    """

    rule: Rule
    found: Found
    text: str
    counts: tuple[Count, ...]
    removed: pl.DataFrame
    judged: tuple[str, ...] = ()
    people: Mapping[str, int] = field(default_factory=dict)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts whose hits it holds back."""
        return tuple(sorted({*self.judged, *filter(None, self.removed["account"])}))

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Those of them of whom no hit was called false."""
        return tuple(account for account in self.accounts if account not in self.judged)

    @property
    def broad(self) -> bool:
        """Whether it holds back most of what nobody judged, of more accounts than were judged."""
        most = any(one.kind == OPEN and one.removed * 2 > one.before for one in self.counts)
        return most and len(self.unjudged) > len(self.judged)

    @property
    def proven(self) -> bool:
        """Whether it removes every hit called false, and no other that is known."""
        after = {one.kind: (one.before, one.after) for one in self.counts}
        kept = all(had == has for kind, (had, has) in after.items() if kind in (TRUE, EXAMPLE))
        return bool(self.text) and kept and after[FALSE][1] == 0


def rule_to_tune(
    named: str, library: Sequence[Path], placeholders: Mapping[str, Sequence[str]]
) -> tuple[Chosen, Rule]:
    """The one Sigma rule of a name.

    Raises:
        TuneError: there is none, or several, or it is one that counts others and has no events of its own.
    """
    try:
        chosen = choose([named], library, placeholders)
    except NoSuchRuleError as error:
        raise TuneError(str(error)) from error
    if len(chosen.detections) != 1:
        told = "".join(f"\n{error}" for error in chosen.errors)
        if not chosen.detections:
            raise TuneError(f"{named} holds no rule that can be loaded{told}")
        some = "".join(f"\n  {one.id}  {one.title}" for one in chosen.detections[:_NAMED])
        more = f"\n  and {len(chosen.detections) - _NAMED} more" if len(chosen.detections) > _NAMED else ""
        raise TuneError(
            f"{named} names {len(chosen.detections)} rules; give the id of one:{some}{more}{told}"
        )
    (one,) = chosen.detections
    if not isinstance(one, Rule):
        raise TuneError(
            f"{one.title!r} counts other rules and has no events of its own; tune {' or '.join(one.rules)}"
        )
    return chosen, one


def tune(
    chosen: Chosen,
    rule: Rule,
    opened: Opened,
    days: Days,
    false: Sequence[tuple[str, int]],
    verdicts: pl.DataFrame,
    owned: Owned,
) -> Tuned:
    """Find a filter for a rule, and prove it.

    Args:
        chosen: the pack of the rule.
        rule: one of it.
        opened: the lake with its hits.
        days: look at these alone.
        false: places of hits that were called false.
        verdicts: as `read_verdicts` has them.
        owned: who suppresses, why and until when.

    Raises:
        TuneError: there is nothing to tune with.
    """
    taxonomy, placeholders = chosen.pack.taxonomy, opened.context.site.placeholders
    with TemporaryDirectory(prefix="molehunt-tune-") as name:
        folder = Path(name)
        kept = keep_hits(chosen.pack, chosen.pack.rules.index(rule), opened, days, folder)
        if not kept.count:
            raise TuneError(f"{rule.title!r} has no hits there; there is nothing to tune")
        hits = judged(rule, kept, false, verdicts)
        found = search(rule, taxonomy, hits)
        if not found.choices:
            return Tuned(rule, found, "", (), pl.DataFrame(schema=REMOVED))
        text = written(rule, found.lines, found.counts[FALSE], owned)
        path = folder / "filter.yml"
        path.write_text(text, "utf-8")
        counts, removed, accounts = _run(Trial(rule, path, taxonomy, placeholders), hits)
        people = _people(found, opened.context.roster)
        return Tuned(rule, found, text, counts, removed, accounts, people)


def _people(found: Found, roster: pl.DataFrame | None) -> dict[str, int]:
    """How many people each line about a department is about, of the filter and of the others on offer."""
    lines = [found.likenesses[line] for choice in found.choices for line in choice.lines]
    groups = [one for one in lines if one.group]
    if roster is None:
        return {}
    counts = {}
    for one in groups:
        name = one.field.removeprefix("roster.")
        wanted = [value.casefold() for value in one.values]
        if name in roster.columns:
            counts[str(one)] = sum(str(value).casefold() in wanted for value in roster[name])
    return counts


def _run(trial: Trial, hits: Hits) -> tuple[tuple[Count, ...], pl.DataFrame, tuple[str, ...]]:
    """The rule with the filter against everything.

    Returns:
        Hits by kind; what is removed that nobody judged; the accounts of what was called false.
    """
    counts: dict[str, tuple[int, int]] = {}
    called: set[str] = set()
    removed = [pl.DataFrame(schema=REMOVED)]
    for kind, dataset, frame in hits.batches():
        before, after = trial.of(frame, dataset)
        had, has = counts.get(kind, (0, 0))
        counts[kind] = had + len(before), has + len(after)
        if kind == FALSE and "account" in frame.columns:
            called.update(frame["account"].drop_nulls().unique())
        if kind == OPEN:
            gone = before.filter(~before.is_in(after.implode()))
            removed.append(_by_account_and_day(frame[gone]))
    together = pl.concat(removed).group_by("account", "day").agg(pl.col("hits").sum())
    told = tuple(Count(kind, *counts[kind]) for kind in KINDS if kind in counts)
    return told, together.sort("account", "day").select(*REMOVED), tuple(sorted(called))


def _by_account_and_day(events: pl.DataFrame) -> pl.DataFrame:
    account = pl.col("account") if "account" in events.columns else pl.lit(None, pl.String)
    at = pl.col("@timestamp").dt.date() if "@timestamp" in events.columns else pl.lit(None, pl.Date)
    found = events.select(account.fill_null("").alias("account"), at.alias("day"))
    return found.group_by("account", "day").agg(hits=pl.len().cast(pl.Int64)).select(*REMOVED)
