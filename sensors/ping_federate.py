"""PingFederate: audit.log (who signed in to what, from where) and admin.log (who changed what).

Lines of the default patterns, fields between vertical bars, as they are or behind a syslog header: "Security
audit logging" and "Administrator audit logging" (docs.pingidentity.com, PingFederate 10.0 to 12.0; since 11.3
with the transaction's id). Mapping after Elastic's integration `ping_federate`; audit events in CEF are read
as CEF. Times are the server's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.shapes.audit_trail import words
from sensors.shapes.mapping import address
from sensors.values import ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_STAMP: Final = r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{1,2}:[0-9]{2}:[0-9]{2},[0-9]{3}"
_HEAD: Final = rf"^(?P<before>[^|]*?)(?P<stamp>{_STAMP}) ?\|(?P<rest>.*)$"
_SNIFFED: Final = re.compile(rf"^[^|]*?{_STAMP} ?\|")
_AUDITED: Final = (
    r"^(?:SSO|SLO|OAuth|STS|PWD_\w+|AUTHN_\w+|SRI_\w+|USER_KEY_\w+|[A-Z]{2,}(?:_[A-Z]+)+|SCIM\w*)$"
)
_AUDIT: Final = 12  # bars behind the time of an audit record, at least
_ADMIN: Final = (6, 7)  # and of an admin record: without and with the id of its details
_ADMINISTERED: Final = r"^[A-Z][A-Z_]+$"
# After the event; more may follow, by the server's log4j2.xml.
_TOLD: Final = {
    "person": 1,
    "source.address": 2,
    "url.original": 3,
    "ping_federate.audit.connection_id": 4,
    "ping_federate.audit.protocol": 5,
    "observer.hostname": 6,
    "roles": 7,
    "status": 8,
    "ping_federate.audit.adapter_id": 9,
    "event.reason": 10,
    "lasted": 11,
}
# event: category, type (audit); an event that is not listed is one of authentication.
_AUDIT_KINDS: Final = {
    r"^(?:SSO|AUTHN_ATTEMPT|AUTHN_REQUEST)$": ("authentication", "start"),
    r"^OAuth$": ("authentication", "info"),
    r"^SLO$": ("authentication", "end"),
    r"^AUTHN_SESSION_CREATED$": ("session", "start"),
    r"^AUTHN_SESSION_USED$": ("session", "info"),
    r"^(?:AUTHN_SESSION_DELETED|SRI_REVOKED)$": ("session", "end"),
    r"^PWD_": ("iam,authentication", "user,change"),
    r".": ("authentication", "info"),
}
_ADMIN_KINDS: Final = {
    r"^LOGIN_ATTEMPT$": ("authentication", "start"),
    r"^LOGOUT$": ("authentication", "end"),
    r"^PASSWORD_CHANGE$": ("authentication,iam", "user,change"),
    r"SESSION": ("session", "end"),
    r"^(?:ROLE_CHANGE|ACTIVATE|DEACTIVATE)$": ("iam", "user,change"),
    r"^CREATE$": ("configuration", "creation"),
    r"^DELETE$": ("configuration", "deletion"),
    r"^IMPORT$": ("configuration", "info"),
    r".": ("configuration", "change"),
}


class PingFederate:
    """The sensor."""

    name = "ping_federate"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether three in four of the lines are records of audit.log or admin.log."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 4 * sum(_is_record(line) for line in lines) >= 3 * len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record; a line without one is named as unread."""
        for lines in framing.lines(source):
            frame = lines.hstack(lines["text"].str.extract_groups(_HEAD).struct.unnest())
            distinct = frame.select("stamp", zone=pl.lit(None, pl.String)).unique().drop_nulls("stamp")
            known = syslog.moments(distinct, source).drop("zone")
            frame = frame.join(known, on="stamp", how="left", maintain_order="left").with_columns(
                parts=pl.col("rest").str.split("|")
            )
            strange = frame["@timestamp"].is_null() | (frame["parts"].list.len() < _ADMIN[0]).fill_null(
                value=True
            )
            if strange.any():
                name_lost(frame.filter(strange), "no record of PingFederate's audit.log or admin.log", source)
                frame = frame.filter(~strange)
            if frame.height:
                yield ecs.only(_events(frame), "ping_federate")


def _is_record(line: str) -> bool:
    found = _SNIFFED.match(line)
    if not found:
        return False
    parts = [part.strip() for part in line[found.end() :].split("|")]
    if len(parts) >= _AUDIT:
        return any(re.match(_AUDITED, part) for part in parts[1:3])
    return len(parts) in _ADMIN and any(re.match(_ADMINISTERED, part) for part in parts[4:6])


def _part(at: int) -> pl.Expr:
    """A field; null where there is nothing in it."""
    value = pl.col("parts").list.get(at, null_on_oob=True).str.strip_chars()
    return pl.when((value != "") & (value != "-")).then(value)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    audit = frame["parts"].list.len() >= _AUDIT
    parts = []
    if audit.any():
        parts.append(_audited(frame.filter(audit)))
    if not audit.all():
        parts.append(_administered(frame.filter(~audit)))
    whole = pl.concat(parts, how="diagonal").sort("log.offset")
    whole = ecs.person(whole, "person", "user", "source.user")
    host = pl.col("before").str.extract(r"([^\s<>:]+)[\s:|]*$", 1)
    whole = whole.with_columns(
        address(pl.col("source.address")).alias("source.ip"),
        pl.coalesce("observer.hostname", host).alias("observer.hostname")
        if "observer.hostname" in whole.columns
        else host.alias("observer.hostname"),
        pl.col("roles").str.split(",").list.eval(pl.element().str.strip_chars()).alias("user.roles"),
        pl.lit("event").alias("event.kind"),
        pl.lit("Ping Identity").alias("observer.vendor"),
        pl.lit("PingFederate").alias("observer.product"),
    )
    return ecs.relations(
        whole,
        ip=("source.ip",),
        user=("user.name", "user.email"),
        hosts=("observer.hostname", "url.domain"),
    )


def _audited(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of audit.log: the event is the second field, or the third behind the transaction's id."""
    second, third = _part(1), _part(2)
    later = ~second.str.contains(_AUDITED).fill_null(value=False) & third.str.contains(_AUDITED)
    shifted = frame.select(later.fill_null(value=False)).to_series()

    def told(at: int) -> pl.Expr:
        return pl.when(pl.lit(shifted)).then(_part(at + 2)).otherwise(_part(at + 1))

    event = told(0)
    found = frame.with_columns(
        _part(0).alias("ping_federate.audit.tracking_id"),
        pl.when(pl.lit(shifted)).then(_part(1)).alias("transaction.id"),
        event.str.to_lowercase().alias("event.action"),
        pl.lit("ping_federate.audit").alias("event.dataset"),
        *(told(at).alias(name) for name, at in _TOLD.items()),
        *_kind(event, _AUDIT_KINDS),
    )
    status = pl.col("status").str.to_lowercase()
    found = found.with_columns(
        pl.when(status.str.contains("success"))
        .then(pl.lit("success"))
        .when(status.str.contains("fail"))
        .then(pl.lit("failure"))
        .otherwise(pl.lit("unknown"))
        .alias("event.outcome"),
        (pl.col("lasted").str.extract(r"^(\d+)").cast(pl.Int64, strict=False) * 1_000_000).alias(
            "event.duration"
        ),
    )
    return url_columns(found)


def _administered(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of admin.log: the id of the details stands behind the event, or before the component."""
    size = pl.col("parts").list.len()
    before = (size == _ADMIN[1]) & _part(5).str.contains(_ADMINISTERED).fill_null(value=False)
    event = pl.when(before).then(_part(5)).otherwise(_part(4))
    said = pl.when(size == _ADMIN[1]).then(_part(6)).otherwise(_part(5))
    message = said.str.strip_prefix("- ")
    failed = message.str.contains(r"(?i)fail|denied|not allowed|invalid|locked|unsuccessful")
    login = event == "LOGIN_ATTEMPT"
    return frame.with_columns(
        _part(0).alias("person"),
        _part(1).alias("roles"),
        _part(2).alias("source.address"),
        pl.when(before).then(_part(4)).otherwise(_part(3)).alias("ping_federate.admin.component"),
        pl.when(before).then(_part(3)).when(size == _ADMIN[1]).then(_part(5)).alias("event.id"),
        event.str.to_lowercase().alias("event.action"),
        message.alias("message"),
        pl.lit("ping_federate.admin").alias("event.dataset"),
        pl.when(login & failed)
        .then(pl.lit("failure"))
        .when(login & message.str.contains("(?i)success"))
        .then(pl.lit("success"))
        .alias("event.outcome"),
        *_kind(event, _ADMIN_KINDS),
    )


def _kind(event: pl.Expr, kinds: dict[str, tuple[str, str]]) -> list[pl.Expr]:
    """`event.category` and `event.type` of an event, by the first expression that fits."""

    def chosen(at: int) -> pl.Expr:
        return words(
            pl.coalesce(
                pl.when(event.str.contains(form)).then(pl.lit(kind[at])) for form, kind in kinds.items()
            )
        )

    return [chosen(0).alias("event.category"), chosen(1).alias("event.type")]


SENSOR: Final = PingFederate()
