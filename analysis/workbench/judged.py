"""Hits held against what people found out about them."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.workbench.places import file_of, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.finding import Evidence, Finding
    from analysis.workbench.chosen import Detection

_Z: Final = 1.959964  # of 95 percent
_PLACE: Final = ["number", "file", "line"]


@dataclass(frozen=True, slots=True)
class Precision:
    """How many hits were right, of those that somebody judged.

    Attributes:
        right, wrong: hits by verdict.
        open: hits without a verdict.
        lost: places (file, line) of events that were judged right and are no hit.
    """

    right: int
    wrong: int
    open: int
    lost: tuple[tuple[str, int], ...] = ()

    @property
    def share(self) -> float | None:
        """Right among judged."""
        judged = self.right + self.wrong
        return self.right / judged if judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 percent interval of the share (Wilson 1927), which is honest for few verdicts too."""
        share, judged = self.share, self.right + self.wrong
        if share is None:
            return None
        spread = _Z * _Z / judged
        middle = (share + spread / 2) / (1 + spread)
        half = _Z * sqrt(share * (1 - share) / judged + spread / (4 * judged)) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)


class Judge:
    """Verdicts for the hits of some rules; the event's counts first, then the account's, then the rule's.

    Args:
        verdicts: as `read_verdicts` gives them; of equal ones the last counts.
        detections: the rules, which are numbered as they come.
    """

    def __init__(self, verdicts: pl.DataFrame, detections: Sequence[Detection]) -> None:
        numbers = pl.DataFrame(
            [
                (number, key.casefold())
                for number, one in enumerate(detections)
                for key in dict.fromkeys((one.id, one.name))
                if key
            ],
            schema={"number": pl.UInt32(), "rule": pl.String()},
            orient="row",
        )
        asked = verdicts.with_columns(pl.col("rule", "account").str.to_lowercase())
        known = asked.join(numbers, on="rule", how="inner", maintain_order="left")
        at, whose = pl.col("file").is_not_null(), pl.col("account").is_not_null()
        self._places = _last(known.filter(at), _PLACE)
        self._accounts = _last(known.filter(~at & whose), ["number", "account"])
        self._rules = _last(known.filter(~at & ~whose), ["number"])
        self._met: set[tuple[int, str, int]] = set()
        self._seen: set[tuple[str, int]] = set()
        self._had: set[tuple[int, str]] = set()
        self.strangers = tuple(
            dict.fromkeys(verdicts.filter(~asked["rule"].is_in(numbers["rule"].implode()))["rule"])
        )

    def see(self, frame: pl.DataFrame) -> None:
        """Take note of the judged events in a batch, whether they are hits or not."""
        if self._places.height:
            asked = self._places.select("file", "line").unique()
            here = _place_and_account(frame).join(asked, on=["file", "line"], how="semi")
            self._seen.update(here.select("file", "line").iter_rows())

    def of(self, frame: pl.DataFrame, matches: pl.DataFrame) -> pl.Series:
        """The verdict on each match; null where there is none.

        Args:
            frame: enriched events.
            matches: `number` of the rule, and `row`.
        """
        hits = pl.concat(
            [matches.select("number"), _place_and_account(frame)[matches["row"]]], how="horizontal"
        )
        by_place = hits.join(self._places, on=_PLACE, how="left", maintain_order="left")
        met = by_place.filter(pl.col("verdict").is_not_null()).select(_PLACE).unique()
        self._met.update(met.iter_rows())
        by_account = hits.join(self._accounts, on=["number", "account"], how="left", maintain_order="left")
        had = by_account.filter(pl.col("verdict").is_not_null()).select("number", "account").unique()
        self._had.update(had.iter_rows())
        by_rule = hits.join(self._rules, on="number", how="left", maintain_order="left")
        said = [by_place["verdict"], by_account["verdict"], by_rule["verdict"]]
        return pl.select(pl.coalesce(said).alias("verdict"))["verdict"]

    def of_finding(self, number: int, finding: Finding) -> bool | None:
        """The verdict on a finding: on any event that it shows, on its account, or on its rule."""
        places = {row[:3]: row[3] for row in self._places.iter_rows()}
        for event in finding.evidence:
            at = (number, event.path, _line(event) or 0)
            if at in places:
                self._met.add(at)
                return bool(places[at])
        accounts = {row[:2]: row[2] for row in self._accounts.iter_rows()}
        whose = (number, finding.account.lower())
        said = accounts.get(whose)
        if said is not None:
            self._had.add(whose)
        return said if said is not None else dict(self._rules.iter_rows()).get(number)

    def lost(self, number: int) -> Iterator[tuple[str, int]]:
        """Places of events that were seen and judged right, and were no hit; call it at the end."""
        for other, file, line, verdict in self._places.iter_rows():
            missed = (file, line) in self._seen and (other, file, line) not in self._met
            if other == number and verdict and missed:
                yield file, line

    def unseen(self) -> tuple[tuple[str, int], ...]:
        """Places that were judged, and where no event was met; call it at the end."""
        places = self._places.select("file", "line").unique(maintain_order=True).iter_rows()
        return tuple(place for place in places if place not in self._seen)

    def without_hits(self) -> tuple[str, ...]:
        """Accounts (in lower case) that were judged, and had no hit; call it at the end."""
        judged = self._accounts.select("number", "account").iter_rows()
        return tuple(
            dict.fromkeys(account for number, account in judged if (number, account) not in self._had)
        )


def _last(verdicts: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    return verdicts.select(*by, "verdict").unique(by, keep="last", maintain_order=True)


def _place_and_account(frame: pl.DataFrame) -> pl.DataFrame:
    """`file`, `line` (or record or frame, as `FILE:LINE` has it) and `account` in lower case."""
    named = "account" in frame.columns
    account = pl.col("account").cast(pl.String) if named else pl.lit(None, pl.String)
    return frame.select(
        pl.int_range(pl.len()).alias("row"),
        file=file_of(frame),
        line=line_of(frame),
        account=account.str.to_lowercase(),
    ).drop("row")


def _line(event: Evidence) -> int | None:
    numbers = (str(number) for number in (event.line, event.record, event.frame) if number is not None)
    return next((int(text) for text in numbers if text.isdecimal()), None)
