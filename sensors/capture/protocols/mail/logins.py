"""Whom logins of mail name: SASL's PLAIN, LOGIN, XOAUTH2, CRAM-MD5 and their like (RFC 4616, 2195, 7628).

Only the name is taken from what proves it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import polars as pl

_PLAIN_PARTS: Final = 3


def names(mechanism: pl.Series, payload: pl.Series) -> pl.Series:
    """Names out of what clients sent in base64, a row a login; null where it says none.

    Args:
        mechanism: in capitals, as the client asked for.
        payload: the client's first answer.
    """
    pairs = pl.DataFrame({"mechanism": mechanism, "payload": payload})
    distinct = pairs.drop_nulls().unique()
    found = [_name(*pair) for pair in distinct.iter_rows()]
    known = distinct.with_columns(pl.Series("name", found, dtype=pl.String))
    return pairs.join(known, on=["mechanism", "payload"], how="left", maintain_order="left")["name"]


def _name(mechanism: str, payload: str) -> str | None:
    try:
        raw = base64.b64decode(payload.strip() + "=" * (-len(payload.strip()) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    text = raw.decode("utf-8", "replace")
    return _named(mechanism, text) or None


def _named(mechanism: str, text: str) -> str:
    parts = text.split("\0")
    if mechanism == "PLAIN":
        return (parts[1] or parts[0]) if len(parts) == _PLAIN_PARTS else ""
    if mechanism == "LOGIN":
        return text.strip("\0\r\n ")
    if mechanism.startswith("CRAM-"):
        return text.rpartition(" ")[0]
    key = "user=" if mechanism == "XOAUTH2" else "a=" if mechanism == "OAUTHBEARER" else "n="
    known = mechanism.startswith("SCRAM-") or mechanism in {"XOAUTH2", "OAUTHBEARER"}
    return text.partition(key)[2].partition("\1")[0].partition(",")[0] if known else ""
