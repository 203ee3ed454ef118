"""PAN-OS' fields to ECS columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import ecs, syslog
from sensors.panos.legacy import described
from sensors.schema import TIME
from sensors.url import url_columns

if TYPE_CHECKING:
    from sensors.sensor import Source

_NANOSECONDS: Final = 1_000_000_000
_SEVERITY: Final = {"critical": 1, "high": 2, "medium": 3, "low": 4, "informational": 5}
_ALLOWED: Final = ["alert", "allow", "continue"]
_DENIED: Final = [
    "deny", "drop", "drop-icmp", "drop-packet", "drop-all-packets", "reset-client", "reset-server", "reset-both",
    "reset client", "reset server", "reset both", "block-url", "block-ip", "block", "block-continue", "random-drop",
    "sinkhole",
]  # fmt: skip
_FLOW_ACTIONS: Final = {
    "start": "flow_started",
    "end": "flow_terminated",
    "drop": "flow_dropped",
    "deny": "flow_denied",
}
_THREAT_ACTIONS: Final = {
    "data": "data_match",
    "file": "file_match",
    "flood": "flood_detected",
    "packet": "packet_attack",
    "scan": "scan_detected",
    "spyware": "spyware_detected",
    "url": "url_filtering",
    "virus": "virus_detected",
    "vulnerability": "exploit_detected",
    "wildfire": "wildfire_verdict",
    "wildfire-virus": "wildfire_virus_detected",
}
# Fields that are their ECS column as they stand.
_PLAIN: Final = {
    "serial": "observer.serial_number",
    "from": "observer.ingress.zone",
    "to": "observer.egress.zone",
    "inbound_if": "observer.ingress.interface.name",
    "outbound_if": "observer.egress.interface.name",
    "rule": "rule.name",
    "rule_uuid": "rule.uuid",
    "user_agent": "user_agent.original",
    "referer": "http.request.referrer",
    "contenttype": "http.response.mime_type",
    "hostid": "host.id",
    "machinename": "host.name",
    "client_os": "host.os.family",
    "client_os_ver": "host.os.full",
    "os": "host.os.full",
    "location": "observer.geo.name",
    "sni": "tls.client.server_name",
    "tls_enc": "tls.cipher",
    "ec_curve": "tls.curve",
    "mail_from": "email.sender.address",
    "subject": "email.subject",
    "evidence": "event.reason",
}
# Fields that have no place in ECS, and are of use in a hunt.
_VENDOR: Final = {
    name: f"panw.panos.{name}"
    for name in (
        "type", "subtype", "vsys", "action", "flags", "sessionid", "session_end_reason", "category", "stage",
        "auth_method", "tunnel_type", "client_ver", "connect_method", "portal", "gateway", "error_code",
        "serialnumber", "selection_type", "datasource", "datasourcename", "datasourcetype", "matchname",
        "matchtype", "cmd", "path", "client", "clienttype", "authpolicy", "serverprofile", "object", "module",
        "url_category_list", "thr_category", "filetype", "category_of_app", "subcategory_of_app", "risk_of_app",
        "container_of_app", "seqno", "tag_name", "objectname", "before_change", "after_change", "factortype",
    )
}  # fmt: skip


def moment(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Sets `@timestamp`: the exact time with its zone, or when the firewall took the log down, or syslog's time."""
    for name in ("high_res", "receive_time", "time_generated"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(name))
    if "@timestamp" not in frame.columns:
        frame = frame.with_columns(
            pl.lit(None, TIME).alias("@timestamp"), pl.lit(None, pl.List(pl.String)).alias("molehunt.guess")
        )
    exact = pl.col("high_res").str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    exact = pl.when(exact.dt.year() > 1970).then(exact)  # noqa: PLR2004 - what is written where there is none
    taken = _time(pl.coalesce("receive_time", "time_generated"), source)
    named = pl.lit(None, pl.List(pl.String)) if source.zone_given else pl.lit(["zone"], pl.List(pl.String))
    local = pl.coalesce("receive_time", "time_generated").str.contains("/", literal=True)
    timed = frame.with_columns(exact.alias("exact"), taken.alias("taken"), local.alias("local"))
    return timed.with_columns(
        pl.coalesce("exact", "taken", "@timestamp").cast(TIME).alias("@timestamp"),
        pl.when(pl.col("exact").is_not_null())
        .then(pl.lit(None, pl.List(pl.String)))
        .when(pl.col("taken").is_not_null())
        .then(pl.when("local").then(named))
        .otherwise("molehunt.guess")
        .alias("molehunt.guess"),
    ).drop("exact", "taken", "local")


def _time(text: pl.Expr, source: Source) -> pl.Expr:
    local = text.str.to_datetime("%Y/%m/%d %H:%M:%S", strict=False, time_unit="us")
    zoned = text.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    return pl.coalesce(syslog.utc(local, source.zone), zoned)


def mapped(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The ECS columns of rows whose fields have the vendor's names."""
    frame = described(frame)
    have = set(frame.columns)
    named = [pl.col(old).alias(new) for old, new in {**_PLAIN, **_VENDOR}.items() if old in have]
    frame = frame.with_columns(*syslog.common(frame)).with_columns(named)
    frame = _addresses(frame)
    frame = _people(frame)
    frame = _flows(frame, source)
    frame = _meaning(frame)
    frame = _content(frame)
    return ecs.relations(
        frame,
        ip=("source.ip", "destination.ip", "source.nat.ip", "destination.nat.ip", "host.ip", "network.forwarded_ip"),
        user=("user.name", "source.user.name", "other_name", "destination.user.name"),
        hosts=("observer.hostname", "host.name", "dst_host", "src_host"),
    )


def _text(frame: pl.DataFrame, *names: str) -> pl.Expr:
    """The first value there is in the named columns, those that there are."""
    there = [pl.col(name) for name in names if name in frame.columns]
    return pl.coalesce(there) if there else pl.lit(None, pl.String)


def _addresses(frame: pl.DataFrame) -> pl.DataFrame:
    """Both ends, their translation, and where they are.

    Of a GlobalProtect session the source is the person's public address, translated to the one inside.
    """
    def real(*names: str) -> pl.Expr:
        there = [pl.when(~pl.col(name).is_in(["0.0.0.0", "::"])).then(name) for name in names if name in frame.columns]  # noqa: S104 - "no address"
        return pl.coalesce(there) if there else pl.lit(None, pl.String)

    inside = real("private_ip", "private_ipv6")
    ends = frame.with_columns(
        real("public_ip", "public_ipv6", "src", "srcipv6", "login_from").alias("source.address"),
        real("dst").alias("destination.address"),
        pl.coalesce(real("natsrc"), inside).alias("source.nat.ip"),
        real("natdst").alias("destination.nat.ip"),
        pl.coalesce(inside, _text(frame, "host")).alias("host.ip"),
        _text(frame, "device_name", "told_by").alias("observer.hostname"),
        *(
            _text(frame, name).cast(pl.Int64, strict=False).alias(new)
            for name, new in (("sport", "source.port"), ("dport", "destination.port"))
        ),
        *(
            _text(frame, name).cast(pl.Int64, strict=False).alias(new)
            for name, new in (("natsport", "source.nat.port"), ("natdport", "destination.nat.port"))
        ),
        _text(frame, "srcloc", "srcregion").alias("source.geo.name"),
        _text(frame, "dstloc").alias("destination.geo.name"),
    )
    source = [pl.coalesce(pl.col("source.address"), _text(frame, "host"))]
    code = "^[A-Z]{2}$"
    return ends.with_columns(
        *ecs.address("source", *source),
        *ecs.address("destination"),
        *(
            pl.when(pl.col(f"{side}.nat.ip").is_not_null()).then(f"{side}.nat.port").alias(f"{side}.nat.port")
            for side in ("source", "destination")
        ),
        *(
            pl.when(pl.col(f"{side}.geo.name").str.contains(code)).then(f"{side}.geo.name")
            .alias(f"{side}.geo.country_iso_code")
            for side in ("source", "destination")
        ),
        pl.when(ecs.is_ip(pl.col("host.ip"))).then("host.ip").alias("host.ip"),
    )


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """Users, and the address that a proxy forwarded for (PAN-OS writes it as a user: `x-fwd-for: 192.0.2.1`)."""
    raw = _text(frame, "srcuser", "admin", "said_user")
    forwarded = raw.str.extract(r"^x-fwd-for: *(\S+)", 1)
    xff = _text(frame, "xff", "xff_ip")
    frame = frame.with_columns(
        pl.when(forwarded.is_null()).then(raw).alias("raw_user"),
        pl.coalesce(forwarded, pl.when(ecs.is_ip(xff)).then(xff)).alias("network.forwarded_ip"),
    )
    frame = ecs.person(frame, "raw_user", "source.user", "user")
    if "dstuser" in frame.columns:
        frame = ecs.person(frame, "dstuser", "destination.user")
    if "normalize_user" in frame.columns:
        frame = ecs.person(frame, "normalize_user", "other")
        frame = frame.rename({"other.name": "other_name"}).drop("other.domain", "other.email")
    return frame


def _flows(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Bytes, packets, transport; when it began and how long it took."""
    def number(*names: str) -> pl.Expr:
        return _text(frame, *names).cast(pl.Int64, strict=False)

    transport = _text(frame, "proto").str.to_lowercase()
    seconds = number("elapsed", "login_duration")
    started = _time(_text(frame, "start"), source)
    flows = frame.with_columns(
        number("bytes").alias("network.bytes"),
        number("packets").alias("network.packets"),
        number("bytes_sent").alias("source.bytes"),
        number("bytes_received").alias("destination.bytes"),
        number("pkts_sent").alias("source.packets"),
        number("pkts_received").alias("destination.packets"),
        transport.alias("network.transport"),
        transport.replace_strict(ecs.PROTOCOLS, default=None, return_dtype=pl.String).alias("network.iana_number"),
        _text(frame, "app").str.to_lowercase().alias("network.application"),
        pl.when(pl.col("source.ip").str.contains(":", literal=True)).then(pl.lit("ipv6"))
        .when(pl.col("source.ip").is_not_null()).then(pl.lit("ipv4")).alias("network.type"),
        (seconds * _NANOSECONDS).alias("event.duration"),
        started.alias("event.start"),
        seconds.alias("seconds"),
    )
    whole = pl.col("event.start").is_not_null()
    logged_out = (pl.col("seconds") > 0) & pl.col("event.start").is_null()
    lasted = pl.duration(seconds="seconds")
    return flows.with_columns(
        pl.when(whole).then(pl.col("event.start") + lasted).when(logged_out).then("@timestamp").alias("event.end"),
        pl.when(logged_out).then(pl.col("@timestamp") - lasted).otherwise("event.start").alias("event.start"),
    )


def _meaning(frame: pl.DataFrame) -> pl.DataFrame:
    """`event.kind`, `.category`, `.type`, `.action`, `.outcome`, `.code`, `.severity`, by the type of log."""
    kind, sub = pl.col("type"), _text(frame, "subtype").str.to_lowercase()
    event = _text(frame, "eventid")
    action = _text(frame, "action").str.to_lowercase()
    result = _text(frame, "status", "result", "event").str.to_lowercase()
    level = _text(frame, "severity").str.to_lowercase()
    flow, threat, vpn = kind == "TRAFFIC", kind == "THREAT", pl.col("is_vpn")
    allowed, denied = action.is_in(_ALLOWED), action.is_in(_DENIED)
    login = vpn & event.str.contains("auth|prelogin|login|regist")
    begins = vpn & event.str.contains("connected$|setup-ipsec|setup-ssl|-regist-succ")
    ends = vpn & event.str.contains("logout|disconnect|config-release|inactiv")

    def lists(*cases: tuple[pl.Expr, list[str]]) -> pl.Expr:
        chain = pl.coalesce(*(pl.when(when).then(pl.lit(then, pl.List(pl.String))) for when, then in cases))
        return chain

    outcome = (
        pl.when(flow | threat).then(pl.when(allowed).then(pl.lit("success")).otherwise(pl.lit("failure")))
        .when(result.str.contains("succe|^ok$")).then(pl.lit("success"))
        .when(result.str.contains("fail|denied|reject|lock|timeout")).then(pl.lit("failure"))
        .when(vpn & event.str.contains("-succ$")).then(pl.lit("success"))
        .when(vpn & event.str.contains("-fail$")).then(pl.lit("failure"))
        .when(kind == "DECRYPTION").then(
            pl.when(_text(frame, "decrypt_error").is_null()).then(pl.lit("success")).otherwise(pl.lit("failure"))
        )
        .when(kind == "CORRELATION").then(pl.lit("success"))
        .when(kind == "CONFIG").then(pl.lit("unknown"))
        .otherwise(_text(frame, "said_outcome"))
    )
    return frame.with_columns(
        pl.when(threat).then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        pl.lit("panw.panos").alias("event.dataset"),
        pl.lit("Palo Alto Networks").alias("observer.vendor"),
        pl.lit("PAN-OS").alias("observer.product"),
        pl.lit("firewall").alias("observer.type"),
        lists(
            (threat, ["intrusion_detection", "threat", "network"]),
            (login | (kind == "AUTHENTICATION"), ["authentication", "network"]),
            (_text(frame, "said_outcome").is_not_null() & ~vpn, ["authentication", "configuration"]),
            (vpn, ["network", "session"]),
            (kind == "USERID", ["network", "iam"]),
            (kind.is_in(["CONFIG", "SYSTEM", "audit"]), ["configuration"]),
            (pl.lit(value=True), ["network"]),
        ).alias("event.category"),
        lists(
            (flow & (sub == "start") & allowed, ["allowed", "start", "connection"]),
            (flow & (sub == "end") & allowed, ["allowed", "end", "connection"]),
            (flow & (sub == "start"), ["denied", "start", "connection"]),
            (flow & (sub == "end"), ["denied", "end", "connection"]),
            (flow & sub.is_in(["drop", "deny"]), ["denied", "connection"]),
            (allowed, ["allowed"]),
            (denied, ["denied"]),
            (begins, ["connection", "start"]),
            (ends, ["connection", "end"]),
            (login, ["info"]),
            (vpn, ["connection", "info"]),
            ((kind == "USERID") & (sub == "login"), ["user", "start"]),
            ((kind == "USERID") & (sub == "logout"), ["user", "end"]),
            (kind == "CONFIG", ["change"]),
            (pl.lit(value=True), ["info"]),
        ).alias("event.type"),
        pl.coalesce(
            pl.when(flow).then(sub.replace_strict(_FLOW_ACTIONS, default=None, return_dtype=pl.String)),
            pl.when(threat).then(sub.replace_strict(_THREAT_ACTIONS, default=None, return_dtype=pl.String)),
            pl.when(kind == "CONFIG").then(pl.concat_str(pl.lit("cmd-"), _text(frame, "cmd").str.to_lowercase())),
            pl.when(kind == "USERID").then(pl.concat_str(pl.lit("user-"), sub)),
            pl.when(vpn).then(event),
        ).alias("event.action"),
        outcome.alias("event.outcome"),
        event.alias("event.code"),
        level.replace_strict(_SEVERITY, default=None, return_dtype=pl.Int64).alias("event.severity"),
        level.alias("log.level"),
        pl.coalesce(_text(frame, "reason", "said_reason"), _text(frame, "error")).alias("event.reason"),
        pl.coalesce(_text(frame, "opaque", "message"), _text(frame, "decrypt_error")).alias("message"),
    )


def _content(frame: pl.DataFrame) -> pl.DataFrame:
    """What was fetched: URLs, files, TLS; the threat and its direction."""
    columns: list[pl.Expr] = []
    have = set(frame.columns)
    if "misc" in have:
        sub, misc = _text(frame, "subtype").str.to_lowercase(), pl.col("misc")
        path = misc.str.contains(r"[/\\]")
        fetched = (sub == "url") | (sub.is_in(["virus", "vulnerability", "wildfire", "spyware"]) & misc.str.contains("/", literal=True))
        a_file = sub.is_in(["file", "virus", "vulnerability", "wildfire", "data"])
        columns += [
            pl.when(fetched).then(misc).alias("url.original"),
            pl.when((sub == "file") & path).then(misc).alias("file.path"),
            pl.when(a_file & ~path & (sub != "data")).then(misc)
            .when((sub == "file") & path).then(misc.str.extract(r"([^/\\]+)$", 1)).alias("file.name"),
        ]
    if "direction" in have:
        words = {"0": "inbound", "client-to-server": "inbound", "1": "outbound", "server-to-client": "outbound"}
        threat = pl.col("type") == "THREAT"
        columns.append(
            pl.when(threat).then(pl.col("direction").replace_strict(words, default="unknown")).alias("network.direction")
        )
    if "threatid" in have:
        columns += [
            pl.col("threatid").str.extract(r"^(.*?) ?\(\d+\)$", 1).alias("panw.panos.threat_name"),
            pl.col("threatid").str.extract(r"\( ?(\d+)\)$", 1).alias("panw.panos.threat_id"),
        ]
    if "http_method" in have:
        columns.append(pl.col("http_method").str.to_uppercase().alias("http.request.method"))
    if "filedigest" in have:
        digest = pl.col("filedigest").str.to_lowercase()
        columns += [
            pl.when(digest.str.len_bytes() == size).then(digest).alias(f"file.hash.{name}")
            for name, size in (("md5", 32), ("sha1", 40), ("sha256", 64))
        ]
    if "tls_version" in have:
        columns += [
            pl.col("tls_version").str.extract(r"^([A-Za-z]+)", 1).str.to_lowercase().alias("tls.version_protocol"),
            pl.col("tls_version").str.extract(r"([0-9.]+)$", 1).alias("tls.version"),
        ]
    if "mac" in have:
        columns.append(pl.col("mac").str.to_uppercase().str.replace_all("[:.]", "-").alias("host.mac"))
    frame = frame.with_columns(columns)
    if "url.original" in frame.columns and frame["url.original"].null_count() < frame.height:
        frame = url_columns(frame)
        frame = frame.with_columns(
            pl.when(pl.col("url.port").is_null()).then("url.domain").alias("destination.domain")
        )
    return frame
