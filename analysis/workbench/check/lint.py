"""What an author wants to hear of a rule before a hunt runs it; every message has a file and a line."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from analysis.anomaly import AnomalyError, parse
from analysis.sigma.correlations.correlation import Correlation
from analysis.sigma.filters import unowned
from analysis.sigma.reading.documents import read, rule_files
from analysis.sigma.reading.load import bundled_rules
from analysis.workbench.check.issue import Issue
from analysis.workbench.check.validators import validated
from analysis.workbench.new.drafting import UNSAID
from sensors.schema import dictionary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from analysis.sigma.pack import RulePack
    from analysis.sigma.reading.detection import Keys
    from analysis.sigma.reading.documents import Document, RuleError
    from analysis.sigma.reading.rule import Rule

TACTICS: Final = (
    "reconnaissance", "resource-development", "initial-access", "execution", "persistence",
    "privilege-escalation", "defense-evasion", "stealth", "defense-impairment", "credential-access",
    "discovery", "lateral-movement", "collection", "command-and-control", "exfiltration", "impact",
)  # fmt: skip
OURS: Final = ("access", "remote-control", "exfiltration", "identity", "payment", "decisive", "durable")
_ATTACK: Final = re.compile(rf"attack\.(t\d{{4}}(\.\d{{3}})?|(g|s|ds|m)\d{{4}}|{'|'.join(TACTICS)})")
_ID: Final = re.compile(r"^id: *['\"]?([^'\"\s]+)", re.MULTILINE)
_MOLEHUNT: Final = re.compile(rf"molehunt\.({'|'.join(OURS)}|signal-[a-z]+\d+)")
_NEEDED: Final = {
    "id": "make one with `uuidgen`",
    "level": "take informational, low, medium, high or critical",
    "tags": "name the category (molehunt.access …) and the ATT&CK technique",
    "falsepositives": "list what else could explain it: the analyst sees it beside the finding",
    "why": "write the sentence that the analyst reads, with {field} placeholders",
}


def check(
    pack: RulePack,
    folders: Sequence[Path],
    documents: Sequence[Document] | None = None,
    *,
    strict: bool = False,
) -> list[Issue]:
    """Everything wrong with the rules of `folders`, in order of file and line.

    Args:
        pack: the rules, as loaded from `folders` and perhaps others, which are not checked.
        folders: what is checked.
        documents: of `folders`, if they have been read.
        strict: tell matters of style, too.
    """
    below = [folder.resolve() for folder in folders]

    def asked(error: RuleError) -> bool:
        return any(error.path.resolve().is_relative_to(folder) for folder in below)

    every: tuple[Rule | Correlation, ...] = (*pack.rules, *pack.correlations)
    loaded = {(one.path.resolve(), one.line): one for one in every}
    found = [Issue.of(error, "load") for error in pack.errors if asked(error)]
    found += [Issue.of(error, "filter") for error in unowned(pack.filters) if asked(error)]
    found += [Issue.of(error, "filter", warning=True) for error in pack.notes if asked(error)]
    documents = documents_of(folders) if documents is None else documents
    sound = []
    for document in documents:
        one = loaded.get((document.path.resolve(), document.node.start_mark.line + 1))
        found += _checked(document, one, pack)
        sound += [document] if one is not None else []
    found += _as_ours(documents)
    told = {(issue.path, issue.line, issue.column) for issue in found}
    found += [
        issue
        for issue in validated(sound, strict=strict)
        if (issue.path, issue.line, issue.column) not in told
    ]
    return sorted(found, key=lambda issue: (str(issue.path), issue.line, issue.column, issue.message))


def _as_ours(documents: Sequence[Document]) -> Iterator[Issue]:
    """Rules that have the id of one of molehunt's own and are no copies of it."""
    asked = {str(document.value.get("id")) for document in documents}
    files = [
        path for path in rule_files(bundled_rules()) if asked & set(_ID.findall(path.read_text("utf-8")))
    ]
    known = {str(one.value.get("id")): one for one in documents_of(files)}
    for document in documents:
        own = known.get(str(document.value.get("id")))
        if own is not None and own.value != document.value:
            message = (
                f"id {document.value['id']!r} is that of molehunt's own {own.path.name}; a hunt with both "
                "leaves this one out: change it, or give --no-bundled-rules"
            )
            yield Issue.of(document.error(message, "id"), "duplicate", warning=True)


def documents_of(folders: Sequence[Path]) -> list[Document]:
    """The documents of all rule files below `folders`, those that can be read."""
    return [document for folder in folders for path in rule_files(folder) for document in read(path)[0]]


def _checked(document: Document, one: Rule | Correlation | None, pack: RulePack) -> Iterator[Issue]:
    value = document.value
    tags = value.get("tags")
    tags = [str(tag) for tag in tags] if isinstance(tags, list) else []
    yield from _tags(document, tags)
    yield from _texts(document)
    if UNSAID in (value.get("falsepositives") or ()):
        message = "`falsepositives:` is as `molehunt rules new` left it; say what else could explain it"
        yield Issue.of(document.error(message, "falsepositives"), "draft", warning=True)
    ours = document.path.resolve().is_relative_to(bundled_rules())
    if "filter" not in value and (ours or any(tag.startswith("molehunt.") for tag in tags)):
        yield from _ours(document, tags)
    if "anomaly" in value:
        yield from _learned(document)
    elif isinstance(one, Correlation):
        yield from _counted(document, one, pack)
    elif one is not None:
        yield from _fields(document, one, pack)


def _tags(document: Document, tags: Sequence[str]) -> Iterator[Issue]:
    for index, tag in enumerate(tags):
        if tag.startswith("attack.") and not _ATTACK.fullmatch(tag):
            message = f"tag {tag!r} is no ATT&CK tag; write e.g. attack.t1219.002 or attack.exfiltration"
            yield Issue.of(document.error(message, "tags", index), "tag")
        if tag.startswith("molehunt.") and not _MOLEHUNT.fullmatch(tag):
            known = ", molehunt.".join((*OURS, "signal-r04"))
            message = f"tag {tag!r} is not one of ours; there is molehunt.{known}"
            yield Issue.of(document.error(message, "tags", index), "tag")


def _texts(document: Document) -> Iterator[Issue]:
    """What is read out to an analyst and is no text: `- colleague: on holiday` is a mapping to YAML."""
    for key in ("falsepositives", "references", "fields"):
        texts = document.value.get(key)
        for index, text in enumerate(texts if isinstance(texts, list) else ()):
            if not isinstance(text, str):
                message = f"`{key}:` must list texts, not {text!r}; put one that holds a colon in quotes"
                yield Issue.of(document.error(message, key, index), "text")


def _learned(document: Document) -> Iterator[Issue]:
    try:
        parse(document.value, document.path)
    except AnomalyError as error:
        yield Issue(document.path, error.line or 1, 1, "load", error.message)


def _ours(document: Document, tags: Sequence[str]) -> Iterator[Issue]:
    for key, advice in _NEEDED.items():
        serves = key in ("falsepositives", "why") and "detection" in document.value
        if not document.value.get(key) and not (serves and document.value.get("level") == "informational"):
            yield Issue.of(document.error(f"`{key}:` is missing; {advice}"), "missing")
    if not {f"molehunt.{category}" for category in OURS[:5]} & set(tags):
        message = "no tag says the category; add one of molehunt." + ", molehunt.".join(OURS[:5])
        yield Issue.of(document.error(message, "tags"), "missing")


def _fields(document: Document, rule: Rule, pack: RulePack) -> Iterator[Issue]:
    taxonomy = pack.taxonomy
    if taxonomy.events(rule.logsource) is None:
        message = f"no sensor makes events of {rule.logsource}; see analysis/sigma/logsources.yaml"
        yield Issue.of(document.error(message, "logsource"), "logsource")
    for name, keys in _named(document.value, "detection"):
        if not taxonomy.knows(name, rule.logsource):
            yield Issue.of(document.error(_unknown(name), *keys), "field")
    shown = document.value.get("fields")
    for index, name in enumerate(shown if isinstance(shown, list) else ()):
        if not taxonomy.knows(str(name), rule.logsource):
            message = f"`fields:` names {name!r}, which is no column; {_meant(str(name))}"
            yield Issue.of(document.error(message, "fields", index), "field")
    for name in re.findall(r"\{([^{}]+)\}", rule.why):
        if name != "count" and not taxonomy.knows(name, rule.logsource):
            message = f"`why:` quotes {{{name}}}, which is no column; {_meant(name)}"
            yield Issue.of(document.error(message, "why"), "field")


def _unknown(name: str) -> str:
    return (
        f"field {name!r} is neither a column (sensors/ecs.toml) nor mapped to one "
        f"(analysis/sigma/fields.toml); {_meant(name)}"
    )


def _of_filter(document: Document, pack: RulePack) -> Iterator[Issue]:
    """Fields that no rule has which a filter is about: it would hold back nothing, or everything."""
    place = (document.path.resolve(), document.node.start_mark.line + 1)
    for one in pack.filters:
        if (one.path.resolve(), one.line) == place:
            sources = {pack.rules[number].logsource for number, _ in one.on} or {one.logsource}
            for name, keys in _named(document.value, "filter"):
                if not any(pack.taxonomy.knows(name, source) for source in sources):
                    yield Issue.of(document.error(_unknown(name), *keys), "field")


def _counted(document: Document, one: Correlation, pack: RulePack) -> Iterator[Issue]:
    """Fields that the rules of a correlation do not have under the name it gives them."""
    for rule in pack.rules:
        reference = next((name for name in one.rules if name in (rule.id, rule.name)), None)
        if reference is None:
            continue
        for key, names in (("group-by", one.group_by), ("condition", one.counted)):
            for name in names:
                own = one.aliases.get(name, {}).get(reference, name)
                if not pack.taxonomy.knows(own, rule.logsource):
                    message = f"{own!r} is no column of the events of {reference}; correct it or add an alias"
                    yield Issue.of(document.error(message, "correlation", key), "field")


@cache
def _meant(name: str) -> str:
    """What to do about a field that nothing knows."""
    near = get_close_matches(name, dictionary(), n=1, cutoff=0.8)
    return f"did you mean {near[0]!r}?" if near else "correct it or map it"


def _named(value: Mapping[str, Any], section: str) -> Iterator[tuple[str, Keys]]:
    """Field names in a document's `detection:` or `filter:`, and where they stand."""
    for selection, body in value[section].items():
        if selection not in ("condition", "rules"):
            yield from _in_selection(body, (section, str(selection)))


def _in_selection(body: object, keys: Keys) -> Iterator[tuple[str, Keys]]:
    if isinstance(body, list):
        for index, part in enumerate(body):
            yield from _in_selection(part, (*keys, index))
    for key, value in body.items() if isinstance(body, dict) else ():
        name, _, modifiers = str(key).partition("|")
        if name:
            yield name, (*keys, str(key))
        if "fieldref" in modifiers:
            for other in value if isinstance(value, list) else [value]:
                yield str(other), (*keys, str(key))
