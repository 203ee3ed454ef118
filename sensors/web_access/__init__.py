"""Web servers and proxies: Apache, nginx, HAProxy, Traefik, Caddy, Envoy, Fastly, Amazon S3 and balancers.

The expressions and their manuals stand in `forms.toml`; Traefik, Caddy, Envoy and Fastly also write JSON.
Lines may come by syslog or out of a container (CRI). Squid's lines, which end with how the object was found,
are `sensors/squid.py`'s. The combined format does not say which server wrote it: it is nginx's where the
file's name says so, else Apache's.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import framing, json_table, syslog
from sensors.reading.losses import name_lost
from sensors.values.wording import expanded
from sensors.web_access.columns import events
from sensors.web_access.json_records import is_record, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_SYSLOG: Final = (
    r"^(?:(?:<[0-9]{1,3}>)?"
    r"(?P<stamp>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+) "
    r"(?P<relay>\S+) )?(?P<program>haproxy|nginx|httpd|apache2?|traefik)(?:\[(?P<pid_of>[0-9]+)\])?: "
    r"(?P<body>.*)$"
)
_CONTAINER: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+ (?:stdout|stderr) [FP] (?P<body>.*)$"
# A record in JSON behind the head of a syslog line, whichever program's.
_SHIPPED: Final = (
    r"^(?:<[0-9]{1,3}>)?(?:1 )?(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+|[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}) "
    r"(?P<relay>\S+) [^{]*(?P<body>\{.*\})\s*$"
)
_SQUID: Final = r" [A-Z]+(?:_[A-Z_]+)?:[A-Z_]+\s*$"


@cache
def forms() -> dict[str, str]:
    """The expressions by name."""
    raw: dict[str, Any] = tomllib.loads((files("sensors.web_access") / "forms.toml").read_text("utf-8"))
    return dict(zip(raw["forms"], expanded(raw["parts"], raw["forms"].values()), strict=True))


@cache
def _compiled() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(form) for form in forms().values())


class WebAccess:
    """The sensor."""

    name = "web_access"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - access.log is what everybody's is called
        """Whether at least half of the lines are of one of the forms, or the first records of JSON are."""
        if head.lstrip()[:1] in {b"{", b"["} and json_table.peek(head):
            return json_table.mostly(head, is_record)
        lines = [line.rstrip("\r") for line in framing.text_head(head).split("\n")[:60] if line.strip()]
        told = sum(_fits(line) for line in lines)
        return told > 0 and 2 * told >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per request, connection or error; a line of another form is named as unread."""
        if source.head.lstrip()[:1] in {b"{", b"["} and json_table.peek(source.head):
            for frame in json_table.records(source):
                yield from self._records(frame, source)
            return
        for lines in framing.lines(source):
            bare = _bare(lines)
            inner = bare["body"].str.starts_with("{")
            parts: list[pl.DataFrame] = []
            if inner.any():
                records = bare.filter(inner).with_columns(pl.col("body").alias("text"))
                parts = list(self._records(records, source))
                bare = bare.filter(~inner)
            found = _timed(_matched(bare), source)
            made = events(found.filter(found["form"].is_not_null()), source)
            lost = pl.concat([found.filter(found["form"].is_null()).select(json_table.FRAME), made[1]])
            if lost.height:
                name_lost(
                    lost.sort("log.offset"), "not a line of a web server or proxy that is known", source
                )
            parts += [made[0]] if made[0].height else []
            if len(parts) > 1:
                yield pl.concat(parts, how="diagonal_relaxed").sort("log.offset")
            else:
                yield from parts

    def _records(self, frame: pl.DataFrame, source: Source) -> Iterator[pl.DataFrame]:
        table = json_table.table(frame, source)
        if not table.height:
            return
        parts = parts_of(table)
        if "relay" in frame.columns:
            parts = parts.join(
                frame.select("log.offset", "relay"), on="log.offset", how="left", maintain_order="left"
            )
        found, lost = events(parts, source)
        if lost.height:
            name_lost(lost, "no record of a request, or one without time", source)
        if found.height:
            yield found


SENSOR: Final = WebAccess()


def _fits(line: str) -> bool:
    wrapped = re.match(_SYSLOG, line) or re.match(_CONTAINER, line) or re.match(_SHIPPED, line)
    body = wrapped["body"] if wrapped else line
    if body.startswith("{"):
        return any(is_record(record) for record in json_table.peek(body.encode()))
    return not re.search(_SQUID, body) and any(form.match(body) for form in _compiled())


def _bare(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `body`, `program` and `pid_of` of lines that syslog or a container's runtime wrapped."""
    by_syslog = lines["text"].str.extract_groups(_SYSLOG).struct.unnest()
    boxed = lines["text"].str.extract(_CONTAINER, 1).alias("boxed")
    shipped = lines["text"].str.extract_groups(_SHIPPED).struct.unnest()
    return lines.hstack(by_syslog).with_columns(
        pl.coalesce("relay", shipped["relay"]).alias("relay"),
        pl.coalesce("body", boxed, shipped["body"], "text").alias("body"),
    )


def _timed(found: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds `moment`, the time of the header, to lines whose own form has none."""
    timeless = (pl.col("form") == "haproxy.connect").fill_null(value=False)
    bare = found.filter(timeless & pl.col("stamp").is_not_null())
    if not bare.height:
        return found.drop("stamp")
    stamps = bare.select("stamp", pl.lit(None, pl.String).alias("zone")).unique()
    placed = syslog.moments(stamps, source).select("stamp", pl.col("@timestamp").alias("moment"))
    joined = found.join(placed, on="stamp", how="left", maintain_order="left").drop("stamp")
    return joined.with_columns(pl.when(timeless).then("moment").alias("moment"))


def _matched(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with the parts of the first form that fits, and its name as `form`."""
    done: list[pl.DataFrame] = []
    left = lines.with_columns(pl.lit(None, pl.String).alias("form"))
    for name, form in forms().items():
        if not left.height:
            break
        parts = left["body"].str.extract_groups(form).struct.unnest()
        fits = parts.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        fits &= ~left["body"].str.contains(_SQUID)
        done.append(left.filter(fits).hstack(parts.filter(fits)).with_columns(pl.lit(name).alias("form")))
        left = left.filter(~fits)
    return pl.concat([*done, left], how="diagonal").sort("log.offset")
