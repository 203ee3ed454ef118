"""A new rule, made of an event: the text of its file, and the examples beside it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import orjson
import yaml

from analysis.emit import ndjson
from analysis.workbench.examples import MATCH, NOMATCH, flat, frame_of
from analysis.workbench.new.telling import aside, selection_of, template_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from analysis.sigma.taxonomy import Logsource

SHAPES: Final = ("correlation", "anomaly")
UNSAID: Final = "say here what else could explain it"  # `rules check` warns of it
_TITLE: Final = 100  # letters, unless the author says one
_ASIDE: Final = 8  # further fields of the event that are told of
_PLACE: Final = ("log.", "molehunt.source.", "event.hash", "event.original")  # where it lay is not what it is
_BEGIN: Final = datetime(2026, 10, 1, 9, tzinfo=UTC)
_TIMES: Final = 5  # a correlation's threshold
_DAYS: Final = 20  # of an ordinary life, before the day on which an anomaly rule is to speak
_MANY: Final = 40  # events on that day


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the author said of the new rule.

    Attributes:
        name: by which others refer to it; also the stem of its files.
        title, category: None for those of the template.
        author: "" for none.
    """

    name: str
    source: Logsource
    title: str | None = None
    category: str | None = None
    level: str = "medium"
    author: str = ""


def draft(
    event: Mapping[str, Any], near: Mapping[str, Any] | None, shape: str, wanted: Wanted
) -> dict[str, str]:
    """The files of a new rule, name to content: the rule, and the examples that it passes.

    Args:
        event: dotted names to values.
        near: what to change in it for an event that must not match, if that is known.
        shape: "rule", or one of `SHAPES`, which come with a rule of their own that picks the events.
        wanted: what the author said.
    """
    lines = {True: _examples([event]), False: _examples([{**event, **near}] if near else [])}
    if shape == "rule":
        return _files(wanted.name, _rule(event, wanted, serves=False), lines)
    picking = f"{wanted.name}_event"
    inner = Wanted(name=picking, source=wanted.source, author=wanted.author, level="informational",
                   category=wanted.category, title=f"Event that {wanted.name} counts")  # fmt: skip
    told = _story(event, shape)
    stories = {match: _examples(events) for match, events in told.items()}
    outer = _correlation if shape == "correlation" else _anomaly
    return _files(picking, _rule(event, inner, serves=True), lines) | _files(
        wanted.name, outer(event, wanted, picking), stories
    )


def _files(name: str, rule: str, examples: Mapping[bool, str]) -> dict[str, str]:
    files = {f"{name}.yml": rule, name + MATCH: examples[True], name + NOMATCH: examples[False]}
    return {path: text for path, text in files.items() if text}


def _examples(events: Iterable[Mapping[str, Any]]) -> str:
    """Events as they stand beside a rule, without where they once lay."""
    kept = [
        {name: one for name, one in flat(event).items() if not name.startswith(_PLACE)} for event in events
    ]
    out = io.BytesIO()
    for event in kept:
        ndjson([frame_of([event])], out)
    return "".join(orjson.dumps(orjson.loads(line)).decode() + "\n" for line in out.getvalue().splitlines())


def _story(event: Mapping[str, Any], shape: str) -> dict[bool, list[dict[str, Any]]]:
    """Events over time, for a rule that counts them: enough of them, and too few."""
    who = {"account": event.get("account") or event.get("user.email") or event.get("user.name") or "jdoe"}
    who |= {"host.name": event.get("host.name", "corp-lt-0117")}

    def at(day: int, minute: int) -> dict[str, Any]:
        moment = _BEGIN + timedelta(days=day, minutes=minute)
        return {**event, **who, "@timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}

    if shape == "correlation":
        return {True: [at(0, n) for n in range(_TIMES)], False: [at(0, 60 * n) for n in range(_TIMES)]}
    ordinary = [at(day, n) for day in range(_DAYS) for n in range(1 + day % 3)]
    return {
        True: [*ordinary, *(at(_DAYS, n) for n in range(_MANY))],
        False: [*ordinary, *(at(_DAYS, n) for n in range(2))],
    }


def _rule(event: Mapping[str, Any], wanted: Wanted, *, serves: bool) -> str:
    template = template_of(wanted.source)
    asked = selection_of(event, wanted.source)
    also = aside(event, asked)[:_ASIDE]
    logsource = {
        key: value
        for key in ("category", "product", "service")
        if (value := getattr(wanted.source, key)) is not None
    }
    lines = [
        *_head(wanted, event),
        "logsource:",
        *(f"  {key}: {value}" for key, value in logsource.items()),
        "detection:",
        "  selection:",
        *(f"    {name}: {_pattern(value)}" for name, value in asked.items()),
        *(["    # The event says, too:"] if also else []),
        *(f"    # {name}: {_pattern(event[name])}" for name in also),
        "  condition: selection",
    ]
    if not serves:
        lines += _words(template["why"], [name for name in template["fields"] if name not in asked])
    return "\n".join([*lines, f"level: {wanted.level}", ""])


def _correlation(event: Mapping[str, Any], wanted: Wanted, picking: str) -> str:
    group = _group(event)
    return "\n".join(
        [
            *_head(wanted, event, " again and again"),
            "correlation:",
            "  type: event_count",
            "  rules:",
            f"    - {picking}",
            "  group-by:",
            f"    - {group}",
            "  timespan: 10m",
            "  condition:",
            f"    gte: {_TIMES}",
            *_words(f"{{count}} times within ten minutes for {{{group}}}.", []),
            f"level: {wanted.level}",
            "",
        ]
    )


def _anomaly(event: Mapping[str, Any], wanted: Wanted, picking: str) -> str:
    return "\n".join(
        [
            *_head(wanted, event, " more often than usual"),
            "anomaly:",
            "  rules:",
            f"    - {picking}",
            "  measure: count",
            "  group-by:",
            "    - account",
            "  timespan: 1d",
            "  baseline:",
            "    of: [self]",
            "    span: 28d",
            "    minimum: 7",
            "  condition:",
            "    robust_z:",
            "      gt: 4",
            "    value:",
            "      gte: 10",
            *_words("{value} times on {day}; usual for this account is {self_median} a day.", []),
            f"level: {wanted.level}",
            "",
        ]
    )


def _head(wanted: Wanted, event: Mapping[str, Any], more: str = "") -> list[str]:
    template = template_of(wanted.source)
    telling = next(iter(selection_of(event, wanted.source).values()))
    seen = telling[0] if isinstance(telling, list) and telling else telling
    category = f"molehunt.{wanted.category.replace('_', '-')}" if wanted.category else template["category"]
    return [
        f"title: {_scalar(wanted.title or _called(template, more, seen))}",
        f"id: {uuid4()}",
        f"name: {_scalar(wanted.name)}",
        "status: experimental",
        *([f"author: {_scalar(wanted.author)}"] if wanted.author else []),
        f"date: {datetime.now(UTC).date()}",
        "tags: # and the technique of ATT&CK, such as attack.t1219.002",
        f"  - {category}",
    ]


def _called(template: Mapping[str, Any], more: str, seen: object) -> str:
    return f"{template['title']}{more}: {seen}"[:_TITLE]


def _group(event: Mapping[str, Any]) -> str:
    """Whose events a correlation counts: a person's, else a machine's, else an address's."""
    if any(name.startswith(("account", "user.")) for name in event):
        return "account"
    return "host.name" if "host.name" in event or "source.ip" not in event else "source.ip"


def _words(why: str, fields: list[str]) -> list[str]:
    shown = ["fields:", *(f"  - {name}" for name in fields)] if fields else []
    return [*shown, "falsepositives:", f"  - {UNSAID}", f"why: {_scalar(why)}", "confidence: 0.5"]


def _pattern(value: object) -> str:
    """A value of an event as a rule asks for it, literally: wildcards escaped, digits as a number."""
    one = value[0] if isinstance(value, list) and value else value
    if isinstance(one, str) and one.isascii() and one.isdecimal() and str(int(one)) == one:
        return one
    if not isinstance(one, str):
        return _scalar(one)
    text = ""
    for place, letter in enumerate(one):
        if letter == "\\" and one[place + 1 : place + 2] in ("\\", "*", "?"):
            text += "\\\\"
        else:
            text += f"\\{letter}" if letter in "*?" else letter
    return _scalar(text)


def _scalar(value: object) -> str:
    """A value as YAML on one line."""
    text: str = yaml.safe_dump(value, width=2**20, allow_unicode=True)
    return text.removesuffix("...\n").removesuffix("\n")
