"""Who a request names in its fields of authorization: never what proves it (RFC 7235, 7616, 7617)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS: Final = 2
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_SIGNATURE: Final = b"NTLMSSP\0"
_THIRD: Final = 3  # the message of NTLM that names somebody (MS-NLMP 2.2.1.3)
_DOMAIN, _NAME, _HOST, _FLAGS = 28, 36, 44, 60
_UNICODE: Final = 1
_NOBODY: Final = (None, None, None)

Person = tuple[str | None, str | None, str | None]  # name, domain, host


def people(frame: pl.DataFrame) -> list[pl.Series]:
    """Columns of names, and the schemes, from `~authorization` and `~proxy_authorization`.

    The person whom the origin knows counts before the one whom the proxy knows.
    """
    own, proxy = (frame[f"~{name}"] for name in ("authorization", "proxy_authorization"))
    known = {text: _person(text) for text in _distinct(own, proxy)}
    columns = []
    for place, (name, source) in enumerate(
        (("user.name", "source.user.name"), ("user.domain", "source.user.domain"), ("host.name", None))
    ):
        table = {text: person[place] for text, person in known.items()}
        found = [_looked_up(column, table) for column in (own, proxy)]
        both = found[0].zip_with(found[0].is_not_null(), found[1])
        columns += [both.alias(each) for each in (name, source) if each]
    schemes = {text: _scheme(text) for text in known}
    return [
        *columns,
        _looked_up(own, schemes).alias("capture.http.authorization"),
        _looked_up(proxy, schemes).alias("capture.http.proxy_authorization"),
    ]


def _scheme(text: str) -> str | None:
    """The name of the scheme (RFC 9110, section 11.4); what has none may be the secret itself."""
    words = text.split(maxsplit=1)
    if len(words) == 2 and _SCHEME.fullmatch(words[0]):  # noqa: PLR2004 - the scheme and what it needs
        return words[0].lower()
    return "other" if words else None


def _distinct(*columns: pl.Series) -> Iterable[str]:
    return pl.concat([column.alias("one") for column in columns]).drop_nulls().unique().to_list()


def _looked_up(column: pl.Series, table: dict[str, str | None]) -> pl.Series:
    return column.replace_strict(table, default=None, return_dtype=pl.String)


def _person(text: str) -> Person:
    words = text.split(maxsplit=1)
    if len(words) < _WORDS:
        return _NOBODY
    scheme, rest = words[0].lower(), words[1]
    if scheme == "basic":
        return _basic(_decoded(rest.strip()))
    if scheme == "digest":
        return _digest(rest)
    return ntlm(_decoded(rest.strip())) if scheme in {"ntlm", "negotiate"} else _NOBODY


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _basic(raw: bytes) -> Person:
    name, colon, _ = raw.partition(b":")
    if not colon:
        return _NOBODY
    text = name.decode("utf-8", "replace")
    domain, cut, user = text.rpartition("\\")
    return (user if cut else text) or None, domain or None, None


def _digest(text: str) -> Person:
    for part in text.split(","):
        key, _, value = part.strip().partition("=")
        if key.strip().lower() == "username":
            return value.strip().strip('"') or None, None, None
    return _NOBODY


def ntlm(raw: bytes) -> Person:
    """Name, domain and work station of NTLM's third message; nothing of others."""
    at = raw.find(_SIGNATURE)  # inside SPNEGO it stands further behind
    raw = raw[at:] if at >= 0 else b""
    if len(raw) < _HOST + 8 or int.from_bytes(raw[8:12], "little") != _THIRD:
        return _NOBODY
    wide = len(raw) < _FLAGS + 4 or raw[_FLAGS] & _UNICODE
    found = []
    for field in (_NAME, _DOMAIN, _HOST):
        size, start = (
            int.from_bytes(raw[field : field + 2], "little"),
            int.from_bytes(raw[field + 4 : field + 8], "little"),
        )
        value = raw[start : start + size] if start + size <= len(raw) else b""
        found.append(value.decode("utf-16-le" if wide else "latin-1", "replace") or None)
    return found[0], found[1], found[2]
