"""What TLS' numbers are called (https://www.iana.org/assignments/tls-parameters)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

# Drafts of TLS 1.3 are TLS 1.3. Versions are written as other sensors write them: SSL 3.0 and TLS 1.2 are
# "3.0" and "1.2", and DTLS is TLS over datagrams.
_VERSIONS: Final = {
    0x0002: "2.0", 0x0300: "3.0", 0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3",
    0xFEFF: "1.0", 0xFEFD: "1.2", 0xFEFC: "1.3", 0x0100: "1.0", 0x0101: "1.1",
}  # fmt: skip
_FAMILIES: Final = {0x0002: "ssl", 0x0300: "ssl", 0x0101: "tlcp"}
_DRAFTS: Final = (0x7E00, 0x7FFF)  # and experiments
_ALERTS: Final = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed",
    22: "record_overflow", 30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked",
    45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
    49: "access_denied", 50: "decode_error", 51: "decrypt_error", 60: "export_restriction",
    70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
    110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
    113: "bad_certificate_status_response", 114: "bad_certificate_hash_value",
    115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
    121: "ech_required",
}  # fmt: skip


@cache
def _table(which: str) -> dict[int, str]:
    raw = tomllib.loads((files("sensors.capture.protocols.tls") / "names.toml").read_text("utf-8"))
    return {int(number): name for number, name in raw[which].items()}


def cipher(column: str) -> pl.Expr:
    """Names of cipher suites by their numbers; `unknown-4660` for those without a name, as Zeek has it."""
    return _named(column, "ciphers")


def group(column: str) -> pl.Expr:
    """Names of named groups (curves); null for numbers below 0."""
    return pl.when(pl.col(column) >= 0).then(_named(column, "groups"))


def ciphers(numbers: list[int]) -> list[str]:
    """Names of some cipher suites."""
    table = _table("ciphers")
    return [table.get(number) or f"unknown-{number}" for number in numbers]


def alert(number: pl.Expr) -> pl.Expr:
    """Descriptions of alerts by their numbers, as RFC 8446 calls them."""
    known = number.replace_strict(_ALERTS, default=None, return_dtype=pl.String)
    return pl.coalesce(known, pl.format("unknown-{}", number))


def _named(column: str, which: str) -> pl.Expr:
    known = pl.col(column).replace_strict(_table(which), default=None, return_dtype=pl.String)
    return pl.coalesce(known, pl.format("unknown-{}", column))


def is_13(column: str) -> pl.Expr:
    """Whether a version is TLS or DTLS 1.3, or a draft of it."""
    return pl.col(column).is_in([0x0304, 0xFEFC]) | pl.col(column).is_between(*_DRAFTS)


def version(column: str) -> pl.Expr:
    """The version as text, `1.2`; null for what is none."""
    known = pl.col(column).replace_strict(_VERSIONS, default=None, return_dtype=pl.String)
    return pl.when(is_13(column)).then(pl.lit("1.3")).otherwise(known)


def family(column: str) -> pl.Expr:
    """`tls`, `ssl` or `tlcp`; null where `version` is."""
    named = pl.col(column).replace_strict(_FAMILIES, default="tls", return_dtype=pl.String)
    return pl.when(version(column).is_not_null()).then(named)
