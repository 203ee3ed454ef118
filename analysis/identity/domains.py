"""Which domains the company has, and which names of domains are the same one."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from analysis.identity import principal

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from analysis.context.site import Site

COMPANY: Final = ""  # the company's own directory, by whichever of its names
_DEFAULT_NAME: Final = re.compile(
    r"(?:desktop|laptop|win|ec2amaz)-[a-z0-9]{7,11}"
)  # Windows Setup's own names
_ONLY: Final = 0.9  # of all distinct names; the rest are guests and computers' own accounts
_ROSTER_SHARE: Final = 0.1
_NOT_DOMAINS: Final = frozenset(
    {"workgroup", "local", "localdomain", "azuread", "microsoftaccount", "mshome", "(local)", "nt authority",
     "builtin", "window manager", "font driver host", "nt service", "iis apppool", "nt virtual machine"}
)  # fmt: skip
_MAILBOXES: Final = frozenset(  # anyone's address may be there
    {"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com",
     "icloud.com", "me.com", "aol.com", "proton.me", "protonmail.com", "gmx.de", "gmx.net", "web.de",
     "mail.ru", "yandex.ru", "qq.com", "163.com", "126.com", "naver.com", "zoho.com", "mail.com",
     "fastmail.com", "tutanota.com"}
)  # fmt: skip


@dataclass(frozen=True)
class Domains:
    """What is known of domains and computers.

    Attributes:
        dns: the company's DNS domains, its directory's first.
        netbios: short names (lower case) of the company's directory.
        same: another short name → the DNS domain that it is short for.
        computers: short names of computers, lower case, at most 15 letters.
        spelled: the company's short name as it is written, or "".
    """

    dns: tuple[str, ...] = ()
    netbios: frozenset[str] = frozenset()
    same: tuple[tuple[str, str], ...] = ()
    computers: frozenset[str] = frozenset()
    spelled: str = ""

    @property
    def known(self) -> bool:
        """Whether the company's own directory is known, so that names without a domain are names in it."""
        return bool(self.dns or self.netbios)

    def is_computer(self, domain: str) -> bool:
        """Whether a domain before a user's name is the computer's name: an account of that computer alone."""
        short = domain.split(".", 1)[0][:15]
        return short in self.computers or _DEFAULT_NAME.fullmatch(short) is not None

    def canonical(self, domain: str) -> str:
        """One name for a domain: `COMPANY` for the company's, the DNS name for one that is short for it."""
        if domain in self.netbios or domain in self.dns[:1]:
            return COMPANY
        return dict(self.same).get(domain, domain)


def infer(
    people: Iterable[principal.Key], computers: frozenset[str], site: Site, roster: pl.DataFrame | None
) -> Domains:
    """The company's domains: from the site file, else from the roster, else the only one that the logs have.

    A DNS domain is the company's if the site names it, if at least a tenth of the roster's addresses (two at
    least) are in it, or, without either, if nine tenths of all distinct addresses in the logs are. A short
    (NetBIOS) name is the company's if the site says so; else if it is the first label of the company's DNS
    domain, as Windows proposes; else if nine tenths of all distinct names with a short domain have it.
    """
    shorts: Counter[str] = Counter()
    realms: Counter[str] = Counter()
    mails: set[str] = set()
    spellings: dict[str, str] = {}
    devices = _devices(roster)
    naming = Domains(computers=computers | devices)
    for space, name, domain, email, number, alias in people:
        user, realm = principal.split(name, domain)
        low = (realm or "").casefold()
        if low and low not in _NOT_DOMAINS and not naming.is_computer(low):
            (realms if "." in low else shorts)[low] += 1
            spellings.setdefault(low, realm or "")
            if "." in low and space != "windows" and user and "@" not in user:
                mails.add(f"{user}@{low}".casefold())
        mails |= {mail for text in (email, alias, name, number) if (mail := principal.address(text))}
    dns = _dns(mails, realms, site, roster)
    netbios = _netbios(shorts, dns, site)
    by_label: dict[str, set[str]] = {}
    for realm in realms:
        by_label.setdefault(realm.split(".", 1)[0], set()).add(realm)
    same = tuple(
        (short, *full) for short, full in sorted(by_label.items()) if len(full) == 1 and short in shorts
    )
    spelled = site.netbios or next((spellings[short].upper() for short in sorted(netbios)), "")
    pairs = tuple((short, full) for short, full in same if short not in netbios)
    return Domains(dns, netbios, pairs, naming.computers, spelled)


def _devices(roster: pl.DataFrame | None) -> frozenset[str]:
    if roster is None:
        return frozenset()
    return frozenset(name for text in roster["device_hostname"].drop_nulls() for name in device_names(text))


def device_names(text: str) -> list[str]:
    """Short names of the computers in a roster's cell, in the spelling of `columns.host`."""
    return [name.split(".", 1)[0].casefold()[:15] for name in re.split(r"[;,|\s]+", text) if name]


def _dns(mails: set[str], realms: Counter[str], site: Site, roster: pl.DataFrame | None) -> tuple[str, ...]:
    own = [site.domain] if site.domain else []
    if roster is not None:
        addresses = [mail for mail in roster["email"].drop_nulls() if "@" in mail]
        counts = Counter(mail.rsplit("@", 1)[1] for mail in addresses)
        for domain, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
            enough = count >= max(2, _ROSTER_SHARE * len(addresses)) or count == len(addresses)
            if enough and domain not in _MAILBOXES and domain not in own:
                own.append(domain)
    if own:
        return tuple(own)
    counts = Counter(mail.rsplit("@", 1)[1] for mail in mails)
    for domain in [name for name in counts if name in _MAILBOXES or name.endswith(".onmicrosoft.com")]:
        if len(counts) > 1:
            del counts[domain]
    for realm in realms:
        counts.setdefault(realm, 1)
    best = max(counts, key=lambda domain: (counts[domain], domain), default="")
    if best and best not in _MAILBOXES and counts[best] >= _ONLY * counts.total():
        return (best,)
    return ()


def _netbios(shorts: Counter[str], dns: tuple[str, ...], site: Site) -> frozenset[str]:
    if site.netbios:
        return frozenset({site.netbios.casefold()})
    labels = [domain.split(".", 1)[0] for domain in dns]
    for label in labels:
        if label in shorts:
            return frozenset({label})
    return frozenset(short for short, count in shorts.items() if count >= _ONLY * shorts.total())
