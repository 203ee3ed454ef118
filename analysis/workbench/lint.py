"""What an author wants to hear of a rule before a hunt runs it; every message has a file and a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from analysis.sigma.correlation import Correlation
from analysis.sigma.documents import RuleError, read, rule_files
from analysis.sigma.load import bundled_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from analysis.sigma.detection import Keys
    from analysis.sigma.documents import Document
    from analysis.sigma.pack import RulePack
    from analysis.sigma.rule import Rule

TACTICS: Final = (
    "reconnaissance", "resource-development", "initial-access", "execution", "persistence",
    "privilege-escalation", "defense-evasion", "stealth", "defense-impairment", "credential-access",
    "discovery", "lateral-movement", "collection", "command-and-control", "exfiltration", "impact",
)  # fmt: skip
OURS: Final = ("access", "remote-control", "exfiltration", "identity", "payment", "decisive", "durable")
_ATTACK: Final = re.compile(rf"attack\.(t\d{{4}}(\.\d{{3}})?|(g|s|ds|m)\d{{4}}|{'|'.join(TACTICS)})")
_MOLEHUNT: Final = re.compile(rf"molehunt\.({'|'.join(OURS)}|signal-[a-z]+\d+)")
_NEEDED: Final = {
    "id": "make one with `uuidgen`",
    "level": "take informational, low, medium, high or critical",
    "tags": "name the category (molehunt.access …) and the ATT&CK technique",
    "falsepositives": "list what else could explain it: the analyst sees it beside the finding",
    "why": "write the sentence that the analyst reads, with {field} placeholders",
}


def check(pack: RulePack, folders: Sequence[Path]) -> list[RuleError]:
    """Everything wrong with the rules of `folders`, in order of file and line.

    Args:
        pack: the rules, as loaded from `folders`.
        folders: read again for the place of each mistake.
    """
    found = list(pack.errors)
    loaded: dict[tuple[Path, int], Rule | Correlation] = {(one.path, one.line): one for one in pack.rules}
    loaded |= {(one.path, one.line): one for one in pack.correlations}
    for folder in folders:
        for path in rule_files(folder) if folder.exists() else ():
            documents, _ = read(path)
            for document in documents:
                one = loaded.get((path, document.node.start_mark.line + 1))
                found += _checked(document, one, pack)
    return sorted(found, key=lambda error: (str(error.path), error.line, error.column))


def _checked(document: Document, one: Rule | Correlation | None, pack: RulePack) -> Iterator[RuleError]:
    value = document.value
    tags = value.get("tags")
    tags = [str(tag) for tag in tags] if isinstance(tags, list) else []
    for index, tag in enumerate(tags):
        if tag.startswith("attack.") and not _ATTACK.fullmatch(tag):
            message = f"tag {tag!r} is no ATT&CK tag; write e.g. attack.t1219.002 or attack.exfiltration"
            yield document.error(message, "tags", index)
        if tag.startswith("molehunt.") and not _MOLEHUNT.fullmatch(tag):
            known = ", molehunt.".join((*OURS, "signal-r04"))
            message = f"tag {tag!r} is not one of ours; there is molehunt.{known}"
            yield document.error(message, "tags", index)
    if document.path.is_relative_to(bundled_rules()) or any(tag.startswith("molehunt.") for tag in tags):
        yield from _ours(document, tags)
    if isinstance(one, Correlation):
        yield from _counted(document, one, pack)
    elif one is not None:
        yield from _fields(document, one, pack)


def _ours(document: Document, tags: Sequence[str]) -> Iterator[RuleError]:
    for key, advice in _NEEDED.items():
        serves = key in ("falsepositives", "why") and "detection" in document.value
        if not document.value.get(key) and not (serves and document.value.get("level") == "informational"):
            yield document.error(f"`{key}:` is missing; {advice}")
    if not {f"molehunt.{category}" for category in OURS[:5]} & set(tags):
        message = "no tag says the category; add one of molehunt." + ", molehunt.".join(OURS[:5])
        yield document.error(message, "tags")


def _fields(document: Document, rule: Rule, pack: RulePack) -> Iterator[RuleError]:
    taxonomy = pack.taxonomy
    if taxonomy.events(rule.logsource) is None:
        message = f"no sensor makes events of {rule.logsource}; see analysis/sigma/logsources.yaml"
        yield document.error(message, "logsource")
    for name, keys in _named(document.value["detection"]):
        if not taxonomy.knows(name, rule.logsource):
            message = (
                f"field {name!r} is neither a column (sensors/ecs.toml) nor mapped to one "
                "(analysis/sigma/fields.toml); correct it or map it"
            )
            yield document.error(message, *keys)
    shown = document.value.get("fields")
    for index, name in enumerate(shown if isinstance(shown, list) else ()):
        if not taxonomy.knows(str(name), rule.logsource):
            yield document.error(f"`fields:` names {name!r}, which is no column; correct it", "fields", index)
    for name in re.findall(r"\{([^{}]+)\}", rule.why):
        if name != "count" and not taxonomy.knows(name, rule.logsource):
            yield document.error(f"`why:` quotes {{{name}}}, which is no column; correct it", "why")


def _counted(document: Document, one: Correlation, pack: RulePack) -> Iterator[RuleError]:
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
                    yield document.error(message, "correlation", key)


def _named(detection: Mapping[str, object]) -> Iterator[tuple[str, Keys]]:
    """Field names in a detection, and where they stand."""
    for selection, body in detection.items():
        if selection != "condition":
            yield from _in_selection(body, ("detection", str(selection)))


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
