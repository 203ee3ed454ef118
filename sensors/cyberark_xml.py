"""CyberArk's Vault audit in XML, as the Vault gives it to its translators, made the JSON of its translator.

Format after CyberArk's "Create a custom XSL translator file": `<syslog><audit_record>` with one element a
field, and the account's properties as `<CAProperty Name="…" Value="…"/>`. A record is one line: what it was
wrapped in is a line break (`#012`) to syslog servers. This module defines no sensor.
"""

from __future__ import annotations

from typing import Final

import polars as pl

RECORD: Final = r"(?s)(?:<\?xml[^>]*\?>\s*)?<syslog>.*<audit_record>(.*)</audit_record>"
_BREAK: Final = r"#01[0-7]|[\x00-\x1f]"
_FIELD: Final = r"<[A-Za-z][\w.-]*>[^<>]*</[A-Za-z][\w.-]*>"
_NAMED: Final = r"^<([A-Za-z][\w.-]*)>\s*([^<>]*?)\s*</[A-Za-z][\w.-]*>$"
_PROPERTY: Final = r'<CAProperty\s+Name="[^"]*"\s+Value="[^"]*"'
_VALUED: Final = r'^<CAProperty\s+Name="([^"]*)"\s+Value="([^"]*)"$'
_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&quot;": r"\"", "&apos;": "'", "&#39;": "'", "&amp;": "&"}


def as_json(text: pl.Series) -> pl.Series:
    """Records in XML as JSON of the same names; null for what is none."""
    inner = (
        text.str.extract(RECORD, 1).str.replace_all(_BREAK, " ").str.replace_all("\\", r"\\", literal=True)
    )
    if inner.null_count() == len(inner):
        return inner
    frame = inner.to_frame("inner").with_columns(
        fields=pl.col("inner")
        .str.extract_all(_FIELD)
        .list.eval(
            pl.element().str.replace_all('"', r"\"", literal=True).str.replace(_NAMED, '"${1}":"${2}"')
        )
        .list.join(","),
        properties=pl.col("inner")
        .str.extract_all(_PROPERTY)
        .list.eval(pl.element().str.replace(_VALUED, r'{"Name":"${1}","Value":"${2}"}'))
        .list.join(","),
    )
    fields = pl.when(pl.col("fields") != "").then(pl.concat_str("fields", pl.lit(","))).otherwise(pl.lit(""))
    made = pl.concat_str(
        pl.lit('{"syslog":{"audit_record":{'),
        fields,
        pl.lit('"CAProperties":{"CAProperty":['),
        "properties",
        pl.lit("]}}}}"),
    )
    whole = frame.select(pl.when(pl.col("inner").is_not_null()).then(made)).to_series()
    for entity, sign in _ENTITIES.items():
        whole = whole.str.replace_all(entity, sign, literal=True)
    return whole
