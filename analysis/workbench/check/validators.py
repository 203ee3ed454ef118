"""pySigma's own validators over rules, what they find placed in the file.

Each is named here with what to do about it, or left out with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError, SigmaRuleLocation
from sigma.rule import SigmaDetection, SigmaRule
from sigma.validation import SigmaValidator
from sigma.validators.core import validators

from analysis.workbench.check.issue import Issue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sigma.validators.base import SigmaValidationIssue

    from analysis.sigma.reading.detection import Keys
    from analysis.sigma.reading.documents import Document


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about an issue.

    Attributes:
        warning: the rule may be right all the same.
        style: a matter of taste, told on request only.
    """

    text: str
    warning: bool = False
    style: bool = False


ADVICE: Final = {
    "dangling_detection": Advice("name it in the condition, or delete it"),
    "dangling_condition": Advice("name a selection that there is"),
    "all_of_them_condition": Advice("name the selections: all of selection_*", warning=True, style=True),
    "them_condition_with_single_detection": Advice("name the selection", warning=True, style=True),
    "fieldname_logsource": Advice("a logsource has a category, a product and a service"),
    "specific_instead_of_generic_logsource": Advice(
        "take the category, which other sensors feed as well", warning=True
    ),
    "identifier_existence": Advice("make one with `uuidgen`"),
    "duplicate_title": Advice("give each its own: findings are told apart by it"),
    "duplicate_filename": Advice(
        "rename one: rules can be asked for by the name of their file", warning=True
    ),
    "duplicate_references": Advice("delete one"),
    "custom_attributes": Advice("correct its spelling"),
    "invalid_modifier_combinations": Advice("correct the modifiers"),
    "duplicate_tag": Advice("delete one"),
    "tag_format": Advice("write it in small letters, as attack.t1219.002"),
    "cartag": Advice("write e.g. car.2013-05-009"),
    "cvetag": Advice("write e.g. cve.2021-44228"),
    "detection_tag": Advice("there is detection.dfir, .emerging-threats and .threat-hunting"),
    "stptag": Advice("write e.g. stp.2a"),
    "tlptag": Advice("there is tlp.clear, .white, .green, .amber, .amber-strict and .red"),
    "control_character": Advice("put the text in single quotes, or write the backslash twice"),
    "double_wildcard": Advice("one is enough", warning=True, style=True),
    "escaped_wildcard": Advice(r"\* and \? are the characters themselves", warning=True, style=True),
    "wildcards_instead_of_modifiers": Advice(
        "write |contains, |startswith or |endswith", warning=True, style=True
    ),
}
_QUOTED: Final = ("detection_name", "condition_name", "tag", "reference", "fieldname", "string", "title")
LEFT_OUT: Final = {
    "attacktag": "fetches its list from the network; the form of tags is checked without it",
    "d3_fendtag": "the same",
    "namespace_tag": "does not know the tags molehunt.*",
    "tlpv1_tag": "contradicts version 2; tlptag knows both",
    "tlpv2_tag": "the same the other way round",
    "identifier_uniqueness": "told, with both places, when rules are loaded",
    "filename_length": "a habit of SigmaHQ's repository",
    "number_as_string": "ECS has ports as numbers and event codes as texts; here both match either",
}


def validated(documents: Iterable[Document], *, strict: bool) -> Iterator[Issue]:
    """What pySigma's validators say of rules and correlations; those it cannot read are left to `load`.

    Args:
        documents: of one pack, for some validators compare rules with each other.
        strict: tell matters of style, too.
    """
    asked = {
        name: SigmaValidator([validators[name]])
        for name, advice in ADVICE.items()
        if name in validators and (strict or not advice.style)
    }
    placed: dict[int, _Placed] = {}
    for document in documents:
        rule = _parsed(document)
        if rule is not None:
            placed[id(rule)] = _Placed(document, rule)
            for name, validator in asked.items():
                for issue in _found(validator, rule):
                    yield from _issues(name, issue, placed)
    for name, validator in asked.items():
        for issue in validator.finalize():
            yield from _issues(name, issue, placed)


def _parsed(document: Document) -> SigmaRule | SigmaCorrelationRule | None:
    source = SigmaRuleLocation(document.path)
    try:
        if "correlation" in document.value:
            return SigmaCorrelationRule.from_dict(document.value, source=source)
        if "detection" in document.value:
            return SigmaRule.from_dict(document.value, source=source)
    except (SigmaError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        pass  # what is wrong with it was told when it was loaded, in our words
    return None


def _found(validator: SigmaValidator, rule: SigmaRule | SigmaCorrelationRule) -> list[SigmaValidationIssue]:
    try:
        return list(validator.validate_rule(rule))  # type: ignore[arg-type]  # it takes correlations, too
    except (SigmaError, RecursionError):
        return []  # a condition that cannot be parsed: the same


def _tag(value: Mapping[str, Any], tag: str) -> Keys:
    tags = [str(one) for one in value["tags"]]
    return ("tags", tags.index(tag)) if tag in tags else ("tags",)


def _last(texts: list[str], text: str) -> int:
    return max(index for index, one in enumerate(texts) if str(one) == text)


# Where the things that an issue may be about stand in the rule, by the issue's attribute.
_WHERE: Final[dict[str, Callable[[Mapping[str, Any], str], Keys]]] = {
    "detection_name": lambda _, name: ("detection", name),
    "condition_name": lambda _value, _name: ("detection", "condition"),
    "tag": _tag,
    "reference": lambda value, text: ("references", _last(value["references"], text)),
    "generic_logsource": lambda _value, _source: ("logsource",),
    "fieldname": lambda value, name: (name,) if name in value else ("logsource", name),
}


@dataclass(frozen=True, slots=True)
class _Placed:
    """A rule and its document."""

    document: Document
    rule: SigmaRule | SigmaCorrelationRule

    def keys(self, issue: SigmaValidationIssue) -> Keys:
        """The key path of what an issue is about, as far as it says."""
        for attribute, at in _WHERE.items():
            if hasattr(issue, attribute):
                return at(self.document.value, str(getattr(issue, attribute)))
        part = getattr(issue, "detection_item", None) or getattr(issue, "string", None)
        if part is None or isinstance(self.rule, SigmaCorrelationRule):
            return ("detection", "condition") if "Condition" in type(issue).__name__ else ("title",)
        for name, detection in self.rule.detection.detections.items():
            body = self.document.value["detection"].get(name)
            for keys, one in _parts(detection, body, ("detection", name)):
                if one is part:
                    return keys
        return ("detection",)


def _parts(detection: SigmaDetection, body: object, at: Keys) -> Iterator[tuple[Keys, object]]:
    """The items of a detection and their values, each with its place in the YAML that they were read from."""
    places: list[Keys] = [at]
    if isinstance(body, dict):
        places = [(*at, str(key)) for key in body]
    elif isinstance(body, list) and any(isinstance(part, dict | list) for part in body):
        places = [(*at, index) for index in range(len(body))]
    for item, keys in zip(detection.detection_items, places, strict=False):
        inner = body
        for key in keys[len(at) :]:
            inner = inner[key]  # type: ignore[index]  # the places were taken from it
        if isinstance(item, SigmaDetection):
            yield from _parts(item, inner, keys)
            continue
        yield keys, item
        alone = not isinstance(inner, list) or len(inner) != len(item.value)
        for index, value in enumerate(item.value):
            yield (keys if alone else (*keys, index)), value


def _issues(name: str, issue: SigmaValidationIssue, placed: Mapping[int, _Placed]) -> Iterator[Issue]:
    advice = ADVICE[name]
    said = [str(getattr(issue, field.name)) for field in fields(issue) if field.name in _QUOTED]
    quoted = f" ({said[0]})" if said else ""
    message = f"{issue.description.rstrip('.')}{quoted}; {advice.text}"
    for rule in issue.rules:
        one = placed[id(rule)]
        yield Issue.of(one.document.error(message, *one.keys(issue)), name, warning=advice.warning)
