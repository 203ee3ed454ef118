"""CyberArk Privileged Threat Analytics: its alerts in CEF or LEEF.

Format after CyberArk's "Privileged Threat Analytics (PTA) Implementation Guide", "Send PTA syslog records to
SIEM": the signature is the kind of event, custom fields name the event and where PTA shows it, `None` is
written where there is nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import cef
from sensors.reading import syslog
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_NOTHING: Final = r"^None\.?$"
# Custom fields by label, in ECS.
_LABELS: Final = {
    "eventid": "event.id",
    "ptalink": "event.reference",
    "externallink": "event.url",
    "extradata": "cyberark_pta.log.extra_data",
}
_STRINGS: Final = tuple(f"deviceCustomString{number}" for number in range(1, 7))
_WHEN: Final = "deviceCustomDate1"
# LEEF has no custom fields: PTA writes what CEF has as labels as keys of their own.
_LEEF: Final = {
    "suser": "sourceUserName",
    "shost": "sourceHostName",
    "duser": "destinationUserName",
    "dhost": "destinationHostName",
    "EventID": "event id",
    "PTAlink": "pta link",
    "ExternalLink": "external link",
    "ExtraData": "extra data",
    "DetectionDate": _WHEN,
    "detectionDate": _WHEN,
}


class CyberArkPta:
    """The sensor."""

    name = "cyberark_pta"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether every line of CEF or LEEF is PTA's."""
        found = cef.products(head)
        return bool(found) and all(
            (vendor.casefold(), product.casefold()) == ("cyberark", "pta") for vendor, product in found
        )

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per alert; a line of another form is named as unread."""
        tables = cef.dictionary()
        names = {"cef": tables["cef"], "leef": tables["leef"] | _LEEF}
        clock = syslog.Clock(source)
        for lines, values in cef.records(source, names.__getitem__):
            said = (
                values.with_columns(pl.when(~pl.all().str.contains(_NOTHING)).then(pl.all()))
                if values.width
                else values
            )
            times = cef.timed(lines, said, source, _WHEN)
            frame = cef.mapped(lines, said, source).with_columns(*times, *_alert(said))
            yield ecs.only(clock.fill(frame), "cyberark_pta")


def _alert(values: pl.DataFrame) -> list[pl.Expr]:
    """What an alert is, and what its labelled fields say."""
    own = {"event.id": "event id", "event.reference": "pta link", "event.url": "external link",
           "cyberark_pta.log.extra_data": "extra data"}  # fmt: skip
    found: dict[str, list[pl.Expr]] = {
        name: [pl.col(f"={key}")] for name, key in own.items() if key in values.columns
    }
    for field in _STRINGS:
        if field in values.columns and f"{field}Label" in values.columns:
            label = pl.col(f"={field}Label").str.to_lowercase().str.replace_all("[^a-z]", "")
            for word, name in _LABELS.items():
                found.setdefault(name, []).append(pl.when(label == word).then(pl.col(f"={field}")))
    return [
        pl.lit("cyberark_pta.events").alias("event.dataset"),
        pl.lit("alert").alias("event.kind"),
        pl.lit(["threat"], pl.List(pl.String)).alias("event.category"),
        pl.lit(["indicator"], pl.List(pl.String)).alias("event.type"),
        pl.col("name").alias("event.reason"),
        pl.col("class").alias("cyberark_pta.log.event_type"),
        *(pl.coalesce(columns).alias(name) for name, columns in found.items()),
    ]


SENSOR: Final = CyberArkPta()
