"""What tools are known by: `rules/remote_control/tools/`, a YAML file a tool, and one table of host names.

    tool: Example
    kind: remote_access
    facts:
      - names: [example.com]
        basis: where it is written
        date: 2026-11-22

Each fact has one of `KINDS`, a basis, and the date on which it was looked at. What is not confirmed says so
(`confirmed: false`) and names nothing. The check says file and line of whatever is wrong, and leaves it out.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.sigma.reading.documents import Document, RuleError, read, rule_files
from analysis.sigma.reading.load import bundled_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TOOL_KINDS: Final = ("remote_access", "ip_kvm", "vpn", "rmm", "tunnel")
HANDSHAKE, NAME, PORT = "handshake seen", "name seen", "port only"
# What a fact may be, in the order in which facts are believed.
KINDS: Final = {
    "said": HANDSHAKE,
    "alpn": HANDSHAKE,
    "certificate": HANDSHAKE,
    "names": NAME,
    "http_titles": NAME,
    "user_agents": NAME,
    "host_names": NAME,
    "mac_prefixes": NAME,
    "ja3": NAME,
    "ja4": NAME,
    "ports": PORT,
}
CERTIFICATE: Final = ("subject", "issuer", "subject_like", "issuer_like")
# Names of which too many other things are customers: below them a tool may have its own, they are nobody's.
GENERIC: Final = frozenset({
    "amazonaws.com", "azurewebsites.net", "blob.core.windows.net", "cloudapp.net", "cloudflare.com",
    "cloudflarestorage.com", "cloudfront.net", "akamai.net", "akamaiedge.net", "akadns.net", "fastly.net",
    "firebaseapp.com", "github.com", "github.io", "githubusercontent.com", "google.com", "googleapis.com",
    "googleusercontent.com", "gstatic.com", "herokuapp.com", "icloud.com", "live.com", "microsoft.com",
    "microsoftonline.com", "office.com", "pages.dev", "servicebus.windows.net", "sharepoint.com",
    "trafficmanager.net", "visualstudio.com", "web.app", "windows.com", "windows.net", "workers.dev",
    "zoho.com",
})  # fmt: skip
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)+")
_WORD: Final = re.compile(r"[a-z0-9]+")
_MAC: Final = re.compile(r"[0-9A-F]{6,12}")
_PORT: Final = re.compile(r"(tcp|udp)/([0-9]{1,5})")
_LAST_PORT: Final = 65535
_FORMS: Final = {
    "names": (_NAME, "a host's name in small letters, without a star or a dot in front"),
    "host_names": (_WORD, "one word of small letters and digits"),
    "mac_prefixes": (_MAC, "six to twelve hexadecimal digits, in capitals, in quotes"),
    "ports": (_PORT, "tcp/ or udp/ and a number"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a tool is known by.

    Attributes:
        tool, tool_kind: whose it is, and what that is: one of `TOOL_KINDS`.
        kind: one of `KINDS`.
        values: any of them will do; for `said` and `certificate` one, a mapping all of which must hold.
        basis, date: who says so, and when that was looked at.
        path, line: where it is written.
    """

    tool: str
    tool_kind: str
    kind: str
    values: tuple[Any, ...]
    basis: str
    date: dt.date
    confirmed: bool
    path: Path
    line: int


@dataclass(frozen=True)
class Table:
    """Facts, and what was wrong with those left out."""

    facts: tuple[Fact, ...]
    errors: tuple[RuleError, ...] = ()

    @cached_property
    def tools(self) -> dict[str, str]:
        """Tools with what they are, in the facts' order."""
        return {fact.tool: fact.tool_kind for fact in self.facts}

    def of(self, kind: str) -> list[Fact]:
        """The confirmed facts of a kind."""
        return [fact for fact in self.facts if fact.kind == kind and fact.confirmed]

    def flat(self, kind: str) -> pl.DataFrame:
        """Values of a kind with their tools: `value`, `tool`; where two tools claim one, the first has it."""
        rows = [(str(value), fact.tool) for fact in self.of(kind) for value in fact.values]
        return pl.DataFrame(rows, {"value": pl.String, "tool": pl.String}, orient="row").unique(
            "value", keep="first", maintain_order=True
        )


def load(folder: Path | None = None) -> Table:
    """The facts below a folder (molehunt's own if none is given). Never raises."""
    folder = folder or bundled_rules() / "remote_control" / "tools"
    facts: list[Fact] = []
    errors: list[RuleError] = []
    for path in rule_files(folder):
        documents, wrong = read(path, facts=True)
        errors += wrong
        for document in documents:
            _take(document, facts, errors)
    for path in sorted(folder.glob("*.toml")):
        _take_names(path, facts, errors)
    return Table(tuple(facts), tuple(sorted(errors, key=lambda error: (str(error.path), error.line))))


def _take(document: Document, facts: list[Fact], errors: list[RuleError]) -> None:
    value = document.value
    tool, kind, written = value.get("tool"), value.get("kind"), value.get("facts")
    if not isinstance(tool, str) or not tool.strip():
        errors.append(document.error("`tool:` is missing; give the tool's name", "tool"))
        return
    if kind not in TOOL_KINDS:
        message = f"`kind:` is {kind!r}; it is one of {', '.join(TOOL_KINDS)}"
        errors.append(document.error(message, "kind"))
        return
    if not isinstance(written, list):
        errors.append(document.error("`facts:` is a list of what the tool is known by", "facts"))
        return
    errors += [
        document.error(f"{extra!r} is not a key of a tool; remove it", extra)
        for extra in sorted(value.keys() - {"tool", "kind", "facts", "note"})
    ]
    for number, entry in enumerate(written):
        problem = _problem(entry)
        if problem:
            errors.append(document.error(problem[0], "facts", number, *problem[1:]))
            continue
        name = next(iter(entry.keys() & KINDS.keys()))
        values = entry[name] if isinstance(entry[name], list) else [entry[name]]
        line = document.error("", "facts", number, name).line
        date, confirmed = _date(entry["date"]), entry.get("confirmed", True)
        facts.append(
            Fact(tool, kind, name, tuple(values), entry["basis"], date, confirmed, document.path, line)
        )


def _problem(entry: object) -> tuple[str, ...] | None:
    """What is wrong with a fact, and at which key."""
    if not isinstance(entry, dict):
        return ("a fact is a mapping: what it is, `basis:` and `date:`",)
    keys = {str(key) for key in entry}
    kinds = sorted(keys & KINDS.keys())
    if len(kinds) != 1:
        return (f"a fact has one of {', '.join(KINDS)}",)
    values = entry[kinds[0]] if isinstance(entry[kinds[0]], list) else [entry[kinds[0]]]
    extra = min(keys - KINDS.keys() - {"basis", "date", "confirmed"}, default="")
    basis = entry.get("basis")
    checks = (
        (bool(extra), f"{extra!r} is not a key of a fact; remove it", extra),
        (not isinstance(basis, str) or not basis.strip(), "`basis:` is missing: say who says so", "basis"),
        (
            _date(entry.get("date")) == dt.date.min,
            "`date:` is the day on which the basis was looked at, as 2026-11-22",
            "date",
        ),
        (
            not isinstance(entry.get("confirmed", True), bool),
            "`confirmed:` is true or false",
            "confirmed",
        ),
        (not values, f"`{kinds[0]}:` has no value", kinds[0]),
        *((True, wrong, kinds[0]) for wrong in (_wrong(kinds[0], value) for value in values) if wrong),
    )
    return next(((message, key) for broken, message, key in checks if broken), None)


def _wrong(kind: str, value: object) -> str | None:
    """What is wrong with a value."""
    if kind in {"said", "certificate"}:
        return _wrong_mapping(kind, value)
    if not isinstance(value, str) or not value.strip():
        return f"{value!r} is not a text; put it in quotes"
    form, words = _FORMS.get(kind, (None, ""))
    if form and not form.fullmatch(value):
        return f"{value!r} is not {words}"
    if kind == "names" and value in GENERIC:
        return f"{value!r} is everybody's; name what is the tool's own below it"
    if kind == "ports" and not 0 < int(value.partition("/")[2]) <= _LAST_PORT:
        return f"{value!r} is no port"
    return None


def _wrong_mapping(kind: str, value: object) -> str | None:
    if not isinstance(value, dict) or not value or not all(isinstance(one, str) for one in value.values()):
        return f"`{kind}:` is a mapping to texts, all of which must hold"
    if kind == "said":
        return None
    for key, one in value.items():
        if key not in CERTIFICATE:
            return f"{key!r} is not one of {', '.join(CERTIFICATE)}"
        if key.endswith("_like"):
            try:
                re.compile(one)
            except re.error as error:
                return f"{one!r} is no regular expression: {error}"
    return None


def _date(value: object) -> dt.date:
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        return dt.date.min


def _take_names(path: Path, facts: list[Fact], errors: list[RuleError]) -> None:
    """Facts of a table of names: `basis`, `date`, and by kind the tools with their names."""
    try:
        text = path.read_text("utf-8")
        raw = tomllib.loads(text)
        basis, date = str(raw.pop("basis")), _date(raw.pop("date"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        errors.append(RuleError(path, 1, 1, f"the table cannot be read ({error}); correct it"))
        return
    lines = {
        line.partition("=")[0].strip().strip('"'): number for number, line in enumerate(text.splitlines(), 1)
    }
    for kind, tool, names in _tables(raw):
        line = lines.get(tool, 1)
        wrong = next(filter(None, (_wrong("names", name) for name in names)), None)
        if kind not in TOOL_KINDS:
            wrong = f"{kind!r} is not one of {', '.join(TOOL_KINDS)}"
        if wrong:
            errors.append(RuleError(path, line, 1, wrong))
        else:
            facts.append(Fact(tool, kind, "names", tuple(names), basis, date, True, path, line))  # noqa: FBT003


def _tables(raw: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    for kind, tools in raw.items():
        for tool, names in tools.items() if isinstance(tools, dict) else ():
            yield kind, tool, names if isinstance(names, list) else [names]
