"""Which line of a YAML file a key stands on, so that a mistake can be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def line_of(path: Path, identifier: object, keys: Sequence[str]) -> int | None:
    """1-based line of the key that `keys` leads to, or of the last one of them that is there.

    Args:
        path: the file, which may hold several documents.
        identifier: the `id` of the document meant; the first document if none has it.
        keys: from the outermost key inwards.

    Returns:
        None if the file cannot be read or is no YAML.
    """
    try:
        nodes = list(yaml.compose_all(path.read_text("utf-8"), Loader=yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    maps = [node for node in nodes if isinstance(node, yaml.MappingNode)]
    if not maps:
        return None
    node: yaml.Node = next((m for m in maps if _child(m, "id", str(identifier))), maps[0])
    line: int = node.start_mark.line
    for key in keys:
        pair = next((p for p in node.value if p[0].value == key), None) if _is_map(node) else None
        if pair is None:
            break
        line, node = pair[0].start_mark.line, pair[1]
    return line + 1


def _is_map(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode)


def _child(node: yaml.MappingNode, key: str, value: str) -> bool:
    return any(k.value == key and v.value == value for k, v in node.value)
