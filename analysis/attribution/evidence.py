"""What events say of who held an address or sat at a computer, as a small table (the map step)."""

from __future__ import annotations

from typing import Final

import polars as pl

from analysis.context.addresses import normal
from analysis.identity import columns
from sensors.schema import TIME

SCHEMA: Final[dict[str, pl.DataType]] = {
    "kind": pl.String(),  # vpn, mapping, dhcp, logon
    "ends": pl.Boolean(),  # whether it says that something is over
    "key": pl.String(),  # the address, or the computer
    "at": TIME,
    "product": pl.String(),  # whose log it is; ends are of the sessions of one product
    "file": pl.String(),
    "order": pl.Int64(),  # where in the file, so that records of one second keep their order
    "public": pl.String(),  # a VPN user's address outside
    "host": pl.String(),
    "mac": pl.String(),
    "session": pl.String(),  # Windows' logon id
    "again": pl.Boolean(),  # a sign of life (unlocking) within a session
    "length": pl.Duration("us"),  # of the session that ended, or of the lease
    **dict.fromkeys(columns.READ, pl.String()),
}
_LEASE_TIMES: Final = (
    "zeek.dhcp.lease_time",
    "capture.dhcp.lease_time",
    "capture.dhcpv6.lease_time",
)  # seconds
# The columns that `leases` reads.
SAYS_HOLDERS: Final = (
    *columns.READ, "@timestamp", "client.ip", "client.mac", "destination.ip", "destination.port",
    "event.action", "event.category", "event.code", "event.duration", "event.outcome", "event.provider",
    "event.type", "log.file.line", "log.file.path", "log.offset", "source.ip", "source.mac", "source.nat.ip",
    "winlog.event_data.LogonType", "winlog.event_data.TargetLogonId", "winlog.logon.id", "winlog.logon.type",
    "winlog.record_id", "zeek.dhcp.address.assigned", "zeek.dhcp.address.mac", "zeek.dhcp.client_fqdn",
    "zeek.dhcp.hostname", *_LEASE_TIMES,
)  # fmt: skip
_NO_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - what logs write for none, nothing is bound
# What ends a session, but not what only interrupts it: AnyConnect keeps the address while a tunnel is down
# (722023, 722028, 722037) and while it waits for the client to resume (716058).
_OVER: Final = (
    r"(?i)logout|logoff|log-out|disconnect|released?$|config-release|session-(?:end|logoff)|tunnel-down"
)
_INTERRUPTED: Final = ("716058", "722023", "722028", "722037", "722012")
_LEASED: Final = r"(?i)^(?:dhcp.?)?ack$|assign|renew|grant|leased?$|^reply$"
_RELEASED: Final = r"(?i)release|expire|decline"
# learn.microsoft.com/windows/security/threat-protection/auditing/event-4624: at the keyboard or by remote
# desktop.
_AT_THE_KEYBOARD: Final = (
    "2", "10", "11", "12", "interactive", "remoteinteractive", "cachedinteractive", "cachedremoteinteractive",
)  # fmt: skip
_UNLOCKED: Final = ("7", "13", "unlock", "cachedunlock")
_MICROSECONDS: Final = 1_000_000


def leases(frame: pl.DataFrame) -> pl.DataFrame:
    """The evidence in a batch of events: begins, signs of life and ends, in the columns of `SCHEMA`.

    VPN sessions and IP-user mappings (address and user), DHCP leases (address and computer), interactive
    logons (computer and user). Who a user is, is asked later: the columns that identity reads are kept.
    """
    found = [empty()]
    for which in (_vpn, _mapping, _dhcp, _logon):
        rows = which(frame)
        if rows is not None and rows.height:
            found.append(_finished(rows))
    return pl.concat(found)


def empty() -> pl.DataFrame:
    """No evidence."""
    return pl.DataFrame(schema=SCHEMA)


def _vpn(frame: pl.DataFrame) -> pl.DataFrame | None:
    """Sessions of VPN gateways: a user with an address assigned inside; ends, if need be without it."""
    people = [
        name for name in ("user.name", "source.user.name", "user.email", "user.id") if name in frame.columns
    ]
    if not people or not {"source.nat.ip", "event.type", "event.action"} & set(frame.columns):
        return None
    assigned = _address(frame, "source.nat.ip")
    action, code = _text(frame, "event.action"), _text(frame, "event.code")
    over = (
        _has(frame, "event.type", "end") | action.str.contains(_OVER) | code.str.contains(_OVER)
    ).fill_null(value=False) & ~code.is_in(_INTERRUPTED).fill_null(value=False)
    is_flow = _text(frame, "destination.port").is_not_null() | _text(frame, "destination.ip").is_not_null()
    is_vpn = _has(frame, "event.category", "session") | assigned.is_not_null()
    named = pl.any_horizontal(pl.col(people).is_not_null())
    failed = (_text(frame, "event.outcome") == "failure").fill_null(value=False)
    on_windows = columns.namespace(frame).is_in(["windows", "linux"])
    return frame.filter(
        ~is_flow
        & ~failed
        & is_vpn
        & ~on_windows
        & ((named & assigned.is_not_null()) | (over & (named | assigned.is_not_null())))
    ).with_columns(
        kind=pl.lit("vpn"),
        ends=over,
        key=assigned,
        public=_address(frame, "source.ip"),
        length=_number(frame, "event.duration") // 1000,
    )


def _mapping(frame: pl.DataFrame) -> pl.DataFrame | None:
    """What a firewall's agent says of who is at an address (Cisco 746012 and 746013)."""
    if not {"event.action", "source.ip"} <= set(frame.columns):
        return None
    action = _text(frame, "event.action")
    return frame.filter(
        action.is_in(["ip-user-mapping-added", "ip-user-mapping-removed"]) & pl.col("source.ip").is_not_null()
    ).with_columns(
        kind=pl.lit("mapping"), ends=action == "ip-user-mapping-removed", key=_address(frame, "source.ip")
    )


def _dhcp(frame: pl.DataFrame) -> pl.DataFrame | None:
    """Leases: Zeek's dhcp.log, and whatever else says which computer was granted an address."""
    if "event.action" not in frame.columns:
        return None
    action = _text(frame, "event.action")
    is_dhcp = _text(frame, "event.dataset").str.contains("dhcp", literal=True).fill_null(value=False)
    leased = action.str.contains(_LEASED) & (is_dhcp | (action == "address-granted"))
    released = action.str.contains(_RELEASED) & is_dhcp
    address = pl.coalesce(
        *(_address(frame, name) for name in ("zeek.dhcp.address.assigned", "client.ip", "source.ip"))
    )
    shipper = _text(frame, "event.dataset").str.starts_with("zeek") | (action == "address-granted")
    named = pl.coalesce(
        _text(frame, "zeek.dhcp.hostname"),
        _text(frame, "zeek.dhcp.client_fqdn"),
        pl.when(~shipper).then(pl.coalesce(_text(frame, "host.hostname"), _text(frame, "host.name"))),
    )
    macs = (_text(frame, name) for name in ("zeek.dhcp.address.mac", "source.mac", "client.mac"))
    return frame.filter((leased | released) & address.is_not_null()).with_columns(
        kind=pl.lit("dhcp"),
        ends=released,
        key=address,
        host=named.str.to_lowercase().str.extract(r"^([^.]+)").str.head(15),
        mac=pl.coalesce(*macs).str.to_lowercase().str.replace_all(r"[^0-9a-f]", ""),
        length=pl.coalesce(_number(frame, name) for name in _LEASE_TIMES) * _MICROSECONDS,
    )


def _logon(frame: pl.DataFrame) -> pl.DataFrame | None:
    """Interactive logons to Windows and their ends (Security, TerminalServices-LocalSessionManager)."""
    if "event.code" not in frame.columns or not {"host.name", "host.hostname"} & set(frame.columns):
        return None
    code, provider = _text(frame, "event.code"), _text(frame, "event.provider")
    security = (columns.namespace(frame) == "windows") & provider.str.contains("Security-Auditing").fill_null(
        value=True
    )
    local = provider.str.contains("LocalSessionManager").fill_null(value=False)
    kind = pl.coalesce(_text(frame, "winlog.event_data.LogonType"), _text(frame, "winlog.logon.type"))
    interactive = kind.str.to_lowercase().is_in(_AT_THE_KEYBOARD)
    unlocked = kind.str.to_lowercase().is_in(_UNLOCKED)
    begins = (security & (code == "4624") & (interactive | unlocked)) | (local & (code == "21"))
    again = security & code.is_in(["4778", "4801"]) | (local & (code == "25"))
    ends = (security & ((code == "4647") | ((code == "4634") & interactive))) | (local & (code == "23"))
    marks = [mark.fill_null(value=False) for mark in (begins, again, ends)]
    return frame.filter(pl.any_horizontal(marks) & columns.host(frame).is_not_null()).with_columns(
        kind=pl.lit("logon"),
        ends=marks[2],
        again=marks[1] | (marks[0] & unlocked.fill_null(value=False)),
        key=columns.host(frame),
        session=pl.when(code.is_in(["4624", "4634"])).then(
            pl.coalesce(_text(frame, "winlog.event_data.TargetLogonId"), _text(frame, "winlog.logon.id"))
        ),
    )


def _finished(rows: pl.DataFrame) -> pl.DataFrame:
    """The columns of `SCHEMA`, addresses in one spelling."""
    places = (_number(rows, name) for name in ("log.offset", "winlog.record_id", "log.file.line"))
    rows = rows.with_columns(
        at=pl.col("@timestamp"),
        product=columns.namespace(rows),
        file=_text(rows, "log.file.path"),
        order=pl.coalesce(*places, pl.lit(0, pl.Int64)),
    )
    absent = [pl.lit(None, kind).alias(name) for name, kind in SCHEMA.items() if name not in rows.columns]
    whole = rows.with_columns(absent).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    spelled = normal(whole["key"])
    is_host = whole["kind"] == "logon"
    return whole.with_columns(
        key=pl.when(is_host).then("key").otherwise(spelled), public=normal(whole["public"])
    )


def _address(frame: pl.DataFrame, name: str) -> pl.Expr:
    text = _text(frame, name)
    return pl.when(~text.is_in(_NO_ADDRESS)).then(text)


def _has(frame: pl.DataFrame, name: str, word: str) -> pl.Expr:
    if name not in frame.columns:
        return pl.lit(value=False)
    return pl.col(name).list.contains(word).fill_null(value=False)


def _number(frame: pl.DataFrame, name: str) -> pl.Expr:
    if name not in frame.columns:
        return pl.lit(None, pl.Int64)
    return pl.col(name).cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)


def _text(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if name in frame.columns else pl.lit(None, pl.String)
