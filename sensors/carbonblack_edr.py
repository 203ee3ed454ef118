"""Carbon Black EDR: what its event forwarder writes as JSON.

Fields after https://developer.carbonblack.com/reference/enterprise-response/event-forwarder, mapping after
Elastic's integration `carbonblack_edr`. Of a hit with several documents the first is taken, as the forwarder
writes one each.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import integer, text, texts
from sensors.shapes.endpoint_records import EndpointRecords, column
from sensors.shapes.mapping import address, first_rule

_INDICATORS: Final = {"^dns$": "domain-name", "^ipv4$": "ipv4-addr", "^ipv6$": "ipv6-addr", "^md5$": "file"}
_OS: Final = {"^windows$": "windows", "^linux$": "linux", "^(osx|macos)$": "macos"}


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - there is one kind
    def doc(name: str) -> pl.Expr:
        return column(frame, "message", [f"docs[].{name}", f"docs.{name}", f"doc.{name}"])

    action = pl.coalesce(text(frame, "type"), pl.lit("unknown"))
    endpoint = doc("endpoint").str.extract(r'^(?:\["?)?([^"|\]]+)', 1)
    path = text(frame, "path")
    seen = frame.select(doc("observed_filename").alias("seen"))
    seen_last = pl.lit(seen.select(texts(seen, "seen").list.last()).to_series())
    executable = doc("is_executable_image").str.to_lowercase() == "true"
    inward = (text(frame, "direction").str.to_lowercase() == "inbound").fill_null(value=False)
    ends = {
        "local": (address(text(frame, "local_ip")), integer(frame, "local_port")),
        "remote": (address(text(frame, "remote_ip", "ipaddress")), integer(frame, "remote_port", "port")),
    }
    person = pl.coalesce(doc("username"), text(frame, "username"))
    ioc = text(frame, "ioc_type").str.to_lowercase()
    value = text(frame, "ioc_value")
    return [
        action.alias("event.action"),
        person.str.extract(r"([^\\]+)$", 1).alias("user.name"),
        person.str.extract(r"^(.+)\\", 1).alias("user.domain"),
        pl.coalesce(
            text(frame, "file_path"), seen_last, pl.when(action.str.ends_with("filemod")).then(path)
        ).alias("file.path"),
        pl.when(action.str.contains(r"\.module")).then(path).alias("dll.path"),
        pl.when(action.str.ends_with("regmod"))
        .then(path.str.replace(r"(?i)^\\registry\\", ""))
        .alias("registry.path"),
        pl.when(executable).then(pl.concat_list(pl.lit("executable"))).alias("file.attributes"),
        doc("md5").str.to_lowercase().alias("file.hash.md5"),
        first_rule(doc("os_type").str.to_lowercase(), _OS).alias("host.os.type"),
        pl.coalesce(doc("hostname"), text(frame, "hostname"), endpoint, text(frame, "computer_name")).alias(
            "host.name"
        ),
        *(
            pl.when(inward).then(ends[there][part]).otherwise(ends[here][part]).alias(f"{side}.{name}")
            for side, here, there in (("source", "local", "remote"), ("destination", "remote", "local"))
            for part, name in enumerate(("ip", "port"))
        ),
        first_rule(ioc, _INDICATORS).alias("threat.indicator.type"),
        pl.when(ioc == "dns").then(value).alias("threat.indicator.url.domain"),
        pl.when(ioc.str.starts_with("ip")).then(value).alias("threat.indicator.ip"),
    ]


SENSOR: Final = EndpointRecords("carbonblack_edr", "carbonblack_edr.toml", "carbonblack", _more)
