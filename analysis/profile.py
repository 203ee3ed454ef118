"""What each account did, in tables that add up: one small row per account and day, hour, place, destination.

The report draws from them, and a lake keeps them, so that a later hunt need not read old events again.
`partial` summarises one batch, `merge` adds summaries in any order; both always give all tables of `SCHEMAS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.context.addresses import is_inside
from analysis.detach import detached
from sensors.schema import TIME, dtype

if TYPE_CHECKING:
    from collections.abc import Sequence

Profile = dict[str, pl.DataFrame]

_ENDS: Final = {"events": pl.Int64(), "first": TIME, "last": TIME}
SCHEMAS: Final[dict[str, dict[str, pl.DataType]]] = {
    # Events that a person made, by hour of the day in UTC.
    "hours": {"account": pl.String(), "day": pl.Date(), "hour": pl.Int8(), "events": pl.Int64()},
    # All events.
    "days": {"account": pl.String(), "day": pl.Date(), "events": pl.Int64()},
    # Public addresses that the account itself came from.
    "places": {
        "account": pl.String(), "source.ip": pl.String(), "country": pl.String(), "region": pl.String(),
        "city": pl.String(), "organization": pl.String(), **_ENDS,
    },
    # Bytes that went out; several kinds of log may see one upload, so they stay apart (see `outbound`).
    "outbound": {"account": pl.String(), "day": pl.Date(), "dataset": pl.String(), "bytes": pl.Int64()},
    "destinations": {
        "account": pl.String(), "day": pl.Date(), "dataset": pl.String(), "destination": pl.String(),
        "bytes": pl.Int64(),
    },
    "datasets": {"account": pl.String(), "dataset": pl.String(), **_ENDS},
    "hosts": {"account": pl.String(), "host": pl.String(), **_ENDS},
}  # fmt: skip

_FOLDS: Final = {"events": "sum", "bytes": "sum", "first": "min", "last": "max"}
# Destinations kept per account, day and dataset. A merge may forget a smaller one that grows later; the
# figures of those that are kept are exact if a day's events come together, as the lake has them.
_DESTINATIONS: Final = 50
_COMPACT_ROWS: Final = 200_000
# Logons at the keyboard or over remote desktop; 3, 4, 5 and 8 are made by machines as well
# (https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4624).
_INTERACTIVE_LOGONS: Final = ("2", "7", "10", "11")
_LOCK_EVENTS: Final = ("4800", "4801")
_AUDITS: Final = (
    "o365.",
    "github.",
    "okta.",
    "google_workspace.",
    "slack.",
    "atlassian_",
    "box_",
    "dropbox.",
)
_SHELLS: Final = (
    "explorer.exe", "cmd.exe", "powershell.exe", "pwsh.exe", "windowsterminal.exe", "code.exe", "bash", "zsh",
    "fish", "sh", "sshd", "gnome-shell", "finder",
)  # fmt: skip


def partial(frame: pl.DataFrame) -> Profile:
    """Summarise one batch of enriched events; those of no account are left out."""
    if "account" not in frame.columns:
        return empty()
    events = frame.filter(pl.col("account").is_not_null())
    moment = pl.col("@timestamp")
    day = moment.dt.date().alias("day")
    ends = {"events": pl.lit(1, dtype=pl.Int64), "first": moment, "last": moment}
    human = events.filter(_is_human(events))
    came = events.filter(_came_from(events))
    went = events.filter(_went_out(events))
    dataset = _column(events, "event.dataset").alias("dataset")
    bytes_out = pl.coalesce(_column(went, "source.bytes"), _column(went, "http.request.bytes")).alias("bytes")
    raw = {
        "hours": human.select("account", day, moment.dt.hour().alias("hour"), events=ends["events"]),
        "days": events.select("account", day, events=ends["events"]),
        "places": came.select(
            "account",
            _column(came, "source.ip").alias("source.ip"),
            _column(came, "source.geo.country_iso_code").alias("country"),
            _column(came, "source.geo.region_name").alias("region"),
            _column(came, "source.geo.city_name").alias("city"),
            _column(came, "source.as.organization.name").alias("organization"),
            **ends,
        ),
        "outbound": went.select("account", day, dataset, bytes_out),
        "destinations": went.select("account", day, dataset, _destination(went), bytes_out),
        "datasets": events.select("account", dataset, **ends),
        "hosts": events.select("account", _host(events), **ends).drop_nulls("host"),
    }
    return {name: detached(_fold(name, table.cast(pl.Schema(SCHEMAS[name])))) for name, table in raw.items()}


def merge(parts: Sequence[Profile]) -> Profile:
    """The summary of all events together; empty parts are allowed."""
    whole = [part for part in parts if part]
    if not whole:
        return empty()
    if len(whole) == 1:
        return dict(whole[0])
    return {name: detached(_fold(name, pl.concat([part[name] for part in whole]))) for name in SCHEMAS}


class Gathered:
    """Summaries of many batches, merged often enough that memory follows the accounts and not the batches."""

    def __init__(self) -> None:
        self._parts: list[Profile] = []
        self._rows = 0
        self._merged_rows = 0

    def add(self, part: Profile) -> None:
        """Take in the summary of one batch."""
        self._parts.append(part)
        self._rows += _rows(part)
        if self._rows > max(_COMPACT_ROWS, 2 * self._merged_rows):
            self.whole()

    def whole(self) -> Profile:
        """The summary of all batches so far."""
        whole = merge(self._parts)
        self._parts = [whole]
        self._rows = self._merged_rows = _rows(whole)
        return whole


def _rows(part: Profile) -> int:
    return sum(table.height for table in part.values())


def empty() -> Profile:
    """The summary of no events."""
    return {name: pl.DataFrame(schema=schema) for name, schema in SCHEMAS.items()}


def outbound(profile: Profile, most: int = 5) -> pl.DataFrame:
    """What left, by account and day: `account`, `day`, `bytes`, `destinations` (the largest `most`).

    Of several kinds of log, the one that saw the most of a day counts: they see the same uploads.
    """
    key = ["account", "day"]
    largest = (
        profile["outbound"]
        .sort(*key, "bytes", "dataset", descending=[False, False, True, False])
        .unique(key, keep="first", maintain_order=True)
    )
    named = (
        profile["destinations"]
        .join(largest.select(*key, "dataset"), on=[*key, "dataset"], how="semi")
        .sort("bytes", "destination", descending=[True, False])
        .group_by(key, maintain_order=True)
        .agg(pl.col("destination").head(most).alias("destinations"))
    )
    joined = largest.drop("dataset").join(named, on=key, how="left", maintain_order="left")
    return joined.with_columns(pl.col("destinations").fill_null([]))


def _fold(name: str, table: pl.DataFrame) -> pl.DataFrame:
    keys = [column for column in SCHEMAS[name] if column not in _FOLDS]
    folds = [getattr(pl.col(column), fold)() for column, fold in _FOLDS.items() if column in SCHEMAS[name]]
    folded = table.group_by(keys).agg(folds)
    if name == "destinations":
        folded = folded.sort("bytes", "destination", descending=[True, False])
        folded = folded.group_by("account", "day", "dataset", maintain_order=True).head(_DESTINATIONS)
    return folded.select(list(SCHEMAS[name]))


def _column(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name) if name in frame.columns else pl.lit(None, dtype=dtype(name))


def _has(frame: pl.DataFrame, category: str) -> pl.Expr:
    return _column(frame, "event.category").list.contains(category).fill_null(value=False)


def _is_human(frame: pl.DataFrame) -> pl.Expr:
    """Whether an event says that a person was at work.

    `rules/anomaly/selectors/human_activity.yml` says the same for rules.
    Network traffic, web requests and services go on at night of themselves and say nothing.
    """
    kind = pl.col("account.kind") if "account.kind" in frame.columns else pl.lit("person")
    failed = (_column(frame, "event.outcome") == "failure").fill_null(value=False)  # anybody can fail
    unattended = "azure.signinlogs.properties.is_interactive"
    logon = _column(frame, "winlog.event_data.LogonType")
    by_machine = pl.any_horizontal(
        _column(frame, "azure.signinlogs.category") == "NonInteractiveUserSignInLogs",
        _column(frame, unattended).cast(pl.String).str.to_lowercase() == "false",
        ~logon.is_in(_INTERACTIVE_LOGONS),
    ).fill_null(value=False)
    signed_in = (_column(frame, "event.outcome") == "success").fill_null(value=False)
    action = _column(frame, "event.action").str.to_lowercase().fill_null("")
    audited = _is_audit(frame) & ~action.str.contains("sync")
    started = _column(frame, "process.parent.name").str.to_lowercase().is_in(_SHELLS).fill_null(value=False)
    person = kind.fill_null("person") == "person"
    return (
        person
        & ~failed
        & (
            (_has(frame, "authentication") & signed_in & ~by_machine)
            | (_has(frame, "session") & ~by_machine)
            | _column(frame, "event.code").is_in(_LOCK_EVENTS).fill_null(value=False)
            | (audited & ~_has(frame, "authentication") & ~_has(frame, "network"))
            | (_has(frame, "process") & started)
        )
    )


def _is_audit(frame: pl.DataFrame) -> pl.Expr:
    """Whether an event is of the audit log of a service in the cloud."""
    dataset = _column(frame, "event.dataset").fill_null("")
    return pl.any_horizontal(dataset.str.starts_with(prefix) for prefix in _AUDITS)


def _came_from(frame: pl.DataFrame) -> pl.Expr:
    """Whether `source.ip` is a public address of the person: sign-ins, sessions, audits, not mere traffic.

    What failed may be anybody's who knows the name, and what reached the account from outside is not its own.
    """
    traffic = ["network", "web", "intrusion_detection"]
    said = _column(frame, "event.category").list.set_difference(traffic).list.len() > 0
    said |= _is_audit(frame)  # some of them have the category "web"
    failed = _column(frame, "event.outcome") == "failure"
    basis = pl.col("account.basis") if "account.basis" in frame.columns else pl.lit(None, pl.String)
    others = pl.any_horizontal(failed, basis.str.contains("destination", literal=True)).fill_null(value=False)
    return (
        said.fill_null(value=False) & ~others & ~is_inside(_column(frame, "source.ip")).fill_null(value=True)
    )


def _went_out(frame: pl.DataFrame) -> pl.Expr:
    """Whether an event is traffic from the inside to the outside with a count of bytes."""
    source, target = _column(frame, "source.ip"), _column(frame, "destination.ip")
    sized = pl.coalesce(_column(frame, "source.bytes"), _column(frame, "http.request.bytes")).is_not_null()
    outside = ~is_inside(target).fill_null(value=False) & (
        target.is_not_null()
        | _column(frame, "destination.domain").is_not_null()
        | _column(frame, "url.domain").is_not_null()
    )
    traffic = _has(frame, "network") | _has(frame, "web")
    return traffic & sized & outside & is_inside(source).fill_null(value=True)


def _destination(frame: pl.DataFrame) -> pl.Expr:
    names = (
        "destination.domain", "url.domain", "tls.client.server_name", "destination.as.organization.name",
        "destination.ip",
    )  # fmt: skip
    return pl.coalesce(_column(frame, name) for name in names).alias("destination")


def _host(frame: pl.DataFrame) -> pl.Expr:
    return (
        pl.coalesce(_column(frame, name) for name in ("host.name", "host.hostname"))
        .str.to_lowercase()
        .alias("host")
    )
