"""Gigamon Application Metadata Intelligence (AMI): what GigaVUE saw of each flow and its protocol, as JSON.

Attributes after https://docs.gigamon.com (Application Metadata Exporter, AMI attributes); mapping after
Elastic's `gigamon.ami`. All values are text. As CEF the same records are `sensors.cef`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import integer, mapped, text, time
from sensors.values import connection, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

FIELDS: Final = {
    "network.application": "app_name",
    "network.protocol": "app_name",
    "dns.question.name": ("dns_query", "dns_name"),
    "dns.id": "dns_transaction_id",
    "user_agent.original": "http_user_agent",
    "http.request.method": "http_method",
    "http.version": "http_version",
    "http.request.referrer": "http_referer",
    "url.path": "http_uri_path",
    "url.full": "http_uri",
    "url.original": ("http_uri_raw", "http_uri"),
    "url.domain": "http_host",
    "file.extension": "http_file_type",
    "tls.client.server_name": ("ssl_server_name", "ssl_common_name"),
    "tls.server.subject": "ssl_certificate_subject_cn",
    "tls.server.issuer": "ssl_issuer",
    "user.name": ("smb_user_name", "rdp_username", "user_name"),
    "file.name": "smb_filename",
    "observer.vendor": "vendor",
    "observer.version": "version",
    "observer.name": "generator",
}
_OWN: Final = (
    "id", "seq_num", "generator", "app_id", "end_reason", "device_inbound_interface", "dns_name", "dns_host",
    "dns_host_type", "dns_qdcount", "dns_ancount", "dns_flags", "dns_opcode", "dns_response_time", "http_rtt",
    "http_server", "ssl_cipher_suite_id", "ssl_protocol_version", "smb_version", "smb_command", "tcp_flags",
    "ssh_client_version", "ssh_server_version",
)  # fmt: skip
_SIDES: Final = (("source", "src"), ("destination", "dst"))
DNS_TYPES: Final = {
    "1": "A", "2": "NS", "5": "CNAME", "6": "SOA", "12": "PTR", "13": "HINFO", "15": "MX", "16": "TXT",
    "28": "AAAA", "33": "SRV", "35": "NAPTR", "43": "DS", "46": "RRSIG", "47": "NSEC", "48": "DNSKEY",
    "64": "SVCB", "65": "HTTPS", "252": "AXFR", "255": "*", "257": "CAA",
}  # fmt: skip
_REPLIES: Final = {
    "0": "NOERROR",
    "1": "FORMERR",
    "2": "SERVFAIL",
    "3": "NXDOMAIN",
    "4": "NOTIMP",
    "5": "REFUSED",
}
_TIMES: Final = ("%Y:%m:%d %H:%M:%S%.f", "%a %b %e %H:%M:%S %Y", "%Y-%m-%dT%H:%M:%S%.fZ")


class Gigamon:
    """The sensor."""

    name = "gigamon"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether all of the first records name Gigamon as their vendor."""
        return json_table.mostly(
            head, lambda one: one.get("vendor") == "Gigamon" and {"ts", "generator"} <= one.keys()
        )

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            fits = (text(table, "vendor") == "Gigamon") & _moment(table, "ts").is_not_null()
            kept = json_table.kept(table, fits, source, "no record of Gigamon: no vendor, or no time")
            if kept.height:
                yield _events(kept)


SENSOR: Final = Gigamon()


def _moment(frame: pl.DataFrame, *names: str) -> pl.Expr:
    """A time in one of the exporter's ways of writing it."""
    said = text(frame, *names)
    parsed = [
        said.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False, ambiguous="null")
        for form in _TIMES
    ]
    return pl.coalesce(*parsed, time(frame, *names))


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    start, end = _moment(frame, "start_time", "flow_start_sec"), _moment(frame, "end_time", "flow_end_sec")
    kind = text(frame, "dns_query_type")
    reply = text(frame, "dns_reply_code")
    code = reply.replace_strict(_REPLIES, default=reply, return_dtype=pl.String)
    host = text(frame, "dns_host_addr")
    events = frame.select(
        "log.offset",
        "log.file.line",
        _moment(frame, "ts").alias("@timestamp"),
        pl.lit("gigamon.ami").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["info"]).alias("event.type"),
        start.alias("event.start"),
        end.alias("event.end"),
        pl.when(end >= start).then((end - start).dt.total_microseconds() * 1000).alias("event.duration"),
        *ecs.address("source", text(frame, "src_ip", "src_ipv6")),
        *ecs.address("destination", text(frame, "dst_ip", "dst_ipv6")),
        *(integer(frame, f"{short}_port").alias(f"{side}.port") for side, short in _SIDES),
        *(integer(frame, f"{short}_bytes").alias(f"{side}.bytes") for side, short in _SIDES),
        *(integer(frame, f"{short}_packets").alias(f"{side}.packets") for side, short in _SIDES),
        *(
            text(frame, f"{short}_mac").str.to_uppercase().str.replace_all(":", "-").alias(f"{side}.mac")
            for side, short in _SIDES
        ),
        connection.transport(text(frame, "protocol")).alias("network.transport"),
        kind.replace_strict(DNS_TYPES, default=kind, return_dtype=pl.String).alias("dns.question.type"),
        code.alias("dns.response_code"),
        pl.when(host.is_not_null()).then(pl.concat_list(host)).alias("dns.resolved_ip"),
        text(frame, "dns_ttl").alias("dns.answers.ttl"),
        pl.when(code == "NOERROR").then(pl.lit("success")).when(code.is_not_null()).then(pl.lit("failure"))
        .alias("event.outcome"),
        integer(frame, "http_code").alias("http.response.status_code"),
        *mapped(frame, FIELDS),
        *(text(frame, name).alias(f"gigamon.ami.{name}") for name in _OWN),
    )  # fmt: skip
    totals = [
        (pl.col(f"source.{what}") + pl.col(f"destination.{what}").fill_null(0)).alias(f"network.{what}")
        for what in ("bytes", "packets")
    ]
    events = events.with_columns(*totals, pl.col("user.name").alias("source.user.name"))
    events = connection.described(events.with_columns(pl.col("dns.resolved_ip").list.first().alias("~host")))
    related = ecs.relations(
        events,
        ip=("source.ip", "destination.ip", "~host"),
        hosts=("dns.question.name", "url.domain", "tls.client.server_name"),
        user=("user.name",),
    )
    return ecs.only(related, "gigamon")
