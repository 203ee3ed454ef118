"""What one event says of one person: the names that identify, and whether it is a person at all."""

from __future__ import annotations

import re
import struct
import tomllib
import uuid
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from analysis.identity.domains import Domains

Kind = Literal["person", "service", "machine"]
Node = tuple[str, ...]  # kind of name, the space it is unique in, the name: ("sam", "corp", "jdoe")
Key = tuple[str | None, ...]  # analysis.identity.columns.KEY

# Products whose users choose their own names; a name there says nothing about a name elsewhere.
OWN_NAMES: Final = frozenset(
    {"github", "gitlab", "bitbucket", "slack", "zoom", "discord", "atlassian_bitbucket"}
)
_MICROSOFT: Final = frozenset({"azure", "o365", "entra", "m365", "m365_defender", "microsoft", "windows"})
_SID: Final = re.compile(r"(?i)s-1-(?:\d+|0x[0-9a-f]+)(?:-\d+)+")
_GUID: Final = re.compile(r"(?i)\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?")
_ADDRESS: Final = re.compile(r"[^@\s\\/]+@[^@\s\\/]+")
_GUEST: Final = re.compile(r"(?i)(.+)_([^_]+)#ext#@.+")  # jdoe_gmail.com#EXT#@corp.onmicrosoft.com
_SESSION: Final = re.compile(r"(?:dwm|umfd)-\d+")
_NO_DOMAIN: Final = frozenset({"workgroup", "local", "localdomain", "mshome", "arbeitsgruppe", "(local)"})
_CLOUD_DOMAINS: Final = frozenset({"azuread", "microsoftaccount"})
_OF_THE_SYSTEM: Final = re.compile(r"(?i)s-1-5-(?:18|19|20|7|17|90-.*|96-.*|1|2|3|4|6|9|11|13|14|15)")
_SYSTEM_SIDS: Final = {
    "S-1-5-18": "system",
    "S-1-5-19": "local service",
    "S-1-5-20": "network service",
    "S-1-5-7": "anonymous logon",
}
_OF_A_SERVICE: Final = re.compile(r"(?i)s-1-5-(?:80|82|83|111)-.*")


@dataclass(frozen=True, slots=True)
class Principal:
    """What the names of one event amount to.

    Attributes:
        nodes: names that identify, best first; all are one person's.
        bare: a name without a domain, with the product that says it; identifies only where something ties it.
        kind: what the names alone tell.
        shown: for each node (and the bare name) how the log wrote it.
    """

    nodes: tuple[Node, ...] = ()
    bare: Node | None = None
    kind: Kind = "person"
    shown: dict[Node, str] = field(default_factory=dict)


@cache
def _forms() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((files("analysis.identity") / "forms.toml").read_text("utf-8"))


@cache
def _services() -> re.Pattern[str]:
    return re.compile("|".join(_forms()["service"]["patterns"]))


@cache
def _shared_names() -> frozenset[str]:
    return frozenset(_forms()["shared"]["names"])


def is_shared(name: str) -> bool:
    """Whether a name is one that tools and fresh systems have everywhere (root, admin, ubuntu)."""
    return name in _shared_names()


def looks_like_service(name: str) -> bool:
    """Whether a name, in lower case, is written as service accounts' names are."""
    return _services().search(name) is not None


def address(text: str | None) -> str | None:
    """An e-mail address or user principal name in lower case; a guest's own for a guest's; or None."""
    if text is None or "@" not in text:
        return None
    guest = _GUEST.fullmatch(text)
    folded = (f"{guest[1]}@{guest[2]}" if guest else text.removeprefix("mailto:")).casefold()
    return folded if _ADDRESS.fullmatch(folded) else None


def identifier(text: str, namespace: str) -> Node | None:
    """An id that a directory gives: a SID, an object id, an id of one product; None for a mere number."""
    if _SID.fullmatch(text):
        parts = text.upper().split("-")
        if parts[:4] == ["S", "1", "12", "1"] and len(parts) == 8:  # noqa: PLR2004 - S-1-12-1 and four numbers
            # Entra's SIDs are the object id in four little-endian words ([MS-DTYP] 2.4.2.4, Entra join).
            words = [int(part) & 0xFFFFFFFF for part in parts[4:]]
            return ("id", "entra", str(uuid.UUID(bytes_le=struct.pack("<4I", *words))))
        return ("id", "sid:" + "-".join(parts[:-1]), "-".join(parts))
    if guid := _GUID.fullmatch(text):
        return ("id", "entra" if namespace in _MICROSOFT else "guid", guid[1].lower())
    if namespace in {"linux", "windows"}:  # a uid is one computer's own
        return None
    return ("id", namespace, text)


def split(name: str | None, domain: str | None) -> tuple[str | None, str | None]:
    r"""Name and domain, where the name may be `DOMAIN\name`; a name with an empty part stays as it is."""
    before, _, after = (name or "").rpartition("\\")
    realm = before.rpartition("\\")[2]
    return (after, realm) if after and realm else (name, domain)


def read(key: Key, domains: Domains) -> Principal:
    """What the names of one event amount to.

    Args:
        key: namespace, name, domain, e-mail address, id and a further address, as the log has them.
        domains: which domains and computers there are.
    """
    namespace, name, domain, email, number, alias = key
    space = namespace or "unknown"
    name, domain = split(name, domain)
    if name is None and email is None and number and not _is_id(number):
        if "@" in number or "\\" in number:
            return read((space, number, domain, None, None, alias), domains)
        node = ("known", space, number.casefold())  # Microsoft 365 puts its own services' names where ids go
        return Principal((node,), None, "service", {node: number})
    system = _of_the_system(space, name, domain, number)
    if system is not None:
        return system
    if number and (_OF_THE_SYSTEM.fullmatch(number) or _OF_A_SERVICE.fullmatch(number)):
        number = None  # the account that wrote the log, not the one it is about
    return _person(space, name, domain, (email, alias), number, domains)


def _is_id(text: str) -> bool:
    return "@" not in text and "\\" not in text and any(letter.isdigit() for letter in text)


def _of_the_system(space: str, name: str | None, domain: str | None, number: str | None) -> Principal | None:
    """Accounts that every Windows has, and what runs under them."""
    low, realm = (name or "").casefold(), (domain or "").casefold()
    forms = _forms()
    if low.endswith("$"):
        return None
    kind: Kind | None = None
    for which in ("machine", "service"):
        if realm in forms["authorities"][which]:
            kind = "service" if which == "service" else "machine"
    if kind is None and (
        _SESSION.fullmatch(low) or (space == "windows" and low in forms["windows"]["machine"])
    ):
        kind = "machine"
    if kind is None and not low and number:
        kind = (
            "machine"
            if _OF_THE_SYSTEM.fullmatch(number)
            else "service"
            if _OF_A_SERVICE.fullmatch(number)
            else None
        )
    if kind is None:
        return None
    low = _SYSTEM_SIDS.get((number or "").upper(), low or (number or "").casefold())
    shown = f"{domain}\\{name}" if domain and name else name or number or ""
    node = ("known", "windows", re.sub(r"-\d+$", "", low) if _SESSION.fullmatch(low) else low)
    return Principal((node,), None, kind, {node: shown})


def _person(
    space: str,
    name: str | None,
    domain: str | None,
    addresses: tuple[str | None, ...],
    number: str | None,
    domains: Domains,
) -> Principal:
    shown: dict[Node, str] = {}
    for text in (*addresses, name, number):
        mail = address(text)
        if mail is not None:
            shown[("mail", mail)] = mail
    node = identifier(number, space) if number and "@" not in number else None
    if node is not None and number is not None:
        shown[node] = number
    bare = None
    if name and address(name) is None:
        named = _named(space, name, domain, domains)
        shown.setdefault(
            named, f"{domain}\\{name}" if domain and "." not in domain and named[0] != "bare" else name
        )
        if domain and "." in domain:
            shown[named] = f"{name}@{domain}" if named[0] != "bare" else name
        bare = named if named[0] == "bare" else None
    kind: Kind = "person"
    if name and name.endswith("$"):
        return Principal((named,), None, "machine", {named: shown[named]})
    if any(looks_like_service(node[-1]) for node in shown if node[0] != "id") or (
        name and is_shared(name.casefold()) and not any(node[0] in {"mail", "login"} for node in shown)
    ):
        kind = "service"
    return Principal(tuple(node for node in shown if node[0] != "bare"), bare, kind, shown)


def _named(space: str, name: str, domain: str | None, domains: Domains) -> Node:
    """The node of a name: in a directory, on one computer, in a product of its own, or bare."""
    low, realm = name.casefold(), (domain or "").casefold()
    if space in OWN_NAMES:
        return ("login", space, low)
    if not realm or realm in _NO_DOMAIN:
        return ("bare", space, low)
    if realm in _CLOUD_DOMAINS:
        return ("sam", realm, low)
    if domains.is_computer(realm) and not low.endswith("$"):
        return ("local", realm.split(".", 1)[0][:15], low)
    if "." in realm and space != "windows" and not low.endswith("$"):
        return ("mail", f"{low}@{realm}")
    return ("sam", domains.canonical(realm), low)
