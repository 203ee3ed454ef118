"""Symantec Endpoint Security: events of Integrated Cyber Defense Manager (ICDm).

Fields after https://apidocs.securitycloud.symantec.com (event schema), mapping after Elastic's integration
`symantec_endpoint_security`. Who and what else an event is about (sessions, networks, observables of CybOX)
is among what is related to it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import text
from sensors.shapes.endpoint_records import EndpointRecords, gathered
from sensors.values.url import url_columns

_ADDRESSES: Final = (
    "collector_device_ip", "device_ip", "device_gateway", "device_public_ip",
    "container.networks[].gateway_ip", "container.networks[].ipv4", "container.networks[].ipv6",
    "device_networks[].gateway_ip", "device_networks[].ipv4", "device_networks[].ipv6",
    "cybox.emails[].sender_ip", "cybox.ipv4s[]", "cybox.ipv6s[]", "connection.src_ip",
    "connection.dst_ip", "sessions[].remote_ip", "remote_ip", "cybox.files[].src_ip", "file.src_ip",
    "actor.file.src_ip", "actor.module.src_ip", "actor.session.remote_ip", "parent.file.src_ip",
    "parent.module.src_ip", "parent.session.remote_ip", "session.remote_ip", "startup_app.file.src_ip",
    "logging_device_ip", "proxy_device_ip", "device_proxy_ip", "device_subnet",
)  # fmt: skip
_HOSTS: Final = (
    "file", "file_result", "cybox.files[]", "actor.file", "actor.module", "parent.file",
    "parent.module", "module", "startup_app.file",
)  # fmt: skip
_PEOPLE: Final = (
    "actor.session.user", "actor.user", "parent.session.user", "parent.user", "sessions[].user",
    "session.user", "user",
)  # fmt: skip


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - there is one kind
    people = [f"{root}.{part}" for root in _PEOPLE for part in ("uid", "name")]
    to = text(frame, "cybox.emails").str.extract_all(r'"header_to"\s*:\s*\[[^\]]*\]').list.join(",")
    receivers = to.str.extract_all(r'"[^"]*"').list.eval(
        pl.element().str.strip_chars('"').filter(~pl.element().str.contains("^.header_to.$"))
    )
    return [
        gathered(frame, "related.ip", _ADDRESSES),
        gathered(frame, "related.user", ["impersonator_user_uid", "user_uid", "user_name", *people]),
        gathered(frame, "related.hosts", [f"{root}.src_name" for root in _HOSTS]),
        pl.when(receivers.list.len() > 0).then(receivers).alias("email.to.address"),
    ]


def _after(made: pl.DataFrame, kind: str) -> pl.DataFrame:  # noqa: ARG001 - there is one kind
    made = url_columns(made, "url.full")
    lasted = (pl.col("event.end") - pl.col("event.start")).dt.total_nanoseconds()
    return made.with_columns(lasted.alias("event.duration"))


SENSOR: Final = EndpointRecords(
    "symantec_endpoint_security", "symantec_endpoint_security.toml", "ses", _more, _after
)
