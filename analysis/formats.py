"""What is read: every sensor, in the words of its own module, and how well it is tested.

How well is counted, not claimed: the samples that the tests read with a sensor, the events that they gave,
and the kinds of these (`tested.json`, which tests/test_formats.py writes and holds to the samples). Whether
the words of a format come from a document, its module and its tables say.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sensors.carriers import Carried
from sensors.sensor import sensors

if TYPE_CHECKING:
    from sensors.sensor import Sensor

_PIPED = 110  # letters of a line that goes to no terminal
_UNSURE: Final = r"(?i)not verified|no document"
# An address, a source file, or a work by its title or maker.
_NAMED: Final = (
    r"https?://|\b[\w-]+(?:\.[\w-]+)+/|\.(?:rs|cc|c|go|py|xsl|proto)\b|\bRFC \d|"
    r"\"[A-Z][^\"]{6,}\"|(?i:\bafter (?:the |[A-Z])|\bmanual\b|\bdocumentation\b|integration `)"
)
_SOURCES: Final = {
    "named": "after a document that it names",
    "in part": "in part after no document",
    "none": "names no document",
}


@dataclass(frozen=True, slots=True)
class Tested:
    """How well a sensor is tested.

    Attributes:
        samples: files that the tests read with it; 0 is none that are counted yet.
        events: of them.
        kinds: of these events, told apart by dataset, action and code.
        document: whether its module and tables name where the format is described: `named`, `in part` (they
            say of what that is not so) or `none`.
    """

    samples: int
    events: int
    kinds: int
    document: str


@dataclass(frozen=True, slots=True)
class Format:
    """What a sensor reads, in the words of its module, and how well it is tested."""

    reads: str
    tested: Tested


def formats() -> dict[str, Format]:
    """By sensor."""
    counted = _counted()
    nothing = (0, 0, 0)
    return {
        sensor.name: Format(said_of(sensor), Tested(*counted.get(sensor.name, nothing), _document(sensor)))
        for sensor in sensors()
    }


@cache
def _counted() -> dict[str, tuple[int, int, int]]:
    raw = json.loads((files("analysis") / "tested.json").read_text("utf-8"))
    return {name: (each["samples"], each["events"], each["kinds"]) for name, each in raw.items()}


def _document(sensor: Sensor) -> str:
    """Whether a sensor's module and the comments of its tables name a document, and own up to gaps."""
    text = "\n".join([_own_words(sensor), *_comments(sensor.name)])
    if re.search(_UNSURE, text):
        return "in part"
    return "named" if re.search(_NAMED, text) else "none"


def _comments(name: str) -> list[str]:
    """The comments of the tables (TOML) that a sensor has: of its name, or in the folder of its name."""
    root = files("sensors")
    places = [root / f"{name}.toml", root / "remote_control" / f"{name}.toml"]
    if (root / name).is_dir():
        places += [each for each in (root / name).iterdir() if each.name.endswith(".toml")]
    return [
        line
        for place in places
        if place.is_file()
        for line in place.read_text("utf-8").splitlines()
        if line.startswith("#")
    ]


def said_of(sensor: Sensor) -> str:
    """The first sentence of its module, and what carries the lines that it reads."""
    if isinstance(sensor, Carried):
        return f"{said_of(sensor.inside)} Carried in {sensor.carrier.said}."
    return " ".join(_own_words(sensor).split("\n\n", 1)[0].split())


def _own_words(sensor: Sensor) -> str:
    own = [module for module in list(sys.modules.values()) if getattr(module, "SENSOR", None) is sensor]
    return inspect.getdoc(own[0] if own else inspect.getmodule(type(sensor))) or ""


def listed(out: TextIO, *, as_json: bool) -> None:
    """Print them: a table, or JSON."""
    found = formats()
    if as_json:
        out.write(
            json.dumps({name: asdict(each) for name, each in found.items()}, indent=2, ensure_ascii=False)
            + "\n"
        )
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, each in found.items():
        table.add_row(Text(name, style="bold"), Text(each.reads).append(f" {_in_words(each.tested)}", "dim"))
    console = Console(file=out, highlight=False, width=None if out.isatty() else _PIPED)
    console.print(table)
    console.print(Text(f"\n{len(found)} sensors. Any other JSON or CSV: write a mapping file, --mapping."))
    console.print(
        Text("[Samples that the tests read, events of them, kinds of events; where the format is from.]")
    )


def _in_words(tested: Tested) -> str:
    """`[3 samples, 41 events of 12 kinds; after a document that it names]`."""
    if not tested.samples:
        return f"[no sample counted; {_SOURCES[tested.document]}]"
    samples = "1 sample" if tested.samples == 1 else f"{tested.samples} samples"
    kinds = "1 kind" if tested.kinds == 1 else f"{tested.kinds} kinds"
    return f"[{samples}, {tested.events} events of {kinds}; {_SOURCES[tested.document]}]"
