"""What Sysmon packs into one datum: hashes, DNS answers, registry paths and values, the sides of a connection.

Datum names and formats: Sysmon's own manifest (learn.microsoft.com/sysinternals/downloads/sysmon).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.windows import values
from sensors.windows.event_json import EVENT_DATA
from sensors.windows.tables import SPAN, tables

# Whose hashes an event carries: those of the process that starts, or those of the file it is about.
_OF_PROCESS: Final = (1, 25)
_OF_FILE: Final = (6, 7, 11, 15, 23, 24, 26, 27, 28, 29)
_HASHES: Final = {
    "hash.md5": r"MD5=([0-9A-Fa-f]{32})",
    "hash.sha1": r"SHA1=([0-9A-Fa-f]{40})",
    "hash.sha256": r"SHA256=([0-9A-Fa-f]{64})",
    "pe.imphash": r"IMPHASH=([0-9A-Fa-f]{32})",
}
_HIVES: Final = {
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_DYN_DATA": "HKDD",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_PERFORMANCE_DATA": "HKPD",
    "HKEY_USERS": "HKU",
    **{hive: hive for hive in ("HKCR", "HKCC", "HKCU", "HKDD", "HKLM", "HKPD", "HKU")},
}
# DNS resource record types (IANA); Sysmon writes the number, and mere addresses for A and AAAA.
_TYPES: Final = {
    "1": "A", "2": "NS", "5": "CNAME", "6": "SOA", "12": "PTR", "13": "HINFO", "15": "MX", "16": "TXT",
    "28": "AAAA", "33": "SRV", "35": "NAPTR", "39": "DNAME", "43": "DS", "46": "RRSIG", "47": "NSEC",
    "48": "DNSKEY", "64": "SVCB", "65": "HTTPS", "255": "ANY", "65281": "WINS", "65282": "WINSR",
}  # fmt: skip
_MAPPED: Final = "::ffff:"


def detailed(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the fields that are inside a datum of Sysmon's events."""
    group = tables().groups["sysmon"]
    if not (frame["_group"] == group).any():
        return frame
    frame = _hashed(frame, group)
    frame = _resolved(frame, group)
    frame = _registry(frame, group)
    return _connected(frame, group)


def _event(group: int, *codes: int) -> pl.Expr:
    return pl.col("_key").is_in([group * SPAN + code for code in codes])


def _add(frame: pl.DataFrame, when: pl.Expr, fields: dict[str, pl.Expr]) -> pl.DataFrame:
    """Adds fields to the events that `when` picks; what was there before stays."""
    return frame.with_columns(
        (
            pl.coalesce(pl.col(name), pl.when(when).then(value))
            if name in frame.columns
            else pl.when(when).then(value)
        ).alias(name)
        for name, value in fields.items()
    )


def _hashed(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    named = [name for name in (f"{EVENT_DATA}Hashes", f"{EVENT_DATA}Hash") if name in frame.columns]
    if not named:
        return frame
    hashes = pl.coalesce(named)
    found = {field: hashes.str.extract(pattern).str.to_lowercase() for field, pattern in _HASHES.items()}
    of_process, of_file = _event(group, *_OF_PROCESS), _event(group, *_OF_FILE)
    frame = _add(frame, of_process, {f"process.{field}": value for field, value in found.items()})
    frame = _add(frame, of_file, {f"file.{field}": value for field, value in found.items()})
    kinds = [f"_{kind}" for kind in found]
    frame = frame.with_columns(value.alias(f"_{kind}") for kind, value in found.items())
    every = pl.concat_list(kinds).list.drop_nulls()
    return _add(
        frame, pl.col("_group") == group, {"related.hash": pl.when(every.list.len() > 0).then(every)}
    ).drop(kinds)


def _resolved(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    """`type:  5 alias.example;::ffff:192.0.2.1;` to answers: records first, addresses after them."""
    column = f"{EVENT_DATA}QueryResults"
    asked = _event(group, 22)
    frame = _add(frame, asked, {"network.protocol": pl.lit("dns")})
    if column not in frame.columns:
        return frame
    results = frame.select(pl.int_range(pl.len()).alias("row"), asked.alias("asked"), pl.col(column)).filter(
        "asked"
    )
    item = pl.col("item")
    address = item.str.strip_prefix(_MAPPED)
    items = (
        results.select("row", pl.col(column).str.split(";").alias("item"))
        .explode("item", keep_nulls=False, empty_as_null=False)
        .with_columns(item.str.strip_chars().alias("item"))
        .filter(item != "", item != "-")
        .with_columns(item.str.starts_with("type:").alias("record"))
        .select(
            "row",
            "record",
            pl.when("record")
            .then(
                item.str.extract(r"^type:\s*(\d+)").replace_strict(
                    _TYPES, default=item.str.extract(r"^type:\s*(\d+)")
                )
            )
            .otherwise(
                pl.when(address.str.contains(":", literal=True))
                .then(pl.lit("AAAA"))
                .otherwise(pl.lit("A"))
            )
            .alias("type"),
            pl.when("record")
            .then(item.str.extract(r"^type:\s*\d+\s+(\S+)"))
            .otherwise(pl.when(values.address(item).is_not_null()).then(address))
            .alias("data"),
        )
        .sort("row", pl.col("record").not_(), maintain_order=True)
    )
    given = pl.col("data").is_not_null()
    answers = items.group_by("row", maintain_order=True).agg(
        pl.col("data").filter(given).alias("dns.answers.data"),
        pl.col("type").filter(given | pl.col("record")).alias("dns.answers.type"),
        pl.col("data").filter(given & pl.col("record").not_()).alias("dns.resolved_ip"),
        pl.col("data").filter(given & pl.col("record")).alias("_answered"),
    )
    lists = [name for name in answers.columns if name != "row"]
    answers = answers.with_columns(pl.when(pl.col(name).list.len() > 0).then(name).alias(name) for name in lists)
    fresh = frame.drop([name for name in lists if name in frame.columns])
    # A list that came with the event is what Winlogbeat made of the same text.
    return (
        fresh.with_columns(pl.int_range(pl.len()).alias("row"))
        .join(answers, on="row", how="left", maintain_order="left")
        .drop("row")
        if len(fresh.columns) == len(frame.columns)
        else frame
    )


def _registry(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    column = f"{EVENT_DATA}TargetObject"
    if column not in frame.columns:
        return frame
    path = pl.col(column)
    fields = {
        "registry.hive": path.str.extract(r"^([^\\]+)").replace_strict(
            _HIVES, default=None, return_dtype=pl.String
        ),
        "registry.key": path.str.extract(r"^[^\\]+\\(.+)$"),
        "registry.value": path.str.extract(r"([^\\]+)$"),
    }
    if (details := f"{EVENT_DATA}Details") in frame.columns:
        data = values.text(pl.col(details))
        short = data.str.extract(r"(?i)^DWORD \(0x([0-9a-f]{8})\)$").str.to_integer(base=16, strict=False)
        halves = data.str.extract_groups(r"(?i)^QWORD \(0x([0-9a-f]{8})-0x([0-9a-f]{8})\)$")
        high, low = (
            halves.struct.field(half).str.to_integer(base=16, strict=False) for half in ("1", "2")
        )
        long = high * (1 << 32) + low
        fields["registry.data.strings"] = pl.coalesce(short.cast(pl.String), long.cast(pl.String), data)
        fields["registry.data.type"] = (
            pl.when(short.is_not_null())
            .then(pl.lit("SZ_DWORD"))
            .when(long.is_not_null())
            .then(pl.lit("SZ_QWORD"))
            .when(data == "Binary Data")
            .then(pl.lit("REG_BINARY"))
            .when(data.is_not_null())
            .then(pl.lit("REG_SZ"))
        )
    return _add(frame, _event(group, 12, 13, 14), fields)


def _connected(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    fields = {}
    if (initiated := f"{EVENT_DATA}Initiated") in frame.columns:
        fields["network.direction"] = pl.col(initiated).replace_strict(
            {"true": "egress", "false": "ingress"}, default=None, return_dtype=pl.String
        )
    if (v6 := f"{EVENT_DATA}SourceIsIpv6") in frame.columns:
        fields["network.type"] = pl.col(v6).replace_strict(
            {"true": "ipv6", "false": "ipv4"}, default=None, return_dtype=pl.String
        )
    return _add(frame, _event(group, 3), fields)
