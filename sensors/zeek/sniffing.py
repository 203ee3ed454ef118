"""Whether a file is one of Zeek's logs, by its first bytes."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from sensors.reading import json_table
from sensors.zeek import json_rows, kinds

_SEPARATOR: Final = re.compile(r"^#separator \S", re.MULTILINE)
_FIELDS: Final = re.compile(r"^#fields(?:\t|[^\w\s:])\S", re.MULTILINE)


def tsv(head: str) -> bool:
    """Whether the header of a tab-separated log stands in `head`: `#fields`, and what else belongs to it."""
    if not _FIELDS.search(head):
        return False
    return bool(_SEPARATOR.search(head)) or ("\n#types" in head and "#path" in head)


def json(head: bytes, name: str) -> bool:
    """Whether `head` begins with records that Zeek wrote as JSON, bare or carried by what shipped them."""
    return json_table.mostly(head, lambda record: _is_record(_bare(record), name))


def _bare(record: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record with dotted names; those of the Zeek record within, if it is wrapped."""
    flat = dict(_flat(record, ""))
    if "ts" in flat:
        return flat
    for carrier in json_rows.CARRIERS:
        try:
            inner = orjson.loads(flat.get(carrier) or "null")
        except (orjson.JSONDecodeError, TypeError):
            continue
        if isinstance(inner, dict):
            return dict(_flat(inner, ""))
    return flat


def _flat(value: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, item in value.items():
        if isinstance(item, dict):
            found += _flat(item, f"{prefix}{key}.")
        elif item is not None:
            found.append((f"{prefix}{key}", item))
    return found


def _is_record(fields: dict[str, Any], name: str) -> bool:
    if "ts" not in fields or "molehunt.source.sha256" in fields:
        return False
    if isinstance(fields.get("_path"), str):
        return True
    return kinds.recognised(fields.keys(), name) is not None
