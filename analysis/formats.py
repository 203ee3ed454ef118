"""What is read: every sensor, in the words of its own module."""

from __future__ import annotations

import inspect
import json
import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sensors.carriers import Carried
from sensors.sensor import sensors

if TYPE_CHECKING:
    from sensors.sensor import Sensor

_PIPED = 110  # letters of a line that goes to no terminal


def formats() -> dict[str, str]:
    """By sensor, the first sentence of what its module says of itself."""
    return {sensor.name: said_of(sensor) for sensor in sensors()}


def said_of(sensor: Sensor) -> str:
    """The first sentence of its module, and what carries the lines that it reads."""
    if isinstance(sensor, Carried):
        return f"{said_of(sensor.inside)} Carried in {sensor.carrier.said}."
    own = [module for module in list(sys.modules.values()) if getattr(module, "SENSOR", None) is sensor]
    text = inspect.getdoc(own[0] if own else inspect.getmodule(type(sensor))) or ""
    return " ".join(text.split("\n\n", 1)[0].split())


def listed(out: TextIO, *, as_json: bool) -> None:
    """Print them: a table, or JSON."""
    found = formats()
    if as_json:
        out.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, said in found.items():
        table.add_row(Text(name, style="bold"), Text(said))
    console = Console(file=out, highlight=False, width=None if out.isatty() else _PIPED)
    console.print(table)
    console.print(Text(f"\n{len(found)} sensors. Any other JSON or CSV: write a mapping file, --mapping."))
