"""Suricata's EVE JSON: alerts, flows, and what was seen of each protocol.

Source of the fields: https://docs.suricata.io/en/latest/output/eve/eve-json-format.html; mapping after
Elastic's integration `suricata`. Names that ECS lacks stay where Suricata has them, under `suricata.eve`. The
packet that raised an alert may go from the server to the client: ends are kept as Suricata gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.reading import json_table
from sensors.reading.distinct import by_value
from sensors.reading.json_table import integer, mapped, objects, text, texts, time
from sensors.shapes.mapping import flags
from sensors.values import connection, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

FIELDS: Final = {
    "rule.id": "alert.signature_id",
    "rule.name": "alert.signature",
    "rule.category": "alert.category",
    "message": ("alert.category", "alert.signature"),
    "observer.name": "host",
    "observer.hostname": "host",
    "observer.ingress.interface.name": "in_iface",
    "network.vlan.id": "vlan",
    "url.original": "http.url",
    "http.request.method": "http.http_method",
    "http.request.referrer": "http.http_refer",
    "http.response.mime_type": "http.http_content_type",
    "user_agent.original": "http.http_user_agent",
    "dns.id": "dns.id",
    "tls.client.server_name": "tls.sni",
    "tls.client.ja3": ("tls.ja3.hash", "quic.ja3.hash"),
    "tls.server.ja3s": ("tls.ja3s.hash", "quic.ja3s.hash"),
    "tls.server.subject": "tls.subject",
    "tls.server.issuer": "tls.issuerdn",
    "tls.server.x509.serial_number": "tls.serial",
    "tls.client.subject": "tls.client.subject",
    "tls.client.issuer": "tls.client.issuerdn",
    "tls.cipher": "tls.cipher_suite",
    "email.subject": "email.subject",
    "email.message_id": "email.message_id",
    "file.path": ("fileinfo.filename", "smb.filename", "nfs.filename"),
    "file.size": "fileinfo.size",
    "file.hash.md5": "fileinfo.md5",
    "file.hash.sha1": "fileinfo.sha1",
    "file.hash.sha256": "fileinfo.sha256",
    "file.mime_type": "fileinfo.magic",
    "user.name": ("rdp.cookie", "smb.ntlmssp.user", "krb5.cname"),
    "user.domain": ("smb.ntlmssp.domain", "krb5.realm"),
    "source.user.name": ("rdp.cookie", "smb.ntlmssp.user", "krb5.cname"),
    "source.user.domain": ("smb.ntlmssp.domain", "krb5.realm"),
    "network.community_id": "community_id",
    "event.reason": ("flow.reason", "anomaly.event"),
}
# As Suricata names them, below `suricata.eve`.
OWN: Final = (
    "flow_id", "event_type", "tx_id", "pcap_cnt", "app_proto", "app_proto_orig", "flow.state", "flow.age",
    "flow.alerted", "alert.gid", "alert.rev", "alert.action", "anomaly.type", "anomaly.event",
    "anomaly.layer", "dns.rrname", "dns.rrtype", "dns.type", "dhcp.type", "dhcp.dhcp_type", "dhcp.id",
    "dhcp.client_mac", "dhcp.assigned_ip", "dhcp.client_ip", "dhcp.relay_ip", "dhcp.next_server_ip",
    "dhcp.hostname", "dhcp.lease_time", "dhcp.vendor_class_identifier", "dhcp.requested_ip",
    "fileinfo.state", "fileinfo.stored", "fileinfo.gaps", "fileinfo.tx_id", "fileinfo.file_id",
    "ftp.command", "ftp.command_data", "ftp.reply", "ftp.completion_code", "ftp_data.filename",
    "ftp_data.command", "ikev2.exchange_type", "ike.exchange_type", "ike.init_spi", "ike.resp_spi",
    "krb5.msg_type", "krb5.sname", "krb5.error_code", "krb5.encryption", "krb5.weak_encryption",
    "mqtt.connect.client_id", "mqtt.publish.topic", "nfs.procedure", "nfs.type", "nfs.status", "quic.sni",
    "quic.version", "quic.ua", "rdp.event_type", "rdp.cookie", "rdp.client.client_name",
    "rdp.client.build", "rdp.client.version", "rdp.client.product_id", "rdp.client.keyboard_layout",
    "rdp.client.keyboard_type", "rdp.client.desktop_width", "rdp.client.desktop_height",
    "rdp.client.color_depth", "rdp.protocol", "rdp.error_code", "rdp.reason", "rdp.server_supports",
    "rdp.tx_id", "rfb.authentication.security_type", "rfb.authentication.security_result",
    "rfb.screen_shared", "rfb.server_protocol_version.major", "rfb.server_protocol_version.minor",
    "rfb.framebuffer.name", "sip.method", "sip.uri", "sip.code", "sip.reason", "smb.command", "smb.share",
    "smb.filename", "smb.status", "smb.dialect", "smb.session_id", "smb.named_pipe", "smb.ntlmssp.host",
    "smtp.helo", "smtp.mail_from", "snmp.community", "snmp.version", "snmp.pdu_type",
    "ssh.client.software_version", "ssh.client.proto_version", "ssh.client.hassh.hash",
    "ssh.client.hassh.string", "ssh.server.software_version", "ssh.server.proto_version",
    "ssh.server.hassh.hash", "tftp.packet", "tftp.file", "tftp.mode", "tls.fingerprint", "tls.ja4",
    "tls.session_resumed", "tls.ja3.string", "tls.ja3s.string", "tls.notbefore", "tls.notafter",
    "http.protocol", "http.redirect", "tcp.tcp_flags", "tcp.state", "icmp_type", "icmp_code",
    "tunnel.src_ip", "tunnel.dest_ip", "tunnel.proto", "tunnel.depth", "drop.reason", "verdict.action",
    "modbus.category", "bittorrent_dht.request_type", "websocket.opcode",
)  # fmt: skip
# event_type: categories, types. What is not listed is one application protocol's record.
KINDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "alert": (("network", "intrusion_detection"), ()),
    "drop": (("network",), ("connection", "denied")),
    "anomaly": (("network",), ("info",)),
    "flow": (("network",), ("connection",)),
    "netflow": (("network",), ("connection",)),
    "fileinfo": (("network", "file"), ("info",)),
    "http": (("network", "web"), ("access", "protocol")),
    "smtp": (("network", "email"), ("protocol",)),
    "stats": ((), ("info",)),
    "packetinfo": (("network",), ("info",)),
    "metadata": (("network",), ("info",)),
    "engine": ((), ("info",)),
}
_PROTOCOL: Final = (("network",), ("protocol",))
_SIDES: Final = (("source", "src", "toserver"), ("destination", "dest", "toclient"))
_FLAGS: Final = ("aa", "tc", "rd", "ra")
_ADDRESSES: Final = ("A", "AAAA")
_REFUSED_FROM: Final = 400
_NOT_PROTOCOLS: Final = frozenset(KINDS) - {"http", "smtp"}
_EVENT_KINDS: Final = {"alert": "alert", "stats": "metric"}


class Suricata:
    """The sensor."""

    name = "suricata"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records have a type, a time, and what only Suricata names so."""
        return json_table.mostly(head, _is_eve)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            fits = text(table, "event_type").is_not_null() & time(table, "timestamp").is_not_null()
            kept = json_table.kept(table, fits, source, "no event of Suricata: no type, or no time")
            if kept.height:
                yield _events(kept)


SENSOR: Final = Suricata()


def _is_eve(record: dict[str, object]) -> bool:
    kind = record.get("event_type")
    if not isinstance(kind, str) or not isinstance(record.get("timestamp"), str):
        return False
    return "flow_id" in record or ("src_ip" in record and "dest_ip" in record) or kind in record


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    kind = text(frame, "event_type")
    columns = [
        column
        for side, word, way in _SIDES
        for column in (
            *ecs.address(side, text(frame, f"{word}_ip")),
            integer(frame, f"{word}_port").alias(f"{side}.port"),
            integer(frame, f"flow.bytes_{way}", *(["netflow.bytes"] * (side == "source"))).alias(
                f"{side}.bytes"
            ),
            integer(frame, f"flow.pkts_{way}", *(["netflow.pkts"] * (side == "source"))).alias(
                f"{side}.packets"
            ),
            _mac(frame, word).alias(f"{side}.mac"),
        )
    ]
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "timestamp").alias("@timestamp"),
        pl.lit("suricata.eve").alias("event.dataset"),
        kind.alias("event.action"),
        kind.replace_strict(_EVENT_KINDS, default="event", return_dtype=pl.String).alias("event.kind"),
        _category(kind).alias("event.category"),
        _types(frame, kind).alias("event.type"),
        _outcome(frame, kind).alias("event.outcome"),
        integer(frame, "alert.severity").alias("event.severity"),
        time(frame, "flow.start", "netflow.start").alias("event.start"),
        time(frame, "flow.end", "netflow.end").alias("event.end"),
        pl.lit("OISF").alias("observer.vendor"),
        pl.lit("Suricata").alias("observer.product"),
        pl.lit("ids").alias("observer.type"),
        text(frame, "proto").str.to_lowercase().alias("network.transport"),
        _protocol(frame, kind).alias("network.protocol"),
        integer(frame, "http.status").alias("http.response.status_code"),
        integer(frame, "http.length").alias("http.response.body.bytes"),
        text(frame, "http.protocol").str.extract(r"^HTTP/(.+)$", 1).alias("http.version"),
        text(frame, "tls.version").str.extract(r"^(?:TLS|SSL)v? ?([0-9.]+)$", 1).alias("tls.version"),
        text(frame, "tls.version")
        .str.extract(r"^(TLS|SSL)", 1).str.to_lowercase().alias("tls.version_protocol"),
        text(frame, "tls.fingerprint").str.replace_all(":", "")
        .str.to_uppercase().alias("tls.server.hash.sha1"),
        time(frame, "tls.notbefore").alias("tls.server.not_before"),
        time(frame, "tls.notafter").alias("tls.server.not_after"),
        text(frame, "fileinfo.filename", "smb.filename", "nfs.filename")
        .str.extract(r"([^/\\]+)$", 1).alias("file.name"),
        pl.coalesce(text(frame, "email.from"), text(frame, "smtp.mail_from").str.strip_chars("<>"))
        .alias("email.from.address"),
        texts(frame, "email.to").alias("email.to.address"),
        texts(frame, "email.cc").alias("email.cc.address"),
        pl.coalesce(text(frame, "rdp.client.client_name", "smb.ntlmssp.host", "dhcp.hostname"))
        .alias("host.name"),
        *columns,
        *mapped(frame, FIELDS),
        *_dns(frame),
        *(text(frame, path).alias(f"suricata.eve.{path}") for path in OWN if path in frame.columns),
        *(
            texts(frame, path).list.join(",").alias(f"suricata.eve.{path}")
            for path in ("rdp.channels", "metadata.flowbits")
        ),
        integer(frame, "icmp_type").alias("~icmp"),
        integer(frame, "icmp_code").alias("~code"),
        text(frame, "http.hostname").alias("~host"),
    )  # fmt: skip
    return _related(_completed(events))


def _mac(frame: pl.DataFrame, word: str) -> pl.Expr:
    hexed = pl.coalesce(text(frame, f"ether.{word}_mac"), texts(frame, f"ether.{word}_macs").list.first())
    return hexed.str.replace_all(":", "-").str.to_uppercase()


def _category(kind: pl.Expr) -> pl.Expr:
    return _listed(kind, {name: given for name, (given, _) in KINDS.items()}, _PROTOCOL[0])


def _listed(kind: pl.Expr, table: dict[str, tuple[str, ...]], default: tuple[str, ...]) -> pl.Expr:
    return _words(kind.replace_strict(_joined(table), default=",".join(default), return_dtype=pl.String))


def _joined(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {name: ",".join(given) for name, given in table.items()}


def _words(text: pl.Expr) -> pl.Expr:
    """A list of the words of a text, null where there is none."""
    kinds = pl.List(pl.String)
    return by_value(text, lambda one: pl.when(one != "").then(one.str.split(",")), kinds)


def _types(frame: pl.DataFrame, kind: pl.Expr) -> pl.Expr:
    """Of flows also whether they began or ended; of alerts whether the packet was let through."""
    state = text(frame, "flow.state")
    passed = text(frame, "alert.action").replace_strict(
        {"allowed": "allowed", "blocked": "denied"}, default=None, return_dtype=pl.String
    )
    more = (
        pl.when((kind == "flow") & (state == "new"))
        .then(pl.lit("start"))
        .when((kind == "flow") & (state == "closed"))
        .then(pl.lit("end"))
        .when(kind == "alert")
        .then(passed)
    )
    types = _joined({name: given for name, (_, given) in KINDS.items()})
    known = kind.replace_strict(types, default=",".join(_PROTOCOL[1]), return_dtype=pl.String)
    return _words(pl.concat_str(pl.when(known != "").then(known), more, separator=",", ignore_nulls=True))


def _outcome(frame: pl.DataFrame, kind: pl.Expr) -> pl.Expr:
    status = integer(frame, "http.status")
    return (
        pl.when((kind != "http") | status.is_null())
        .then(None)
        .when(status >= _REFUSED_FROM)
        .then(pl.lit("failure"))
        .otherwise(pl.lit("success"))
    )


def _protocol(frame: pl.DataFrame, kind: pl.Expr) -> pl.Expr:
    named = text(frame, "app_proto").str.to_lowercase()
    of_record = pl.when(~kind.is_in(list(_NOT_PROTOCOLS))).then(kind)
    return pl.coalesce(pl.when(~named.is_in(["failed", "unknown"])).then(named), of_record)


def _dns(frame: pl.DataFrame) -> list[pl.Series]:
    """Questions and answers of versions 1 (one answer a record), 2 and 3 (lists) of the format.

    Lists cost as much where there are none: the records that are of DNS are looked at alone.
    """
    names = [name for name in frame.columns if name.casefold().startswith("dns.")]
    there = frame.select(pl.any_horizontal(pl.lit(value=False), pl.col(names).is_not_null()))
    rows = there.to_series().arg_true() if names else pl.Series([], dtype=pl.UInt32)
    part = frame.select("log.offset", *names)[rows if len(rows) else [0]]
    place = np.full(frame.height, -1)
    place[rows] = np.arange(len(rows))
    numbers = pl.Series(place).set(pl.Series(place < 0), None)
    keys = ("rrname", "rrtype", "rdata", "ttl")
    part = part.with_columns(
        objects(part, "dns.answers", *keys).alias("~answers"),
        objects(part, "dns.queries", "rrname", "rrtype").alias("~queries"),
    )
    part = part.with_columns(_answers(part, keys).alias("~answers"))
    return [column.gather(numbers) for column in part.select(_dns_fields(part)).iter_columns()]


def _answers(frame: pl.DataFrame, keys: tuple[str, ...]) -> pl.Expr:
    """All the answers of a record, or the only one."""
    alone = _has_one_answer(frame)
    single = pl.concat_list(
        pl.when(alone).then(pl.struct(text(frame, f"dns.{key}").alias(key) for key in keys))
    ).list.drop_nulls()
    listed = pl.col("~answers")
    return pl.when(listed.list.len() > 0).then(listed).when(alone).then(single)


def _is_answer(frame: pl.DataFrame) -> pl.Expr:
    return text(frame, "dns.type").is_in(["answer", "response"])


def _has_one_answer(frame: pl.DataFrame) -> pl.Expr:
    return _is_answer(frame) & text(frame, "dns.rdata").is_not_null()


def _dns_fields(frame: pl.DataFrame) -> list[pl.Expr]:
    answers = pl.col("~answers")
    kind = text(frame, "dns.type")
    alone = _has_one_answer(frame)
    addresses = answers.list.filter(pl.element().struct.field("rrtype").is_in(_ADDRESSES))
    set_flags = flags({flag.upper(): text(frame, f"dns.{flag}") == "true" for flag in _FLAGS})
    names = {"name": "rrname", "type": "rrtype", "data": "rdata", "ttl": "ttl"}
    first = pl.col("~queries").list.first().struct
    return [
        pl.coalesce(text(frame, "dns.rrname"), first.field("rrname")).alias("dns.question.name"),
        pl.coalesce(pl.when(~alone).then(text(frame, "dns.rrtype")), first.field("rrtype"))
        .alias("dns.question.type"),
        text(frame, "dns.rcode").alias("dns.response_code"),
        pl.when(_is_answer(frame)).then(pl.lit("answer")).when(kind.is_not_null()).then(pl.lit("query"))
        .alias("dns.type"),
        pl.when(set_flags.list.len() > 0).then(set_flags).alias("dns.header_flags"),
        *(
            answers.list.eval(pl.element().struct.field(key)).list.drop_nulls().alias(f"dns.answers.{name}")
            for name, key in names.items()
        ),
        addresses.list.eval(pl.element().struct.field("rdata")).list.drop_nulls().alias("dns.resolved_ip"),
    ]  # fmt: skip


def _completed(events: pl.DataFrame) -> pl.DataFrame:
    """What follows from the columns: sums, durations, parts of URLs, names of the far end."""
    both = [pl.col(f"{side}.bytes") for side in ("source", "destination")]
    packets = [pl.col(f"{side}.packets") for side in ("source", "destination")]
    started, ended = pl.col("event.start"), pl.col("event.end")
    sized = [pl.any_horizontal(column.is_not_null() for column in pair) for pair in (both, packets)]
    events = url_columns(events).with_columns(
        pl.coalesce("~host", "url.domain").alias("url.domain"),
        pl.when(sized[0]).then(pl.sum_horizontal(both)).alias("network.bytes"),
        pl.when(sized[1]).then(pl.sum_horizontal(packets)).alias("network.packets"),
        (ended - started).dt.total_microseconds().mul(1000).alias("event.duration"),
        pl.coalesce("~host", "tls.client.server_name").alias("destination.domain"),
        pl.when(pl.col("dns.resolved_ip").list.len() > 0).then("dns.resolved_ip").alias("dns.resolved_ip"),
        pl.col("tls.server.subject")
        .str.extract(r"CN=([^,/]+)", 1)
        .alias("tls.server.x509.subject.common_name"),
        pl.col("tls.server.issuer")
        .str.extract(r"CN=([^,/]+)", 1)
        .alias("tls.server.x509.issuer.common_name"),
    )
    return connection.described(events, ("~icmp", "~code"))


def _related(events: pl.DataFrame) -> pl.DataFrame:
    return events.with_columns(
        _related_addresses(events),
        ecs.related(["url.domain", "tls.client.server_name", "host.name"]).alias("related.hosts"),
        ecs.related(["user.name"]).alias("related.user"),
        ecs.related(["file.hash.md5", "file.hash.sha1", "file.hash.sha256"]).alias("related.hash"),
    ).drop("~icmp", "~code", "~host")


def _related_addresses(events: pl.DataFrame) -> pl.Series:
    """The addresses of both ends, and of what was asked for where anything was."""
    both = events.select(ecs.related(["source.ip", "destination.ip"]).alias("related.ip")).to_series()
    rows = events["dns.resolved_ip"].is_not_null().arg_true()
    if not len(rows):
        return both
    empty = pl.lit(pl.Series([[]], dtype=pl.List(pl.String)))
    part = pl.DataFrame({"ends": both[rows], "resolved": events["dns.resolved_ip"][rows]})
    every = pl.concat_list(pl.col("ends").fill_null(empty), "resolved").list.unique(maintain_order=True)
    place = np.arange(events.height)
    place[rows] = events.height + np.arange(len(rows))
    more = part.select(every.alias("related.ip")).to_series()
    return both.append(more).gather(place)
