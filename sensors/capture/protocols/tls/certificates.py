"""What certificates say (RFC 5280); one that cannot be read still has its hashes."""

from __future__ import annotations

import warnings
from contextlib import suppress
from hashlib import md5, sha1, sha256
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from cryptography import x509
from cryptography.x509.oid import NameOID

from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST: Final = 1 << 16  # bytes of one that is read
# As OpenSSL, and so Zeek, writes attributes that RFC 4514 has no word for.
_WORDS: Final = {
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.TITLE: "title",
    NameOID.GIVEN_NAME: "GN",
    NameOID.SURNAME: "SN",
    NameOID.STREET_ADDRESS: "street",
    NameOID.POSTAL_CODE: "postalCode",
    NameOID.BUSINESS_CATEGORY: "businessCategory",
    NameOID.DN_QUALIFIER: "dnQualifier",
    NameOID.JURISDICTION_COUNTRY_NAME: "jurisdictionC",
    NameOID.JURISDICTION_STATE_OR_PROVINCE_NAME: "jurisdictionST",
    NameOID.JURISDICTION_LOCALITY_NAME: "jurisdictionL",
    NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
    NameOID.UNSTRUCTURED_NAME: "unstructuredName",
    NameOID.PSEUDONYM: "pseudonym",
    NameOID.INITIALS: "initials",
    NameOID.GENERATION_QUALIFIER: "generationQualifier",
    x509.ObjectIdentifier("2.5.4.13"): "description",
    x509.ObjectIdentifier("2.5.4.41"): "name",
}
_TYPES: Final[dict[str, pl.DataType]] = {
    "hash.md5": pl.String(),
    "hash.sha1": pl.String(),
    "hash.sha256": pl.String(),
    "subject": pl.String(),
    "issuer": pl.String(),
    "x509.subject.common_name": pl.String(),
    "x509.issuer.common_name": pl.String(),
    "x509.subject.organization": pl.String(),
    "x509.issuer.organization": pl.String(),
    "x509.serial_number": pl.String(),
    "x509.alternative_names": pl.List(pl.String()),
    "not_before": TIME,
    "not_after": TIME,
}


def read(ders: list[bytes]) -> pl.DataFrame:
    """Facts of certificates, a row each; columns are those of ECS behind `tls.client.` and `tls.server.`.

    Hashes and serial numbers are in capitals, names as RFC 4514 writes them. Nothing is raised: what
    cannot be read is null.
    """
    return pl.DataFrame([_facts(der) for der in ders], schema=_TYPES, orient="row")


def _facts(der: bytes) -> dict[str, object]:
    facts: dict[str, object] = dict.fromkeys(_TYPES)
    facts["hash.md5"] = md5(der, usedforsecurity=False).hexdigest().upper()
    facts["hash.sha1"] = sha1(der, usedforsecurity=False).hexdigest().upper()
    facts["hash.sha256"] = sha256(der).hexdigest().upper()
    if len(der) > _LARGEST:
        return facts
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is deprecated in certificates is still to be seen
        certificate = x509.load_der_x509_certificate(der)
        for name, reading in _READINGS.items():
            with suppress(Exception):
                facts[name] = reading(certificate)
    return facts


def _name(name: x509.Name) -> str | None:
    return _clean(name.rfc4514_string(_WORDS)) or None


def _attribute(name: x509.Name, which: x509.ObjectIdentifier) -> str | None:
    found = name.get_attributes_for_oid(which)
    return _clean(str(found[-1].value)) if found else None


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _serial(certificate: x509.Certificate) -> str:
    """As it is encoded: with the zero that is there for the sign left out, and even in length."""
    text = f"{abs(certificate.serial_number):X}"
    return ("-" if certificate.serial_number < 0 else "") + text.zfill(len(text) + len(text) % 2)


def _alternatives(certificate: x509.Certificate) -> list[str] | None:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [_clean(_alternative(name)) for name in names] or None


def _alternative(name: x509.GeneralName) -> str:
    value: Any = name.value
    return value.rfc4514_string(_WORDS) if isinstance(value, x509.Name) else str(value)


_READINGS: Final[dict[str, Callable[[x509.Certificate], object]]] = {
    "subject": lambda each: _name(each.subject),
    "issuer": lambda each: _name(each.issuer),
    "x509.subject.common_name": lambda each: _attribute(each.subject, NameOID.COMMON_NAME),
    "x509.issuer.common_name": lambda each: _attribute(each.issuer, NameOID.COMMON_NAME),
    "x509.subject.organization": lambda each: _attribute(each.subject, NameOID.ORGANIZATION_NAME),
    "x509.issuer.organization": lambda each: _attribute(each.issuer, NameOID.ORGANIZATION_NAME),
    "x509.serial_number": _serial,
    "x509.alternative_names": _alternatives,
    "not_before": lambda each: each.not_valid_before_utc,
    "not_after": lambda each: each.not_valid_after_utc,
}
