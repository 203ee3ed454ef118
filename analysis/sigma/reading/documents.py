"""YAML files of rules, read safely, with the place of every key for the messages.

Rules are trusted no more than logs: a safe loader (no code runs), bounded size, depth and number of nodes
(nesting overflows the C parser's stack, so it is counted before any node is built), no aliases (one that
doubles itself thirty times fills any memory), and a key written twice is a mistake, not a choice.

Scalars are those of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), which the specification asks
for: `yes`, `on`, `12:30` and `2026-01-05` are texts (PyYAML itself reads YAML 1.1). One thing is as rules
mean it, and not as YAML: digits that begin with a zero are a text, `00000429`.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 40
MAX_NODES: Final = 50_000
SUFFIXES: Final = (".yml", ".yaml")
_NAME: Final = attrgetter("name")
_TAG: Final = "tag:yaml.org,2002:"


class _Loader(yaml.CSafeLoader):
    """A safe loader of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own
    yaml_constructors = yaml.CSafeLoader.yaml_constructors.copy()

    def whole(self, node: yaml.ScalarNode) -> int | str:
        """A number in decimal digits, or in those that 0o and 0x announce; behind a zero, a text."""
        text = str(self.construct_scalar(node))
        if text.lstrip("+-")[1:].isdigit() and text.lstrip("+-").startswith("0"):
            return text
        return int(text, 0 if text[:2] in ("0o", "0x") else 10)

    def real(self, node: yaml.ScalarNode) -> float | str:
        """A floating-point number; digits beyond its range stay a text."""
        text = str(self.construct_scalar(node))
        number = float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
        return text if math.isinf(number) and "inf" not in text.lower() else number


for _kind, _first, _pattern in (
    ("null", "~nN", r"~|null|Null|NULL|"),
    ("bool", "tTfF", r"true|True|TRUE|false|False|FALSE"),
    ("int", "-+0123456789", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    ("float", "-+.0123456789", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
    ("float", "-+.", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), [*_first])
_Loader.add_implicit_resolver(_TAG + "null", re.compile(r"\Z"), [""])
_Loader.add_constructor(_TAG + "int", _Loader.whole)
_Loader.add_constructor(_TAG + "float", _Loader.real)


@dataclass(frozen=True, slots=True)
class RuleError:
    """What is wrong with a rule, where, and what to do.

    Attributes:
        line, column: counted from 1; 1 and 1 if the whole file is meant.
        harmless: the rule runs all the same.
    """

    path: Path
    line: int
    column: int
    message: str
    harmless: bool = False

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class RuleProblem(Exception):  # noqa: N818 - `RuleError` is the located message made of it
    """A mistake at the key path `keys` of a document."""

    def __init__(self, message: str, keys: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file: its value, and the node it came from."""

    path: Path
    value: dict[str, Any]
    node: yaml.Node

    def error(self, message: str, *keys: str | int) -> RuleError:
        """The mistake `message` at the key path `keys`, or at the nearest part of it that is written."""
        node = self.node
        mark = node.start_mark
        for key in keys:
            found = _step(node, key)
            if found is None:
                break
            mark, node = found
        return RuleError(self.path, mark.line + 1, mark.column + 1, message)


def _step(node: yaml.Node, key: str | int) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark, node.value[key]
    return None


def rule_files(folder: Path) -> Iterator[Path]:
    """The rule files below `folder` in order of name, or `folder` itself if it is a file."""
    if folder.is_file():
        yield folder
        return
    yield from map(Path, files_below(str(folder), SUFFIXES))


def files_below(folder: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """The files below a folder whose names end so, in order of name; what cannot be listed is passed over.

    Names, since to make thousands of paths takes longer than to read the files. A link to a folder is not
    followed: it may lead in a circle.
    """
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=_NAME)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(entry.path, suffixes)
        elif entry.name[1:].endswith(suffixes) and os.path.isfile(entry.path):  # noqa: PTH113 - likewise
            yield entry.path


def read(path: Path, *, facts: bool = False) -> tuple[list[Document], list[RuleError]]:
    """The documents of one file, and what is wrong with it. Never raises.

    Args:
        path: the file.
        facts: those that have `facts:` instead of those that have not: what tools are known by stands beside
            the rules, and is none.
    """
    documents: list[Document] = []
    errors: list[RuleError] = []
    try:
        for document in _documents(path):
            if isinstance(document, RuleError):
                errors.append(document)
            elif ("facts" in document.value) == facts:
                documents.append(document)
    except OSError as error:
        reason = error.strerror or str(error)
        errors.append(RuleError(path, 1, 1, f"the file cannot be read ({reason}); check its rights"))
    except UnicodeDecodeError as error:
        errors.append(RuleError(path, 1, 1, f"byte {error.start} is not UTF-8; save the file as UTF-8"))
    except yaml.MarkedYAMLError as error:
        errors.append(_syntax(path, error))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        errors.append(RuleError(path, 1, 1, f"the file is not YAML: {error}"))
    return documents, errors


def _documents(path: Path) -> Iterator[Document | RuleError]:
    if path.stat().st_size > MAX_BYTES:
        yield RuleError(path, 1, 1, f"the file is larger than {MAX_BYTES >> 20} MiB; no rule is, split it")
        return
    text = path.read_bytes().decode("utf-8-sig")
    too_much = _bounds(text)
    if too_much:
        yield RuleError(path, too_much[0], 1, too_much[1])
        return
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            twice = _written_twice(node)
            if twice is not None:
                name = twice.value
                line, column = twice.start_mark.line + 1, twice.start_mark.column + 1
                yield RuleError(path, line, column, f"key {name!r} is written twice; keep one of them")
                continue
            try:
                value = loader.construct_document(node)
            except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
                line = node.start_mark.line + 1
                message = f"a value is not what its tag or its digits say ({error}); write it in quotes"
                yield RuleError(path, line, 1, message)
                continue
            if isinstance(value, dict):
                yield Document(path, {str(key): item for key, item in value.items()}, node)
            elif value is not None:
                line = node.start_mark.line + 1
                yield RuleError(path, line, 1, "a rule is a mapping of keys (title:, logsource:, detection:)")
    finally:
        loader.dispose()


def _bounds(text: str) -> tuple[int, str] | None:
    """Line and message if the text nests too deep or holds too much, seen before any node is built."""
    depth = 0
    for nodes, event in enumerate(yaml.parse(text, yaml.CSafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            message = "an alias is not allowed here; put a text that begins with * in single quotes"
            return line, message
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            message = f"more than {MAX_DEPTH} levels or {MAX_NODES} values in one file; split it"
            return line, message
    return None


def _written_twice(node: yaml.Node) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    return key
                seen.add(key.value)
            found = _written_twice(value)
            if found is not None:
                return found
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            found = _written_twice(value)
            if found is not None:
                return found
    return None


def _syntax(path: Path, error: yaml.MarkedYAMLError) -> RuleError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    advice = "look for a missing space after a colon, a tab, or a value that needs quotes"
    if "escape" in str(error.problem):
        advice = "a backslash in double quotes is an escape; use single quotes"
    elif "mapping values" in str(error.problem):
        advice = "put a value that holds a colon in single quotes, and check the indentation"
    elif "alias" in str(error.problem):
        advice = "a value that begins with * needs single quotes"
    problem = error.problem or error.context or "cannot be parsed"
    if error.context_mark and error.context_mark.line + 1 < line:
        problem += f" (of what begins in line {error.context_mark.line + 1})"
    return RuleError(path, line, column, f"not valid YAML: {problem}; {advice}")
