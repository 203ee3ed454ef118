"""What values have in common, as Sigma would ask for it: equal, beginning, end, words, network."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A modifier ("" for equality), and values any of which will do.
Asked: TypeAlias = tuple[str, tuple[str, ...]]
_MOST_VALUES: Final = 3  # of one line; who has more to list has not found what they share
_MOST_RUNS: Final = 4  # of one command line
_SHORTEST_RUN: Final = 5
_LONGEST: Final = 200  # letters; a longer value is no longer human
_LONG_TEXT: Final = 2_000  # letters; parts of a longer one are not looked for
_LONG_LABEL: Final = 3
_DOMAIN: Final = re.compile(r"(?i)(domain|question\.name|server_name|queryname|hostname|fqdn|host)$")
# Of a file, a share, a device or the registry; no command line.
_PATH: Final = re.compile(r'(?:[A-Za-z]:|\\|/|HK\w+|%\w+%)(?:[^"|<>=]*)[\\/](?!.* -)[^"|<>=]*$')
_RANDOM: Final = re.compile(
    r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-|s-1-\d+-|^0x[0-9a-f]+$|^\{?[0-9a-f-]{16,}\}?$|\d{4}-\d\d-\d\d|\d{5,}"
)


def alike(name: str, values: Sequence[str]) -> Iterator[Asked]:
    """What all `values` of a column satisfy, and a person can read and will find the same tomorrow.

    Args:
        name: of the column, which says what its values are.
        values: distinct, in order; one at least.
    """
    for modifier, texts in _every(name, values):
        if all(_human(text, name, modifier) for text in texts):
            yield modifier, texts


def _every(name: str, values: Sequence[str]) -> Iterator[Asked]:
    distinct = {value.casefold(): value for value in values}
    if len(distinct) <= _MOST_VALUES:
        yield "", tuple(distinct.values())
    if max(len(value) for value in values) > _LONG_TEXT:
        return
    if name.endswith((".ip", "Ip")):
        yield from _network(values)
    elif _DOMAIN.search(name):
        yield from _labels(values)
    elif all(" " in value for value in values):
        yield from _runs(values)
    if all(_PATH.match(value) for value in values):
        yield from _folders(values)


def _human(text: str, name: str, modifier: str) -> bool:
    if not text.strip("- ") or len(text) > _LONGEST or not text.isprintable():
        return False
    return modifier == "cidr" or "hash" in name.lower() or not _RANDOM.search(text)


def _network(values: Sequence[str]) -> Iterator[Asked]:
    """The /24 that several private addresses lie in."""
    try:
        networks = {ipaddress.IPv4Network((value, 24), strict=False) for value in values}
    except ValueError:
        return
    if len(values) > 1 and len(networks) == 1:
        network = networks.pop()
        if network.is_private:
            yield "cidr", (str(network),)


def _labels(values: Sequence[str]) -> Iterator[Asked]:
    """The last labels that all names have, if they are more than a public suffix (co.uk) would be."""
    names = [value.split(".") for value in values]
    labels = _end_below(names)
    if not labels or not labels[-1] or labels[-1].isdigit():
        return
    if len(labels) > 2 or (len(labels) == 2 and len(labels[0]) > _LONG_LABEL):  # noqa: PLR2004 - see above
        yield "endswith", ("." + ".".join(labels),)


def _folders(values: Sequence[str]) -> Iterator[Asked]:
    """The folder that all paths lie in, if it is deeper than the first one, and the end that all have."""
    mark = "\\" if all("\\" in value for value in values) else "/"
    paths = [value.split(mark) for value in values]
    end = _end_below(paths)
    for length in dict.fromkeys((min(2, len(end)), min(1, len(end)))):
        if length and end[-1]:
            yield "endswith", (mark + mark.join(end[-length:]),)
    start = _common_end([path[-2::-1] for path in paths])[::-1]
    if len(start) > 2:  # noqa: PLR2004 - the drive, or the root, and one folder
        yield "startswith", (mark.join(start) + mark,)


def _end_below(parts: Sequence[Sequence[str]]) -> list[str]:
    """The last parts that all have, and that none consists of."""
    end = _common_end(parts)
    most = min(len(each) for each in parts) - 1
    return end[-most:] if 0 < most < len(end) else end if most else []


def _common_end(parts: Sequence[Sequence[str]]) -> list[str]:
    """The last parts that all have, whatever the case, as the first of them writes it."""
    count = 0
    for together in zip(*(each[::-1] for each in parts), strict=False):
        if len({part.casefold() for part in together}) > 1:
            break
        count += 1
    return list(parts[0][len(parts[0]) - count :])


def _runs(values: Sequence[str]) -> Iterator[Asked]:
    """The longest runs of words that all texts have."""
    first, folded = values[0], [value.casefold() for value in values]
    words = [(found.start(), found.end()) for found in re.finditer(r"\S+", first)]
    found: list[str] = []
    at = 0
    while at < len(words):
        upto = at
        while upto < len(words) and all(first[words[at][0] : words[upto][1]].casefold() in v for v in folded):
            upto += 1
        if upto > at:
            found.append(first[words[at][0] : words[upto - 1][1]].strip("\"'"))
        at = max(upto, at + 1)
    telling = [run for run in dict.fromkeys(found) if len(run) >= _SHORTEST_RUN and run != first]
    for run in sorted(telling, key=lambda run: (-len(run), run))[:_MOST_RUNS]:
        yield "contains", (run,)


def escaped(value: str) -> str:
    r"""A text as Sigma writes it: `*` and `?` escaped, and backslashes where they would escape something."""
    doubled = re.sub(r"\\+(?=[*?])|\\{2,}", lambda found: found[0] * 2, value)
    return re.sub(r"[*?]", r"\\\g<0>", doubled)
