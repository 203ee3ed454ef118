"""Cisco Meraki's webhook alerts, as a receiver kept them: JSON, one alert each.

Fields after "Meraki Dashboard Alerts: Webhooks" (payload version 0.1); mapping after Elastic's integration
`cisco_meraki`, data stream `events`. The shared secret by which a receiver knows its sender is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import json, mapped, text, texts, time
from sensors.shapes.mapping import first_rule
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

FIELDS: Final = {
    "event.action": "alertType",
    "event.id": "alertId",
    "event.url": ("deviceUrl", "networkUrl"),
    "log.level": "alertLevel",
    "network.name": "networkName",
    "observer.name": "deviceName",
    "observer.serial_number": "deviceSerial",
    "organization.id": "organizationId",
    "organization.name": "organizationName",
    "user.name": ("alertData.userName", "alertData.user", "alertData.adminName"),
    "user.email": ("alertData.adminEmail", "alertData.userEmail", "alertData.email"),
    "host.name": ("alertData.clientName", "alertData.deviceName"),
    "cisco.meraki.alert_type_id": "alertTypeId",
    "cisco.meraki.network_id": "networkId",
    "cisco.meraki.device_model": "deviceModel",
}
_IP: Final = ("alertData.remoteIp", "alertData.clientIp", "alertData.ip", "alertData.srcIp")
_MACS: Final = ("alertData.clientMac", "alertData.mac")
_CATEGORY: Final = {
    r"foreign_ap$": ("network", "intrusion_detection", "threat"),
    r"rogue_ap_association$": ("network", "threat"),
    r"node_hardware_failure$": ("network", "host"),
    r"umbrella_expiring$": ("network", "configuration"),
    r"(?i)malware": ("network", "malware"),
    r"(?i)intrusion|ids": ("network", "intrusion_detection"),
    r"(?i)setting|config": ("network", "configuration"),
    r"(?i)login|password|sign": ("network", "authentication"),
    r".": ("network",),
}
# What an alert's type (`alertTypeId`) adds to `info`; after Elastic's integration `cisco_meraki`.
_TYPES: Final = {
    "started_reporting": "start", "stopped_reporting": "end", "bluetooth_in": "start", "bluetooth_out": "end",
    "cellular_up": "start", "cellular_down": "end", "node_hardware_failure": "end",
    "port_cable_error": "connection", "ip_conflict": "protocol",
    "foreign_ap": "indicator", "rogue_ap_association": "indicator",
}  # fmt: skip


class CiscoMerakiWebhook:
    """The sensor."""

    name = "cisco_meraki_webhook"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records have what every alert has."""
        named = {"organizationId", "alertType", "occurredAt", "networkId"}
        return json_table.mostly(head, lambda record: named <= record.keys())

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The alerts in input order."""
        for table in json_table.tables(source):
            fits = text(table, "alertType").is_not_null() & time(table, "occurredAt", "sentAt").is_not_null()
            kept = json_table.kept(table, fits, source, "no alert of Meraki with its time")
            if kept.height:
                yield _events(kept)


SENSOR: Final = CiscoMerakiWebhook()


def _types(kind: pl.Expr) -> pl.Expr:
    more = kind.replace_strict(_TYPES, default=None, return_dtype=pl.String)
    return pl.concat_list(pl.lit("info"), more).list.drop_nulls()


def _mac(value: pl.Expr) -> pl.Expr:
    fits = value.str.contains(r"^(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$")
    return pl.when(fits).then(value.str.replace_all(":", "-", literal=True).str.to_uppercase())


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    address = text(frame, *_IP)
    device = _mac(text(frame, "deviceMac"))
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "occurredAt", "sentAt").alias("@timestamp"),
        time(frame, "sentAt").alias("event.created"),
        pl.lit("cisco_meraki").alias("event.module"),
        pl.lit("cisco_meraki.events").alias("event.dataset"),
        pl.lit("alert").alias("event.kind"),
        first_rule(
            pl.concat_str(text(frame, "alertType"), text(frame, "alertTypeId").fill_null("")), _CATEGORY
        ).alias("event.category"),
        _types(text(frame, "alertTypeId")).alias("event.type"),
        *mapped(frame, FIELDS),
        pl.when(ecs.is_ip(address)).then(address).alias("source.ip"),
        _mac(text(frame, *_MACS)).alias("source.mac"),
        pl.when(device.is_not_null()).then(pl.concat_list(device)).alias("observer.mac"),
        texts(frame, "deviceTags").list.join(", ").alias("cisco.meraki.device_tags"),
        texts(frame, "networkTags").list.join(", ").alias("cisco.meraki.network_tags"),
        json(frame, "alertData").alias("cisco.meraki.alert_data"),
        pl.lit("Cisco").alias("observer.vendor"),
        pl.lit("meraki").alias("observer.product"),
    )
    events = ecs.relations(
        events, ip=("source.ip",), user=("user.name", "user.email"), hosts=("observer.name", "host.name")
    )
    return ecs.only(events, "cisco")
