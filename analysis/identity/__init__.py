r"""One person, many names: `CORP\jdoe`, `jdoe@corp.example`, an Okta id, a SID become one account.

What ties names, strongest first:

1. The roster: an employee's addresses, user name, GitHub login and ids.
2. Events that name one person in full: id and address, SID and `DOMAIN\name`.
3. The company's domain (of the site file, the roster's addresses, or the only one that the logs have): there,
   `CORP\jdoe`, `jdoe@corp.example` and a bare `jdoe` of any product are one, unless the roster knows them as
   two people or one directory as two objects.

Nothing else does: display names, names that are merely alike, and equal names in products whose users choose
them (GitHub) stay apart. Where no domain is known, equal bare names of two products stay two accounts. An
account of one computer (`HOST\jdoe`) is its own, unless the roster says that the computer is the jdoe's of
the roster. Two rows of the roster never become one account; where evidence would join them, it is left out
and said in `conflicts`.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.identity import columns, principal
from analysis.identity.columns import NAMES, names, together
from analysis.identity.domains import COMPANY, Domains, infer
from analysis.identity.resolve import Resolver, Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.context import Context
    from analysis.identity.principal import Key, Kind, Node, Principal

__all__ = ["NAMES", "Identity", "names", "resolve", "together"]

_ACCOUNTS: Final[dict[str, pl.DataType]] = {
    "account": pl.String(),
    "kind": pl.String(),
    "label": pl.String(),
    "employee_id": pl.String(),
    "identifiers": pl.List(pl.String()),
    "events": pl.Int64(),
    "worked": pl.Boolean(),
}
_NAMED_BY: Final = ("mail", "sam", "local", "login", "bare", "known", "id")  # best first
_REMEMBERED: Final = 200_000
_GUESSES: Final = 20_000  # more names that never worked are a dictionary attack, not people


_Record = tuple[str, "Kind", str, str | None, list[str], int, bool]


@dataclass
class Identity:
    """Who is who.

    Attributes:
        accounts: one row an account: `account`, `kind` (person, service, machine), `label` (a name to show),
            `employee_id`, `identifiers` (every name, as the logs write it), `events` that name it (0 for
            people who are in the roster alone), and `worked` (false where every event that it acted in
            failed).
        conflicts: sentences on names that evidence would have joined though they are two people's.
        domains: what was taken for the company's domains.
        guesses: how many names only ever failed and are nobody's that is known otherwise, if there are so
            many that somebody guesses names (else 0); they are no accounts.
    """

    accounts: pl.DataFrame
    conflicts: list[str]
    domains: Domains
    guesses: int
    _account: dict[Node, str]
    _kind: dict[str, Kind]
    _asked: dict[Key, tuple[str, Kind] | None] = field(default_factory=dict, repr=False)

    def assign(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The events with `account` and `account.kind`; null where they name nobody.

        Names that were in no batch of `names` get an account of their own, unless there are `guesses`.
        """
        if frame.is_empty() or not columns.names_anyone(frame):
            return frame.with_columns(account=pl.lit(None, pl.String)).with_columns(
                pl.lit(None, pl.String).alias("account.kind")
            )
        people = columns.principal(frame).select(columns.KEY)
        distinct = people.unique()
        found = [self._of(key) or (None, None) for key in distinct.iter_rows()]
        table = distinct.with_columns(
            pl.Series("account", [account for account, _ in found], pl.String),
            pl.Series("account.kind", [kind for _, kind in found], pl.String),
        )
        joined = people.join(table, on=columns.KEY, how="left", nulls_equal=True, maintain_order="left")
        return frame.with_columns(joined["account"], joined["account.kind"])

    def kind(self, account: str) -> Kind:
        """What an account is; one that is not known is a person's."""
        return self._kind.get(account, "person")

    def _of(self, key: Key) -> tuple[str, Kind] | None:
        if key not in self._asked:
            if len(self._asked) > _REMEMBERED:
                self._asked.clear()
            self._asked[key] = self._look_up(principal.read(key, self.domains)) if any(key[1:5]) else None
        return self._asked[key]

    def _look_up(self, person: Principal) -> tuple[str, Kind] | None:
        nodes = [*person.nodes, *([person.bare] if person.bare else [])]
        for node in nodes:
            account = self._account.get(node)
            if account is not None:
                return account, self._kind[account]
        account = self._account.get(("sam", COMPANY, person.bare[2])) if person.bare else None
        if account is not None:
            return account, self._kind[account]
        return (_text(nodes[0], self.domains), person.kind) if nodes and not self.guesses else None


def resolve(partials: Iterable[pl.DataFrame], context: Context) -> Identity:
    """Join the names of all batches into accounts (the end step).

    Args:
        partials: what `names` said of each batch.
        context: its roster and site.
    """
    table, computers = columns.merged(list(partials))
    guess = ~pl.col("worked") & (pl.col("events") > 0) & pl.col("id").is_null() & pl.col("alias").is_null()
    guesses = table.filter(guess).height
    if guesses > _GUESSES:
        table = table.filter(~guess)
    keys = table.select(columns.KEY).rows()
    domains = infer(keys, computers, context.site, context.roster)
    people = [principal.read(key, domains) for key in keys]
    rows: list[Row] = list(context.roster.iter_rows(named=True)) if context.roster is not None else []
    resolver = Resolver(rows, domains, list(zip(people, table["events"], strict=True))).run()
    drafts = _drafts(resolver, rows, people, table)
    called = _called(drafts, {row["account"] for row in rows}, domains)
    records = _records(drafts, called, context.site.service_accounts)
    return Identity(
        pl.DataFrame(records, schema=_ACCOUNTS, orient="row").sort("account"),
        resolver.conflicts,
        domains,
        guesses if guesses > _GUESSES else 0,
        {node: name for name, draft in zip(called, drafts, strict=True) for node in draft.members},
        {name: kind for name, kind, *_ in records},
    )


@dataclass
class _Draft:
    """One account in the making."""

    row: Row | None
    members: list[Node]
    names: dict[str, str] = field(default_factory=dict)  # folded → as written
    full_names: Counter[str] = field(default_factory=Counter)
    kinds: set[Kind] = field(default_factory=set)
    events: int = 0
    worked: bool = False

    def say(self, text: str | None) -> None:
        if text:
            self.names[text.casefold()] = min(text, self.names.get(text.casefold(), text))


def _drafts(
    resolver: Resolver, rows: list[Row], people: list[Principal], table: pl.DataFrame
) -> list[_Draft]:
    drafts = []
    draft_of: dict[Node, _Draft] = {}
    for number, members in resolver.components.groups():
        draft = _Draft(rows[number] if number is not None else None, members)
        drafts.append(draft)
        draft_of |= dict.fromkeys(members, draft)
        for text in _roster_names(draft.row):
            draft.say(text)
    for person, (full_name, events, worked) in zip(
        people, table.select("full_name", "events", "worked").iter_rows(), strict=True
    ):
        node = person.nodes[0] if person.nodes else person.bare
        if node is None:
            continue
        draft = draft_of[node]
        draft.kinds.add(person.kind)
        draft.events += events
        draft.worked |= worked
        if full_name:
            draft.full_names[full_name] += events
        for named, text in person.shown.items():
            if named[0] != "bare" or not person.nodes:
                draft_of[named].say(text)
    return [draft for draft in drafts if draft.row is not None or draft.kinds]


def _roster_names(row: Row | None) -> list[str]:
    if row is None:
        return []
    said = [
        row.get(name) for name in ("employee_id", "username", "github_login", "okta_id", "entra_id", "sid")
    ]
    return [*(row.get("emails") or ()), *(text for text in said if text)]


def _records(drafts: list[_Draft], called: list[str], services: tuple[str, ...]) -> list[_Record]:
    """The rows of `Identity.accounts`."""
    globs = re.compile("|".join(fnmatch.translate(glob.casefold()) for glob in services) or r"(?!)")
    records: list[_Record] = []
    for name, draft in zip(called, drafts, strict=True):
        row = draft.row or {}
        seen = max(draft.full_names, key=lambda text: (draft.full_names[text], text), default=name)
        identifiers = [draft.names[key] for key in sorted(draft.names)]
        kind = _kind(draft, globs)
        records.append(
            (
                name,
                kind,
                row.get("name") or seen,
                row.get("employee_id"),
                identifiers,
                draft.events,
                draft.worked,
            )
        )
    return records


def _called(drafts: list[_Draft], taken: set[str], domains: Domains) -> list[str]:
    """The account's name: the roster's, else the best of its names, with its product if not unique."""
    plain = [
        draft.row["account"] if draft.row else _text(_best(draft.members, domains), domains)
        for draft in drafts
    ]
    counts = Counter(plain)
    used = Counter[str]()
    called = []
    for draft, name in zip(drafts, plain, strict=True):
        text = name
        if draft.row is None and (counts[name] > 1 or name in taken):
            best = _best(draft.members, domains)
            text = f"{best[1] or 'directory'}:{name}"
        used[text] += 1
        called.append(text if used[text] == 1 else f"{text} ({used[text]})")
    return called


def _best(members: list[Node], domains: Domains) -> Node:
    def rank(node: Node) -> tuple[int, int, Node]:
        place = 0
        if node[0] == "mail":
            domain = node[1].rpartition("@")[2]
            place = domains.dns.index(domain) if domain in domains.dns else len(domains.dns)
        elif node[0] == "sam":
            place = int(node[1] != COMPANY)
        return (_NAMED_BY.index(node[0]), place, node)

    return min((node for node in members if node[0] != "person"), key=rank)


def _text(node: Node, domains: Domains) -> str:
    """A name as the account is called by it."""
    if node[0] == "sam" and node[1] == COMPANY:
        return f"{domains.spelled}\\{node[2]}" if domains.spelled else node[2]
    if node[0] in {"sam", "local"}:
        return f"{node[1].upper()}\\{node[2]}"
    return node[-1]


def _kind(draft: _Draft, globs: re.Pattern[str]) -> Kind:
    if draft.row is not None:
        return "person"
    if "machine" in draft.kinds:
        return "machine"
    if "service" in draft.kinds:
        return "service"
    texts = {*draft.names, *(node[-1] for node in draft.members)}
    texts |= {text.rpartition("@")[0] for text in texts if "@" in text}
    return "service" if any(globs.match(text) for text in texts) else "person"
