r"""Delinea (Thycotic) Secret Server: who logged in, looked at, changed or launched which secret, in CEF.

Events after https://docs.delinea.com/online-help/secret-server/alerts-events/events/event-subscriptions/event-list;
mapping after Elastic's integration `thycotic_ss`, but the time is the event's own, whom it was done to is
`user.target` as well, and logins, heartbeats and approvals have an outcome. Names of kinds are `PART - ACT`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import cef
from sensors.reading import syslog
from sensors.reading.json_table import text
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

PRODUCT: Final = re.compile(r"(?i)^(?:thycotic|delinea)[^|]*\|secret server\b")
_NAME: Final = r"^(?:(?P<provider>.*?) - |(?P<first>\S+) )?(?P<action>.*)$"
_PORT: Final = r"^(?P<ip>[0-9.]+|\[?[0-9A-Fa-f:.]+?\]?)(?::(?P<port>[0-9]{1,5}))?$"


class ThycoticSecretServer:
    """The sensor."""

    name = "thycotic_ss"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether every line of CEF is a Secret Server's."""
        found = cef.products(head)
        return bool(found) and all(PRODUCT.search("|".join(product)) for product in found)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another form is named as unread."""
        clock = syslog.Clock(source)
        for lines, values in cef.records(source, cef.dictionary().__getitem__):
            parts = lines["name"].str.replace_all("\u2013", "-", literal=True).str.extract_groups(_NAME)
            frame = lines.hstack(parts.struct.unnest().select("provider", "first", "action"))
            frame = frame.with_columns(*cef.timed(lines, values, source))
            yield ecs.only(clock.fill(_events(frame.hstack(_literal(values)))), self.name)


SENSOR: Final = ThycoticSecretServer()


@cache
def tables() -> dict[str, Any]:
    """The tables of `thycotic_ss.toml`."""
    return tomllib.loads((files("sensors") / "thycotic_ss.toml").read_text("utf-8"))


def _literal(values: pl.DataFrame) -> pl.DataFrame:
    r"""The keys' values by `=key`; names hold no line's end: that is `DOMAIN\rosa`, which nothing escaped."""
    names = [name for name in values.columns if name not in ("message", "deviceReceiptTime")]
    return values.with_columns(
        pl.col(names).str.replace_all("\r", "\\r", literal=True).str.replace_all("\n", "\\n", literal=True)
    ).select(pl.all().name.prefix("="))


def _key(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.coalesce(text(frame, f"={name}"), pl.repeat(None, pl.len(), dtype=pl.String))


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(
        _realm_alone(_key(frame, "sourceUserName")).alias("~by"),
        _realm_alone(_key(frame, "destinationUserName")).alias("~to"),
    )
    frame = ecs.person(ecs.person(frame, "~by", "user", "source.user"), "~to", "user.target")
    frame = frame.with_columns(*_header(frame), *_kind(), *_place(frame), *_objects(frame))
    return ecs.relations(
        frame, ip=("source.ip",), user=("user.name", "user.target.name"), hosts=("observer.hostname",)
    )


def _realm_alone(person: pl.Expr) -> pl.Expr:
    r"""Of `SITE\name@realm` what says more about the domain."""
    return person.str.replace(r"^[^\\]*\\([^\\]+@.*)$", "${1}")


def _header(frame: pl.DataFrame) -> list[pl.Expr]:
    host = pl.coalesce("host", "relay")
    full = pl.when(_key(frame, "deviceCustomString4Label") == "suser Display Name").then(
        _key(frame, "deviceCustomString4").str.replace(r"^[^\\]*\\", "")
    )
    return [
        pl.lit("thycotic_ss.logs").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.col("class").alias("event.code"),
        pl.col("severity").cast(pl.Int64, strict=False).alias("event.severity"),
        pl.coalesce(_key(frame, "message"), "name").alias("message"),
        host.alias("log.syslog.hostname"),
        host.alias("observer.hostname"),
        host.alias("host.name"),
        pl.col("vendor").alias("observer.vendor"),
        pl.col("product").alias("observer.product"),
        pl.col("device_version").alias("observer.version"),
        _key(frame, "sourceUserId").alias("user.id"),
        _key(frame, "sourceUserId").alias("source.user.id"),
        _key(frame, "destinationUserId").alias("user.target.id"),
        full.alias("user.full_name"),
        full.alias("source.user.full_name"),
        pl.when("partial").then("text").alias("event.original"),
        *syslog.common(frame),
    ]


def _kind() -> list[pl.Expr]:
    """What the event's name says; a kind that no table has is about identities, and for information."""
    kinds = tables()["kinds"]
    provider = pl.coalesce("provider", "first").str.to_lowercase()
    action = pl.col("action").str.to_lowercase()
    said = pl.concat_str(provider, pl.lit(" - "), action)
    lists = pl.List(pl.String)

    def of(column: str) -> pl.Expr:
        table = {name: kind[column] for kind in kinds for name in kind["names"]}
        default = pl.lit(pl.Series([tables()["unknown"][column]], dtype=lists)).first()
        return said.replace_strict(table, default=None, return_dtype=lists).fill_null(default)

    outcome = {name: result for result, names in tables()["outcomes"].items() for name in names}
    return [
        provider.alias("event.provider"),
        action.alias("event.action"),
        of("category").alias("event.category"),
        of("type").alias("event.type"),
        said.replace_strict(outcome, default=None, return_dtype=pl.String).alias("event.outcome"),
    ]


def _place(frame: pl.DataFrame) -> list[pl.Expr]:
    """Where the person was; a port may stand behind the address."""
    said = _key(frame, "sourceAddress")
    whole = ecs.is_ip(said)
    parts = said.str.extract_groups(_PORT).struct
    address = pl.when(whole).then(said).otherwise(parts.field("ip").str.strip_chars("[]"))
    port = pl.when(~whole).then(parts.field("port")).cast(pl.Int64, strict=False)
    return [*ecs.address("source", pl.coalesce(address, said)), port.alias("source.port")]


def _objects(frame: pl.DataFrame) -> list[pl.Expr]:
    """The secret, folder, role, group or permission that it is about, as `thycotic_ss.event.*`."""
    made: dict[str, list[pl.Expr]] = {}
    for rule in tables()["object"]:
        value = _key(frame, rule["key"])
        for name, wanted in rule["when"].items():
            value = pl.when(_key(frame, name) == wanted).then(value)
        made.setdefault(f"thycotic_ss.event.{rule['field']}", []).append(value)
    user = (("id", "user.target.id"), ("name", "user.target.name"), ("domain", "user.target.domain"))
    apart = pl.col("user.target.name").ne_missing(pl.col("user.name"))
    return [
        *(pl.coalesce(values).alias(name) for name, values in made.items()),
        *(
            pl.when(apart)
            .then(_key(frame, "destinationUserId") if part == "id" else pl.col(column))
            .alias(f"thycotic_ss.event.user.{part}")
            for part, column in user
        ),
    ]
