"""What an event has to tell: where a rule that is to find it must look, and what to ask for."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import yaml

from analysis.sigma.explain import true_of
from analysis.sigma.taxonomy import Logsource, Taxonomy, logsources
from sensors.schema import dictionary

if TYPE_CHECKING:
    from collections.abc import Mapping

# Categories across vendors, the telling ones first: a DNS look-up is network traffic, too.
_CATEGORIES: Final = (
    "vpn", "authentication", "remote_session", "repository", "saas_file", "device", "dhcp", "dns", "tls",
    "proxy", "web", "process_creation", "process", "file_event", "file_delete", "file_rename", "file_change",
    "registry_set", "registry_event", "image_load", "network_traffic",
)  # fmt: skip
_CLOUD: Final = ("okta", "azure", "m365", "github")  # what happens in a service is no visit to its pages
# Names of fields that say which event, person, machine or moment it was, and not what happened.
_PARTICULAR: Final = re.compile(
    r"(^|[._])(id|ids|uid|uuid|guid|sid|pid|ppid|hash|hashes|md5|sha\d+|imphash|serial|serial_number|"
    r"number|time|timestamp|date|created|start|end|duration|bytes|packets|sequence|session|record|entity|"
    r"thread|ip|mac|address|email|phone|reference|token|score|lat|lon|message|original|keywords|version|"
    r"fingerprint|ja3s?|ja4|text|identity|owner|nick|cookie|client|serialnumber|seqno|size)($|[._])"
    r"|(id|guid|time|hash|address|sid|user|name_?of|username|display_?name|computer_?name|client_?name|"
    r"host_?name|domain_?name|workstation_?name)$",
    re.IGNORECASE,
)
_ROOTS: Final = (
    "@timestamp", "account", "agent", "client", "ecs", "host", "log", "molehunt", "observer", "organization",
    "related", "roster", "server", "source", "user",
)  # fmt: skip
_SAID_BY_LOGSOURCE: Final = ("event.category", "event.type", "event.dataset", "event.module", "event.kind")
_VALUE: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-|^[0-9a-f]{16,}$|^S-1-\d|^0x[0-9a-f]+$|^\d{6,}$|^\d{4}-\d\d-\d\d|^-$|"
    r"^(\d{1,3}\.){3}\d{1,3}$|^[0-9a-f:]+:[0-9a-f:]*$|@|\s{2}|\n",
    re.IGNORECASE,
)
_LONGEST: Final = 120
_ENOUGH: Final = 3


@cache
def templates() -> dict[str, dict[str, Any]]:
    """What a rule begins with, by category."""
    text = (files("analysis.workbench.new") / "templates.yaml").read_text("utf-8")
    loaded: dict[str, dict[str, Any]] = yaml.load(
        text, Loader=yaml.CSafeLoader
    )  # the safe loader; our own file
    return loaded


def logsource_of(event: Mapping[str, Any]) -> Logsource:
    """The narrowest logsource that `event` is of."""
    taxonomy = Taxonomy()
    for source in sorted(logsources(), key=_width):
        meant = taxonomy.events(source)
        if meant is not None and true_of(meant, event):
            return source
    return Logsource(category="any")


def _width(source: Logsource) -> tuple[bool, float]:
    """A product's own category, then one across vendors, then a service, a product, any other category."""
    if source.category is not None and source.product is not None:
        kinds = [key for key, one in templates().items() if source.category in (key, *one.get("also", ()))]
        return False, [*templates()].index(kinds[0]) / len(templates()) - 2 if kinds else -1
    if source.product in _CLOUD and source.service is not None:
        return False, _CATEGORIES.index("device") - 0.5
    if source.category in _CATEGORIES:
        return False, _CATEGORIES.index(source.category)
    return True, (source.service is None) + 2 * (source.category is not None)


def template_of(source: Logsource) -> dict[str, Any]:
    """What a rule on `source` begins with."""
    for name, template in templates().items():
        if source.category in (name, *template.get("also", ())):
            return template
    return templates()["any"]


def selection_of(event: Mapping[str, Any], source: Logsource) -> dict[str, Any]:
    """The fields of an event to ask for, and their values."""
    chosen = {name: event[name] for name in template_of(source)["select"] if name in event}
    narrow = source.service is not None or source.category not in (None, "any")
    if not chosen:
        chosen = {name: event[name] for name in aside(event, {})[:_ENOUGH]}
    return chosen if narrow and chosen else {"event.dataset": event["event.dataset"], **chosen}


def aside(event: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """The other fields that tell something: those of the same kind first, then ECS, then a vendor's own."""
    roots = {name.split(".", 1)[0] for name in asked}
    telling = [name for name, value in event.items() if name not in asked and tells(name, value)]
    return sorted(telling, key=lambda name: (name.split(".", 1)[0] not in roots, name not in dictionary()))


def tells(name: str, value: object) -> bool:
    """Whether a field says what happened, and not to whom, where, when or as which number."""
    if name.split(".", 1)[0] in _ROOTS or name in _SAID_BY_LOGSOURCE or _PARTICULAR.search(name):
        return False
    if isinstance(value, bool):
        return True
    if isinstance(value, list):
        return len(value) == 1 and tells(name, value[0])
    text = str(value)
    return bool(text.strip()) and len(text) <= _LONGEST and not _VALUE.search(text)
