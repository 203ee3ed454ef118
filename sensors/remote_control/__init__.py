"""The logs that remote-control tools write themselves: who came in, from where, for how long.

A tool is a file of data beside this one (`anydesk.toml`): how its lines begin (`heads`) and what they say
(`kinds`), as regular expressions whose groups are named after the columns that they fill. Some groups are not
columns: `stamp` (the time) and `offset` (its zone), `begin` and `finish` (of a session), `seconds` and
`milliseconds` (how long it was), `body` (what the kinds are matched with), `who` (a person, as `user.*` and
`source.user.*`) and `from` (where they come from, with or without a port). A kind may be of one
`dataset`, or of one `logger` (the component that the head names).

This package defines no sensor; the modules named after the tools do.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.remote_control.columns import mapped
from sensors.remote_control.sessions import Sessions
from sensors.remote_control.times import timed
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

_NAMED: Final = re.compile(r"\?P<[^>]+>")
_SNIFFED: Final = 200  # lines; those of a long head would say the same


@dataclass(eq=False)
class ToolLog:
    """The sensor of one tool.

    Attributes:
        name: the tool, also the name of its file of data and the root of its own fields.
    """

    name: str

    @cached_property
    def told(self) -> Mapping[str, Any]:
        """What the file of data says."""
        return tomllib.loads((files("sensors.remote_control") / f"{self.name}.toml").read_text("utf-8"))

    @cached_property
    def _sniffed(self) -> re.Pattern[str]:
        forms = [head.get("sniff", head["form"]) for head in self.told["heads"]]
        return re.compile("|".join(f"(?:{_NAMED.sub('?:', form)})" for form in forms))

    @cached_property
    def _loose(self) -> re.Pattern[str] | None:
        return re.compile(self.told["loose"]) if "loose" in self.told else None

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the lines begin as this tool's do, all but one in four."""
        lines = [line.rstrip("\r") for line in framing.text_head(head).split("\n")[:_SNIFFED]]
        whole = [line for line in lines if line.strip()]
        if len(whole) == _SNIFFED or len(head) >= 1 << 16:
            whole = whole[:-1]  # it may be cut off
        if self._loose is not None:
            whole = [line for line in whole if not self._loose.search(line)]
        fits = sum(bool(self._sniffed.search(line)) for line in whole)
        return bool(fits) and 4 * fits >= 3 * len(whole)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of the tool's form that says something else keeps its text."""
        clock = syslog.Clock(source)
        sessions = Sessions()
        for lines in framing.lines(source):
            frame = self._headed(lines, source)
            if not frame.height:
                continue
            frame = clock.fill(frame)
            frame = mapped(_kinds(frame, self.told), self.told, self.name)
            yield ecs.only(sessions.joined(frame, self.name), self.name)

    def _headed(self, lines: pl.DataFrame, source: Source) -> pl.DataFrame:
        """The lines with what their head says, by the first head that fits; others are named as unread."""
        done: list[pl.DataFrame] = []
        left = lines
        for number, head in enumerate(self.told["heads"]):
            parts = left["text"].str.extract_groups(head["form"]).struct.unnest()
            fits = parts["stamp"].is_not_null()
            if fits.any():
                found = left.filter(fits).hstack(parts.filter(fits))
                found = found.with_columns(head=pl.lit(number), dataset=pl.lit(head["dataset"]))
                done.append(timed(found, head, source))
                left = left.filter(~fits)
        if self._loose is not None and left.height:
            fits = left["text"].str.contains(self.told["loose"])
            loose = left.filter(fits).with_columns(
                body=pl.col("text"), head=pl.lit(-1), dataset=pl.lit(self.told["loose_dataset"])
            )
            done.append(loose)
            left = left.filter(~fits)
        if left.height:
            name_lost(left, f"not a line of {self.told['product']}'s log", source)
        if not done:
            return left.clear()
        whole = pl.concat(done, how="diagonal_relaxed").sort("log.offset")
        missing: dict[str, pl.DataType] = {
            "@timestamp": pl.Datetime("us", "UTC"),
            "molehunt.guess": pl.List(pl.String),
            "body": pl.String(),
        }
        whole = whole.with_columns(
            pl.lit(None, kind).alias(name) for name, kind in missing.items() if name not in whole.columns
        )
        clocked = [number for number, head in enumerate(self.told["heads"]) if head["clock"]]
        dateless = whole["@timestamp"].is_null() & whole["head"].is_in(clocked)
        if dateless.any():
            name_lost(whole.filter(dateless), "its time is none that a clock shows", source)
            whole = whole.filter(~dateless)
        return whole


def _kinds(frame: pl.DataFrame, told: Mapping[str, Any]) -> pl.DataFrame:
    """The lines with what they say, by the first kind that fits the body."""
    done: list[pl.DataFrame] = []
    left = frame
    for kind in told.get("kinds", ()):
        if not left.height:
            break
        fits = left["body"].str.contains(kind["form"]).fill_null(value=False)
        for column, part in (("dataset", "dataset"), ("log.logger", "logger")):
            if part in kind:
                said = left[column] if column in left.columns else pl.Series([None], dtype=pl.String)
                fits &= said.eq_missing(kind[part])
        if not fits.any():
            continue
        found = left.filter(fits)
        parts = found["body"].str.extract_groups(kind["form"])
        if isinstance(parts.dtype, pl.Struct):
            fields = [column for column in parts.struct.unnest().iter_columns() if not column.name.isdigit()]
            found = found.drop([c.name for c in fields if c.name in found.columns]).hstack(fields)
        done.append(found.with_columns(_said(kind)))
        left = left.filter(~fits)
    rest = {"action": "log", "category": ["host"], "type": ["info"]} | told.get("rest", {})
    return pl.concat([*done, left.with_columns(_said(rest))], how="diagonal_relaxed").sort("log.offset")


def _said(kind: Mapping[str, Any]) -> list[pl.Expr]:
    """The columns that are the same for all lines of a kind."""
    lists = [
        pl.lit(kind[name], pl.List(pl.String)).alias(f"event.{name}")
        for name in ("category", "type")
        if name in kind
    ]
    texts = {
        "event.action": kind.get("action"),
        "event.outcome": kind.get("outcome"),
        "phase": kind.get("session"),
    }
    return [*lists, *(pl.lit(value, pl.String).alias(name) for name, value in texts.items())]
