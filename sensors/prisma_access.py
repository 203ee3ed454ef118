"""Palo Alto Networks Prisma Access: logs that the Strata Logging Service forwards in CEF (`LF`).

Traffic, threats, URLs, decryption, GlobalProtect, HIP matches, authentication, configuration, system, after
"Strata Logging Service: CEF fields". Mapping after Elastic's integration `prisma_access`, but of
GlobalProtect the public address is `source.ip` and the private one `source.nat.ip`, and durations are
nanoseconds. CEF of firewalls themselves (`PAN-OS`) is `cef`'s, their own rows `panos`'s.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import cef
from sensors.reading import syslog
from sensors.reading.json_table import text
from sensors.shapes.gateway_records import mapped, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_LABELLED: Final = (
    *(f"deviceCustomString{number}" for number in range(1, 7)),
    *(f"deviceCustomNumber{number}" for number in range(1, 4)),
    *(f"deviceCustomIPv6Address{number}" for number in range(1, 5)),
)
# Keys that are put together before they are columns.
_OWN: Final = {
    "PanOSAuthenticatedUserName",
    "PanOSAuthenticatedUserDomain",
    "PanOSEventTime",
    "PanOSSourceDeviceMac",
    "PanOSDestinationDeviceMac",
}
_PERSON: Final = r"^(?:(?P<domain>[^\\/]+)[\\/]+)?(?P<name>.+)$"
_MAC: Final = "^(..)(..)(..)(..)(..)(..)$"
_FIRST_YEAR: Final = 1970  # stands where there is no time


class PrismaAccess:
    """The sensor."""

    name = "prisma_access"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether every line of CEF is the logging service's."""
        found = cef.products(head)
        return bool(found) and all(
            (vendor.casefold(), product.casefold()) == ("palo alto networks", "lf")
            for vendor, product in found
        )

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another form is named as unread."""
        known = cef.dictionary()
        names = {"cef": _keys() | known["cef"], "leef": known["leef"]}
        clock = syslog.Clock(source)
        for lines, values in cef.records(source, names.__getitem__):
            own = [name for name in values.columns if name not in ("text", "class", "name", "priority")]
            head = lines.select(
                "log.offset",
                "log.file.line",
                "text",
                "class",
                "name",
                "priority",
                pl.col("@timestamp").alias("~time"),
                pl.col("molehunt.guess").alias("~guess"),
            )
            yield mapped(_prepared(head.hstack(values.select(own))), self.name, source, _finished, clock)


SENSOR: Final = PrismaAccess()


@cache
def _keys() -> dict[str, str]:
    """The keys that the table asks for and CEF's dictionary does not have, by themselves."""
    asked = {
        path
        for stream in tables("prisma_access")["stream"]
        for paths in [*stream["fields"].values(), *stream.get("times", {}).values(), stream["person"]]
        for path in ([paths] if isinstance(paths, str) else paths)
        if "." not in path
    }
    return {key: key for key in asked | _OWN} | {"duser0": "destinationUserName0"}


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """Records with their custom fields by label, people in parts, and hardware addresses as ECS has them."""
    frame = frame.with_columns(
        *_labels(frame),
        *(
            text(frame, f"PanOS{side}DeviceMac")
            .str.extract("^([0-9A-Fa-f]{12})", 1)
            .str.replace(_MAC, "${1}-${2}-${3}-${4}-${5}-${6}")
            .alias(name)
            for side, name in (("Source", "mac.source"), ("Destination", "mac.destination"))
        ),
        text(frame, "destinationUserName").alias("~to"),
        text(frame, "sourceUserName").alias("~from"),
    )
    to, by = (frame[name].str.extract_groups(_PERSON).struct.unnest() for name in ("~to", "~from"))
    local = text(frame, "PanOSEventTime").str.to_datetime("%b %d %Y %H:%M:%S", strict=False)
    offset = text(frame, "PanOSLogSourceTimeZoneOffset").str.replace(r"^([+-]\d\d):?(\d\d)$", "${1}:${2}")
    realm = text(frame, "PanOSAuthenticatedUserDomain")
    domain = pl.coalesce(text(frame, "sourceNtDomain"), pl.lit(by["domain"]))
    return frame.with_columns(
        pl.lit(to["name"]).alias("person.destination.name"),
        pl.lit(to["domain"]).alias("person.destination.domain"),
        pl.when(domain.is_not_null())
        .then(pl.concat_str(domain, pl.lit("\\"), pl.lit(by["name"])))
        .otherwise(pl.lit(by["name"]))
        .alias("person.source"),
        pl.coalesce(
            pl.concat_str(realm, pl.lit("\\"), text(frame, "PanOSAuthenticatedUserName")),
            text(frame, "PanOSAuthenticatedUserName"),
        ).alias("person.authenticated"),
        pl.concat_str(local.dt.strftime("%Y-%m-%dT%H:%M:%S"), offset).alias("when.event"),
    ).drop("~to", "~from")


def _labels(frame: pl.DataFrame) -> list[pl.Expr]:
    """Custom fields as columns `label.<letters and digits of the label>`."""
    chosen: dict[str, list[pl.Expr]] = {}
    for field in _LABELLED:
        if field not in frame.columns or f"{field}Label" not in frame.columns:
            continue
        said = frame[f"{field}Label"].str.to_lowercase().str.replace_all("[^a-z0-9]", "")
        for word in said.drop_nulls().unique(maintain_order=True):
            chosen.setdefault(word, []).append(pl.when(pl.lit(said == word)).then(pl.col(field)))
    return [pl.coalesce(columns).alias(f"label.{word}") for word, columns in chosen.items()]


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    """Events without starts at the beginning of time."""
    if "event.start" not in frame.columns:
        return frame
    began = pl.col("event.start")
    return frame.with_columns(pl.when(began.dt.year() > _FIRST_YEAR).then(began).alias("event.start"))
