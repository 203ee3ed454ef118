"""Rules and correlations as the hunt knows them, read from checked YAML documents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from analysis.finding import Level
from analysis.sigma import tree
from analysis.sigma.reading.detection import Reading, read_detection
from analysis.sigma.reading.documents import Document, RuleError, RuleProblem
from analysis.sigma.taxonomy import Logsource, Taxonomy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sigma.exceptions import SigmaError

DEFAULT_CONFIDENCE: Final = 0.5
_TAXONOMIES: Final = ("sigma", "ecs", "")
DEFAULT_CATEGORY: Final = "access"
_TECHNIQUE: Final = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_SIGNAL: Final = re.compile(r"molehunt\.signal-(.+)", re.IGNORECASE)
_CATEGORIES: Final = {
    "molehunt.access": "access",
    "molehunt.remote-control": "remote_control",
    "molehunt.exfiltration": "exfiltration",
    "molehunt.identity": "identity",
    "molehunt.payment": "payment",
}
# What other people's rules are about, by their ATT&CK tags; the first that fits.
_CATEGORY_BY_TAG: Final = (
    (re.compile(r"attack\.(t1219|t1021|t1200)", re.IGNORECASE), "remote_control"),
    (re.compile(r"attack\.(exfiltration|collection|t1048|t1567|t1530|t1213|t1052|t1041)", re.IGNORECASE),
     "exfiltration"),
    (re.compile(r"attack\.(command-and-control)", re.IGNORECASE), "remote_control"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What every kind of rule says about itself.

    Attributes:
        id: the rule's UUID, or its name or file name if it has none.
        name: by which correlations refer to it; "" if it has none.
        confidence: 0 to 1, how sure a match is.
        category: one of `analysis.finding.CATEGORIES`.
        decisive: it alone may raise an account to "high".
        durable: it decays slowly.
        techniques: ATT&CK ids, upper case.
        signals: signals of the catalogue, upper case.
        why: a sentence for the analyst, with `{field}` placeholders; "" if none was written.
        shown: columns named by the rule's `fields:`.
    """

    id: str
    name: str
    title: str
    level: Level
    confidence: float
    category: str
    decisive: bool
    durable: bool
    techniques: tuple[str, ...]
    signals: tuple[str, ...]
    falsepositives: tuple[str, ...]
    why: str
    description: str
    path: Path
    line: int
    tags: tuple[str, ...]
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Header):
    """A Sigma rule.

    Attributes:
        fields: the columns its detection reads.
        evidence_fields: the columns worth quoting: those its detection reads, then those of `fields:`.
        source: the events it looks at; None if no sensor makes such.
        condition: what it asks of them, and then what its filters ask.
        filters: the filters in force: their numbers in the pack, and what each asks.
        silent: it serves correlations and anomaly rules only, and makes no findings of its own.
        document: as it was written.
    """

    logsource: Logsource
    fields: frozenset[str]
    evidence_fields: tuple[str, ...]
    source: tree.Node | None = field(repr=False)
    condition: tree.Node = field(repr=False)
    silent: bool = False
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False, hash=False)
    filters: tuple[tuple[int, tree.Node], ...] = field(default=(), repr=False)

    @property
    def unfiltered(self) -> tree.Node:
        """What the rule alone asks."""
        whole = self.condition
        return whole.children[0] if self.filters and isinstance(whole, tree.And) else whole


def read_header(document: Document) -> tuple[dict[str, Any], list[RuleError]]:
    """The arguments of `Header`, and mistakes in them, none of which keeps the rule from running.

    pySigma checks what the specification says of each key.
    """
    value = document.value
    parsed, errors = _checked(document)
    spoken = value.get("taxonomy")
    if isinstance(spoken, str) and spoken.lower() not in _TAXONOMIES:
        message = f"taxonomy {spoken!r} is not known; its names are read as Sigma's and ECS's"
        errors.append(document.error(f"{message} (the rule runs all the same)", "taxonomy"))
    tags = tuple(str(tag) for tag in _listed(value.get("tags")))
    confidence = value.get("confidence", DEFAULT_CONFIDENCE)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        message = f"confidence must be a number from 0.0 to 1.0, not {confidence!r}"
        errors.append(document.error(message, "confidence"))
        confidence = DEFAULT_CONFIDENCE
    name = value.get("name")
    header = {
        "id": str(parsed.get("id") or name or document.path.stem),
        "name": str(name or ""),
        "title": str(value.get("title") or document.path.stem),
        "level": Level[getattr(parsed.get("level"), "name", Level.MEDIUM.name)],
        "confidence": float(confidence),
        "category": _category(tags),
        "decisive": "molehunt.decisive" in tags,
        "durable": "molehunt.durable" in tags,
        "techniques": tuple(m[1].upper() for tag in tags if (m := _TECHNIQUE.fullmatch(tag))),
        "signals": tuple(m[1].upper() for tag in tags if (m := _SIGNAL.fullmatch(tag))),
        "falsepositives": tuple(str(text) for text in _listed(value.get("falsepositives"))),
        "why": str(value.get("why") or "").strip(),
        "description": str(value.get("description") or "").strip(),
        "path": document.path,
        "line": document.node.start_mark.line + 1,
        "tags": tags,
        "shown": tuple(str(text) for text in _listed(value.get("fields"))),
    }
    return header, [replace(error, harmless=True) for error in errors]


def _checked(document: Document) -> tuple[dict[str, Any], list[RuleError]]:
    """What pySigma makes of the head of a rule, and what it finds wrong.

    It checks some keys as if they were texts. Where one is not, each is looked at by itself.
    """
    from sigma.exceptions import SigmaError  # noqa: PLC0415 - late: packs that were kept need no parser
    from sigma.rule import SigmaRule  # noqa: PLC0415 - likewise

    value = dict(document.value)
    if isinstance(value.get("falsepositives"), str):
        value["falsepositives"] = [value["falsepositives"]]  # the specification's schema has a text, too
    try:
        parsed, problems = SigmaRule.from_dict_common_params(value, collect_errors=True)
    except (AttributeError, TypeError, ValueError, KeyError, SigmaError):
        parsed, problems, errors = {}, [], []
        for key, said in value.items():
            try:
                alone, wrong = SigmaRule.from_dict_common_params(
                    {"title": "t", key: said}, collect_errors=True
                )
            except (AttributeError, TypeError, ValueError, KeyError, SigmaError):
                message = (
                    f"`{key}:` is not what the specification says; correct it (the rule runs all the same)"
                )
                errors.append(document.error(message, key))
                continue
            parsed |= {key: alone[key]} if key in alone else {}
            problems += wrong
        return parsed, [*errors, *(document.error(*_told(problem)) for problem in problems)]
    return parsed, [document.error(*_told(problem)) for problem in problems]


def _told(problem: SigmaError) -> tuple[str, str]:
    """A mistake that pySigma found: the message, and the key it is about (`SigmaLevelError`: `level`)."""
    kind = type(problem).__name__.removeprefix("Sigma").removesuffix("Error").lower()
    key = {"identifier": "id", "tag": "tags", "value": "tags", "type": "name"}.get(kind, kind)
    advice = {
        "id": "; make one with `uuidgen`",
        "level": "; take informational, low, medium, high or critical",
        "status": "; take stable, test, experimental, deprecated or unsupported",
        "title": "; give it a short name",
        "tags": "; a tag is namespace.name, such as attack.t1219.002",
    }.get(key, "; correct it")
    return f"{problem.args[0] if problem.args else problem}{advice} (the rule runs all the same)", key


def _listed(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _category(tags: Sequence[str]) -> str:
    for tag in tags:
        if tag in _CATEGORIES:
            return _CATEGORIES[tag]
    for pattern, category in _CATEGORY_BY_TAG:
        if any(pattern.match(tag) for tag in tags):
            return category
    return DEFAULT_CATEGORY


def read_rule(
    document: Document, taxonomy: Taxonomy, placeholders: Mapping[str, Sequence[str]]
) -> tuple[Rule | None, list[RuleError]]:
    """The rule of a document, or None if it cannot run, and everything wrong with it."""
    header, errors = read_header(document)
    try:
        source = read_logsource(document.value.get("logsource"))
        reading = Reading(lambda name: taxonomy.field(name, source), placeholders, taxonomy.empties)
        condition = read_detection(document.value.get("detection"), reading)
    except RuleProblem as problem:
        return None, [*errors, document.error(str(problem), *problem.keys)]
    read = tree.fields(condition)
    header["shown"] = tuple(
        dict.fromkeys(c for name in header["shown"] for c in taxonomy.field(name, source).sources)
    )
    columns = tuple(dict.fromkeys(column for one in read for column in one.sources))
    rule = Rule(
        **header,
        logsource=source,
        fields=frozenset(columns),
        # The account is said by the finding, and how it was known by the report.
        evidence_fields=tuple(
            name for name in dict.fromkeys((*columns, *header["shown"])) if not name.startswith("account")
        ),
        source=taxonomy.events(source),
        condition=condition,
        document=document.value,
    )
    return rule, errors


def read_logsource(value: object) -> Logsource:
    """A `logsource:` mapping.

    Raises:
        RuleProblem: it is missing, empty or not a mapping of texts.
    """
    if not isinstance(value, dict):
        raise RuleProblem("`logsource:` is missing; say where to look, e.g. category: dns", ("logsource",))
    said: dict[str, str] = {}
    for key in ("category", "product", "service"):
        name = value.get(key)
        if name is None:
            continue
        if not isinstance(name, str) or not name.strip():
            raise RuleProblem(
                f"the {key} must be a text, not {name!r}; e.g. category: dns", ("logsource", key)
            )
        said[key] = name.strip().lower()
    if not said:
        raise RuleProblem("`logsource:` is empty; give a category, a product or a service", ("logsource",))
    return Logsource(**said)
