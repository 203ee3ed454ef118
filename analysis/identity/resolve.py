"""Which names are one person's: the roster first, then what events tie, then what a domain implies."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from analysis.identity import principal
from analysis.identity.components import Components
from analysis.identity.domains import COMPANY, Domains, device_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.identity.principal import Node, Principal

Row = dict[str, Any]
_CONFLICTS: Final = 1000  # sentences kept; a log of an attack may have millions of odd names


class Resolver:
    """One resolution: names of all events and a roster into components.

    Args:
        rows: people of the roster, in its columns.
        domains: what is known of domains.
        people: what each distinct combination of names amounts to, and how many events had it; in an order
            that does not depend on how the events came.
    """

    def __init__(self, rows: list[Row], domains: Domains, people: list[tuple[Principal, int]]) -> None:
        self.components = Components()
        self.conflicts: list[str] = []
        self._rows = rows
        self._domains = domains
        self._people = people
        self._shared: set[Node] = set()  # names that the roster gives to two people
        self._namesakes: dict[str, set[int]] = defaultdict(set)
        for number, row in enumerate(rows):
            for text in (str(row.get("email") or "").rpartition("@")[0], str(row.get("employee_id") or "")):
                self._namesakes[text.casefold()].add(number)

    def run(self) -> Resolver:
        """Do all of it."""
        self._roster()
        self._ties()
        self._implied()
        self._bare_names()
        return self

    # -- the roster

    def _roster(self) -> None:
        for number in range(len(self._rows)):
            self.components.claim(("person", str(number)), number)
        said = self._claims(_said_names)
        for node, claimants in sorted(said.items()):
            if len(claimants) > 1:
                self._shared.add(node)
                self._conflict(
                    f"The roster gives {_text(node)} to {self._who(*claimants)}; it counts for neither."
                )
        self._take(said)
        for names in (self._upn_names, self._local_names):
            self._take(self._claims(names))

    def _claims(self, names: Any) -> dict[Node, list[int]]:  # noqa: ANN401 - a function of a row, see below
        claims: dict[Node, list[int]] = defaultdict(list)
        for number, row in enumerate(self._rows):
            for node in dict.fromkeys(names(row, self._domains)):
                claims[node].append(number)
        return claims

    def _take(self, claims: dict[Node, list[int]]) -> None:
        """Give each name to its one claimant, unless it is somebody's already."""
        for node, claimants in claims.items():
            if len(claimants) == 1 and node not in self._shared and self.components.person(node) is None:
                self.components.claim(node, claimants[0])
                self.components.join(("person", str(claimants[0])), node, on_evidence=True)

    @staticmethod
    def _upn_names(row: Row, domains: Domains) -> Iterator[Node]:
        """`username@domain` in the company's domains."""
        for name in _words(row.get("username")):
            if "@" not in name and "\\" not in name:
                yield from (("mail", f"{name}@{domain}") for domain in domains.dns)

    @staticmethod
    def _local_names(row: Row, domains: Domains) -> Iterator[Node]:
        r"""`DOMAIN\local-part` for an address in one of the company's domains."""
        for mail in row.get("emails") or ():
            local, _, domain = mail.rpartition("@")
            if domain in domains.dns and not principal.is_shared(local):
                yield ("sam", COMPANY, local)

    # -- what events tie

    def _ties(self) -> None:
        ties: Counter[tuple[Node, Node]] = Counter()
        for person, events in self._people:
            for node in person.nodes:
                self.components.add(node)
            for node in person.nodes[1:]:
                first, second = sorted((person.nodes[0], node))
                ties[first, second] += events
        for (one, other), _ in sorted(ties.items(), key=lambda tie: (-tie[1], tie[0])):
            if not self.components.join(one, other, on_evidence=True):
                between = self._who(self.components.person(one), self.components.person(other))
                self._conflict(
                    f"Events name {_text(one)} and {_text(other)} together, but they are {between}."
                )

    # -- what a domain implies

    def _implied(self) -> None:
        directory = [node for node, _ in self._nodes("sam")]
        mails = {node for node, _ in self._nodes("mail")}
        for node in directory:
            _, domain, name = node
            if principal.is_shared(name) and self.components.person(node) is None:
                continue
            for realm in self._domains.dns if domain == COMPANY else [domain]:
                mail = ("mail", f"{name}@{realm}")
                if mail in mails and mail not in self._shared and node not in self._shared:
                    self._imply(node, mail)
                    break
        if not self._domains.netbios:
            self._only_domain(directory)
        self._devices()

    def _imply(self, one: Node, other: Node) -> None:
        if not self.components.join(one, other, on_evidence=False):
            self._conflict(
                f"{_text(one)} and {_text(other)} are alike, but are known to be two; they stay two."
            )

    def _only_domain(self, directory: list[Node]) -> None:
        """A user name of the roster is its one namesake's, where the company's domain is not known."""
        namesakes: dict[str, list[Node]] = defaultdict(list)
        for node in directory:
            namesakes[node[2]].append(node)
        for name, nodes in namesakes.items():
            ours = ("sam", COMPANY, name)
            others = [node for node in nodes if node != ours]
            if self.components.person(ours) is not None and len(others) == 1 and ours not in self._shared:
                self._imply(ours, others[0])

    def _devices(self) -> None:
        """An account of one computer is its owner's by the roster, if it has the owner's name."""
        owners: dict[str, set[int]] = defaultdict(set)
        for number, row in enumerate(self._rows):
            for device in device_names(row.get("device_hostname") or ""):
                owners[device].add(number)
        for node, _ in self._nodes("local"):
            owner = owners.get(node[1], set())
            if len(owner) == 1:
                number = next(iter(owner))
                own = {*_words(self._rows[number].get("username")), *_locals(self._rows[number])}
                if node[2] in own:
                    self._imply(("person", str(number)), node)

    def _nodes(self, kind: str) -> list[tuple[Node, int | None]]:
        return sorted(
            (
                (node, person)
                for person, members in self.components.groups()
                for node in members
                if node[0] == kind
            ),
            key=lambda found: found[0],
        )

    # -- names without a domain

    def _bare_names(self) -> None:
        carried: dict[Node, list[Node]] = defaultdict(list)
        lone: dict[Node, None] = {}
        for person, _ in self._people:
            if person.bare is None:
                continue
            if person.nodes:
                carried[person.bare].append(person.nodes[0])
            else:
                lone[person.bare] = None
        for bare in lone:
            home = self._home(bare, carried.get(bare, []))
            self.components.join(home, bare, on_evidence=True)

    def _home(self, bare: Node, carried: list[Node]) -> Node:
        found: list[Node] = []
        for node in carried:
            if not any(self.components.same(node, old) for old in found):
                found.append(node)
        if len(found) == 1:
            return found[0]
        if found:
            self._conflict(
                f"{_text(bare)} is a name of {', '.join(_text(node) for node in found[:5])}; it stays apart."
            )
            return bare
        return self._untied(bare)

    def _untied(self, bare: Node) -> Node:
        """Where a bare name that no event ties belongs.

        A user name of the roster is its person's; a name in the company's directory is that account; else a
        name that begins the one address, or is the employee number, of one person of the roster is theirs.
        Where the company's directory is known, any other name is one in it, and so the same in every product.
        """
        name = bare[2]
        ours = ("sam", COMPANY, name)
        if ours in self._shared:
            self._conflict(f"{_text(bare)} may be any of several people; it stays apart.")
            return bare
        if self.components.person(ours) is not None:
            return ours
        if principal.is_shared(name):
            return bare
        if ours in self.components:
            return ours
        return self._by_roster(name) or self._mail(name) or (ours if self._domains.known else bare)

    def _by_roster(self, name: str) -> Node | None:
        numbers = self._namesakes.get(name, set())
        return ("person", str(next(iter(numbers)))) if len(numbers) == 1 else None

    def _mail(self, name: str) -> Node | None:
        for domain in self._domains.dns:
            if ("mail", f"{name}@{domain}") in self.components:
                return ("mail", f"{name}@{domain}")
        return None

    # -- what was odd

    def _who(self, *people: int | None) -> str:
        names = [self._rows[number]["account"] for number in people if number is not None]
        return " and ".join(dict.fromkeys(names))

    def _conflict(self, text: str) -> None:
        if len(self.conflicts) < _CONFLICTS:
            self.conflicts.append(text)


def _said_names(row: Row, domains: Domains) -> Iterator[Node]:
    """Names that the roster says in so many words."""
    for mail in row.get("emails") or ():
        yield ("mail", mail)
    for name in _words(row.get("username")):
        if "@" in name:
            yield ("mail", name)
        elif "\\" in name:
            domain, _, user = name.rpartition("\\")
            yield ("sam", domains.canonical(domain), user)
        else:
            yield ("sam", COMPANY, name)
    for login in _words(row.get("github_login")):
        yield ("login", "github", login.rstrip("/").rsplit("/", 1)[-1].removeprefix("@"))
    if row.get("okta_id"):
        yield ("id", "okta", row["okta_id"])
    for text in (row.get("entra_id"), row.get("sid")):
        node = principal.identifier(text, "azure") if text else None
        if node is not None:
            yield node


def _words(text: str | None) -> list[str]:
    return [word for word in (text or "").casefold().replace(",", " ").replace(";", " ").split() if word]


def _locals(row: Row) -> set[str]:
    return {mail.rpartition("@")[0] for mail in row.get("emails") or ()}


def _text(node: Node) -> str:
    """A node as a person would write it."""
    if node[0] in {"sam", "local"} and node[1]:
        return f"{node[1]}\\{node[2]}"
    if node[0] in {"login", "bare"}:
        return f"{node[2]} ({node[1]})"
    return node[-1]
