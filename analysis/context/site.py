"""What a SOC knows of its own place: zones of logs, address pools, names, what is allowed."""

from __future__ import annotations

import fnmatch
import ipaddress
import json
import tomllib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, available_timezones

from analysis.context import places
from analysis.context.addresses import Network
from analysis.context.problem import ContextError
from analysis.context.table import decode

if TYPE_CHECKING:
    from pathlib import Path

Networks = dict[str, tuple[Network, ...]]
_LEAST_KEYS: Final = 2


@dataclass(frozen=True, slots=True)
class LogHint:
    """What is known of one log: the zone of its times and whether its header has the year."""

    zone: ZoneInfo | None = None
    header_has_year: bool | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """The site file; everything is optional and empty where it is not said.

    Attributes:
        domain: DNS domain of the directory and of mail, lower case: `corp.example`.
        netbios: the directory's short name, upper case: `CORP`.
        sources: path, end of a path, or glob → what is known of such logs.
        vpn_pools: VPN gateway → networks it assigns from.
        teleworker_lans: networks of people's homes; `offices`: office → its networks.
        corporate_egress: office → the public networks its people come from.
        github_org: the company's GitHub organisations.
        sanctioned_remote_support, sanctioned_cloud_storage: names or domains, as written.
        service_accounts: globs of names that are no person's.
        households: accounts (any of a person's names) that share a home and so an address.
        placeholders: what `%name%` stands for in rules that say `expand`.
    """

    domain: str = ""
    netbios: str = ""
    sources: dict[str, LogHint] = field(default_factory=dict)
    vpn_pools: Networks = field(default_factory=dict)
    teleworker_lans: Networks = field(default_factory=dict)
    offices: Networks = field(default_factory=dict)
    corporate_egress: Networks = field(default_factory=dict)
    github_org: tuple[str, ...] = ()
    sanctioned_remote_support: tuple[str, ...] = ()
    sanctioned_cloud_storage: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    households: tuple[frozenset[str], ...] = ()
    placeholders: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def zone_for(self, path: str | Path) -> ZoneInfo | None:
        """Time zone of the local times in a log, by the longest key of `sources` that fits its path."""
        hint = self.hint_for(path)
        return hint.zone if hint else None

    def hint_for(self, path: str | Path) -> LogHint | None:
        """What is known of a log; archive members count as files in a folder of the archive's name."""
        text = str(path).replace("\\", "/").replace("!", "/")
        fitting = [key for key in self.sources if _fits(text, key.replace("\\", "/").removeprefix("./"))]
        return self.sources[max(fitting, key=len)] if fitting else None

    def networks(self) -> Networks:
        """Every named network: `egress NYC`, `office NYC`, `vpn pool asa`, `teleworker lan`."""
        groups = {
            "egress": self.corporate_egress,
            "office": self.offices,
            "vpn pool": self.vpn_pools,
            "teleworker lan": self.teleworker_lans,
        }
        return {
            f"{kind} {name}".strip(): nets for kind, group in groups.items() for name, nets in group.items()
        }


KEYS: Final = frozenset(item.name for item in fields(Site))


def _fits(path: str, key: str) -> bool:
    return (
        path == key
        or path.endswith("/" + key)
        or fnmatch.fnmatch(path, key)
        or fnmatch.fnmatch(path, "*/" + key)
    )


def looks_like_site(data: bytes) -> bool:
    """Whether a whole small file is a site file: one TOML or JSON object with at least two known keys."""
    raw = _parse(decode(data))
    return isinstance(raw, dict) and len(KEYS & raw.keys()) >= _LEAST_KEYS


def load_site(path: Path) -> tuple[Site, list[str]]:
    """The site and notes on keys that are not known.

    Raises:
        ContextError: the file cannot be read, is neither TOML nor JSON, or a value is not what its key means.
    """
    try:
        text = decode(path.read_bytes())
    except OSError as error:
        raise ContextError(f"{path}: cannot read the site file: {error.strerror or error}") from error
    raw = _parse(text)
    if not isinstance(raw, dict):
        raise ContextError(f"{path}: is neither TOML nor a JSON object{_why(path, text)}")
    unknown = sorted(raw.keys() - KEYS)
    notes = (
        [f"{path.name}: keys not known: {', '.join(unknown)} (known are {', '.join(sorted(KEYS))})"]
        if unknown
        else []
    )
    try:
        values: dict[str, Any] = {key: _value(key, raw[key]) for key in raw.keys() & KEYS}
    except _WrongValueError as wrong:
        raise ContextError(f"{path}: {wrong}") from wrong
    return Site(**values), notes


def _parse(text: str) -> object:
    for reader in (json.loads, tomllib.loads):
        try:
            return reader(text)
        except (ValueError, RecursionError):  # both readers' errors are ValueErrors
            continue
    return None


def _why(path: Path, text: str) -> str:
    try:
        json.loads(text) if text.lstrip().startswith("{") or path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        return f": {error}"
    return ""


class _WrongValueError(Exception):
    """A value is not what its key means."""


def _value(key: str, value: Any) -> object:  # noqa: ANN401 - a value as JSON or TOML has it
    if key in {"domain", "netbios"}:
        text = _text(key, value).strip().strip(".")
        return text.lower() if key == "domain" else text.upper()
    if key == "sources":
        return {pattern: _hint(f"sources.{pattern}", hint) for pattern, hint in _table(key, value).items()}
    if key in {"vpn_pools", "teleworker_lans", "offices", "corporate_egress"}:
        groups = value if isinstance(value, dict) else {"": value}
        return {name: _networks(f"{key}.{name}".rstrip("."), group) for name, group in groups.items()}
    if key == "placeholders":
        return {name: tuple(_texts(f"{key}.{name}", texts)) for name, texts in _table(key, value).items()}
    if key == "households":
        if not isinstance(value, list):
            raise _WrongValueError(
                'households must be a list of lists of accounts: [["ann@corp.example", "bob@corp.example"]]'
            )
        return tuple(frozenset(name.casefold() for name in _texts(key, group)) for group in value)
    return tuple(_texts(key, value))


def _table(key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _WrongValueError(f"{key} must be a table, not {value!r}")
    return value


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise _WrongValueError(f"{key} must be text, not {value!r}")
    return value


def _texts(key: str, value: object) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        raise _WrongValueError(f"{key} must be a list of texts, not {value!r}")
    return [_text(key, item) for item in values]


def _networks(key: str, value: object) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in _texts(key, value))
    except ValueError as error:
        raise _WrongValueError(f"{key}: {error}; write a network such as 10.20.0.0/16") from error


def _hint(key: str, value: object) -> LogHint:
    table = {"timezone": value} if isinstance(value, str) else _table(key, value)
    zone = None
    if "timezone" in table:
        text = _text(f"{key}.timezone", table["timezone"])
        name = text if text in available_timezones() else places.zone_name(text)
        if name is None:
            raise _WrongValueError(
                f"{key}.timezone: {text!r} is no time zone; write it as America/New_York or UTC"
            )
        zone = ZoneInfo(name)
    year = table.get("header_has_year")
    if year is not None and not isinstance(year, bool):
        raise _WrongValueError(f"{key}.header_has_year must be true or false, not {year!r}")
    return LogHint(zone, year)
