"""Carbon Black Cloud: alerts (both versions of the API), audit log, endpoint events, watchlist hits, assets.

Fields after https://developer.carbonblack.com/reference/carbon-black-cloud (data forwarder, alerts, audit
logs, vulnerability assessment), mapping after Elastic's integration `carbon_black_cloud`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import integer, text
from sensors.shapes.endpoint_records import EndpointRecords
from sensors.shapes.mapping import address
from sensors.values import command_line

_HASHED: Final = {
    "process": "process_hash",
    "process.parent": "parent_hash",
    "file": "filemod_hash",
    "dll": "modload_hash",
}
_OF_PROCESSES: Final = ("endpoint_event", "watchlist_hit")
_NAMED: Final = (*_OF_PROCESSES, "alert_v7", "alert")


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:
    if kind not in _NAMED:
        return []
    made = _names(frame, kind)
    if kind == "alert":
        made += _connection(frame)
        return made
    executable, parent = (text(frame, f"{root}_path", f"{root}_name") for root in ("process", "parent"))
    made += [
        command_line.base_name(executable).alias("process.name"),
        command_line.base_name(parent).alias("process.parent.name"),
        *_connection(frame),
    ]
    return made if kind == "alert_v7" else made + _hashes(frame)


def _names(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:
    r"""Host and person; both are written as `DOMAIN\name` at times."""
    device = text(frame, "device_name")
    person = text(frame, "process_username" if kind in _OF_PROCESSES else "device_username")
    host = device.str.extract(r"([^\\]+)$", 1)
    domain = [name.str.extract(r"^(.+)\\", 1) for name in (person, device)]
    return [
        host.alias("host.hostname"),
        host.alias("host.name"),
        person.str.extract(r"([^\\]+)$", 1).alias("user.name"),
        pl.coalesce(domain).alias("user.domain"),
        pl.when(person.str.contains(r"^[^@\\]+@[^@\\]+$")).then(person).alias("user.email"),
    ]


def _hashes(frame: pl.DataFrame) -> list[pl.Expr]:
    """Hashes are listed without saying which they are; their length does."""
    return [
        text(frame, name)
        .str.extract(rf'(?:^|")([0-9A-Fa-f]{{{length}}})(?:"|$)', 1)
        .alias(f"{root}.hash.{kind}")
        for root, name in _HASHED.items()
        for kind, length in (("md5", 32), ("sha256", 64))
    ]


def _connection(frame: pl.DataFrame) -> list[pl.Expr]:
    """The two ends of a connection, by who began it."""
    way = text(frame, "netconn_inbound", "connection_type").str.to_lowercase()
    inward = (way == "true") | (way == "ingress")
    ends = {
        who: (
            address(text(frame, f"{who}_ip", f"netconn_{who}_ip")),
            integer(frame, f"{who}_port", f"netconn_{who}_port"),
        )
        for who in ("local", "remote")
    }
    made = [
        pl.when(inward).then(ends[there][part]).otherwise(ends[here][part]).alias(f"{side}.{name}")
        for side, here, there in (("source", "local", "remote"), ("destination", "remote", "local"))
        for part, name in enumerate(("ip", "port"))
    ]
    return [
        *made,
        *(ends["local"][part].alias(f"client.{name}") for part, name in enumerate(("ip", "port"))),
    ]


SENSOR: Final = EndpointRecords("carbon_black_cloud", "carbon_black_cloud.toml", "carbon_black_cloud", _more)
