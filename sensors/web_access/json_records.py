"""Requests that Traefik, Caddy, Envoy and Fastly write as JSON, as the parts that lines have.

So are lines of Amazon S3 that others (Panther) took apart: their names are those of Amazon's page without
blanks, `remoteip`, `httpstatus`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import text, texts, time

_TRAEFIK: Final = {
    "port": "ClientPort", "user": "ClientUsername", "status": "DownstreamStatus",
    "bytes": "DownstreamContentSize", "bytes_in": "RequestContentSize", "nanoseconds": "Duration",
    "method": "RequestMethod", "host": "RequestHost", "protocol": "RequestProtocol",
    "scheme": "RequestScheme", "level": "level", "referrer": "request_Referer",
    "ingress": "entryPointName",
}  # fmt: skip
_CADDY: Final = {
    "port": "request.remote_port", "user": "user_id", "status": "status", "bytes": "size",
    "bytes_in": "bytes_read", "seconds": "duration", "method": "request.method", "url": "request.uri",
    "host": "request.host", "protocol": "request.proto", "level": "level",
    "tls_name": "request.tls.server_name",
}  # fmt: skip
_ENVOY: Final = {
    "status": "response_code", "bytes": "bytes_sent", "bytes_in": "bytes_received", "ms": "duration",
    "method": "method", "protocol": "protocol", "agent": "user-agent", "tls_name": "requested_server_name",
    "upstream": "upstream_host", "url": "x-envoy-origin-path", "host": ":authority",
}  # fmt: skip
_FASTLY: Final = {
    "status": "response_status", "bytes": "response_body_size", "method": "request_method", "url": "url",
    "host": "host", "protocol": "request_protocol", "referrer": "request_referer", "cache": "response_state",
    "city": "geo_city", "country": "geo_country",
}  # fmt: skip
_S3: Final = {
    "bucket": "bucket", "key": "key", "operation": "operation", "requester": "requester", "id": "requestid",
    "status": "httpstatus", "bytes": "bytessent", "ms": "totaltime", "request": "requesturi",
    "host": "hostheader", "tls": "tlsversion", "cipher": "ciphersuite", "error": "errorcode",
    "owner": "bucketowner", "referrer": "referrer",
}  # fmt: skip
_FORMS: Final = {
    "traefik.access": _TRAEFIK, "caddy.access": _CADDY, "envoy.access": _ENVOY, "fastly.access": _FASTLY,
    "aws.s3access": _S3,
}  # fmt: skip


def is_record(record: dict[str, object]) -> bool:
    """Whether a JSON object is a request as one of these proxies writes it."""
    if "DownstreamStatus" in record and "RequestMethod" in record:
        return True
    request = record.get("request")
    if isinstance(request, dict):
        return "status" in record and "proto" in request and "uri" in request
    if {"fastly_server", "request_method"} <= record.keys():
        return True
    if {"bucket", "remoteip", "operation"} <= record.keys():
        return True
    return "response_code" in record and "downstream_remote_address" in record


def parts_of(frame: pl.DataFrame) -> pl.DataFrame:
    """The records with the parts of their product, and `form`; `form` is null where it is none of them."""
    ends = text(frame, "downstream_remote_address")
    envoy = ends.is_not_null() & text(frame, "response_code").is_not_null()
    form = (
        pl.when(text(frame, "DownstreamStatus").is_not_null() & text(frame, "RequestMethod").is_not_null())
        .then(pl.lit("traefik.access"))
        .when(text(frame, "request.uri").is_not_null() & text(frame, "request.proto").is_not_null())
        .then(pl.lit("caddy.access"))
        .when(envoy)
        .then(pl.lit("envoy.access"))
        .when(text(frame, "fastly_server").is_not_null() & text(frame, "request_method").is_not_null())
        .then(pl.lit("fastly.access"))
        .when(text(frame, "remoteip").is_not_null() & text(frame, "operation").is_not_null())
        .then(pl.lit("aws.s3access"))
    )
    apart = {"agent", "url", "upstream"}
    names = sorted({name for fields in _FORMS.values() for name in fields} - apart)
    kind = frame.select(form.alias("form"))["form"]
    chosen = [
        pl.coalesce(
            *(pl.when(pl.lit(kind) == product).then(text(frame, fields[name]))
              for product, fields in _FORMS.items() if name in fields)
        ).alias(name)
        for name in names
    ]  # fmt: skip
    agents = texts(frame, "request.headers.User-Agent").list.first()
    client = pl.coalesce(
        text(frame, "ClientHost", "ClientAddr"), text(frame, "request.client_ip", "request.remote_ip"), ends,
        text(frame, "client_ip", "remoteip"),
    )  # fmt: skip
    # What Traefik says of a request without its host and scheme is no URL that a rule could look for.
    site = pl.concat_str(
        [text(frame, "RequestScheme") + "://", text(frame, "RequestHost"), text(frame, "RequestPath")],
        ignore_nulls=True,
    )
    asked = pl.when(pl.lit(kind) == "traefik.access").then(site)
    return frame.select(
        "text",
        "log.offset",
        "log.file.line",
        pl.lit(kind).alias("form"),
        *chosen,
        pl.coalesce(
            asked, text(frame, *(fields["url"] for fields in _FORMS.values() if "url" in fields))
        ).alias("url"),
        text(frame, "ServiceName", "BackendName").alias("egress"),
        text(frame, "ServiceAddr", "BackendAddr", "upstream_host").alias("upstream"),
        pl.coalesce(
            agents,
            text(
                frame,
                *("request_User-Agent", "user-agent", "user_agent", "request_user_agent", "useragent"),
            ),
        ).alias("agent"),
        client.alias("client"),
        text(frame, "ClientAddr").alias("peer"),
        text(frame, "x-forwarded-for", "x_forwarded_for").alias("forwarded"),
        time(frame, "StartUTC", "StartLocal", "ts", "start_time", "timestamp", "time").alias("moment"),
    )
