"""From Sigma's names to ours: fields to columns, and logsources to the events they mean.

The tables are data: `fields.toml` and `logsources.yaml` beside this file.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from analysis.sigma import tree
from analysis.sigma.reading.detection import Reading, read_selection
from sensors.schema import dictionary, vendor_roots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sigma.rule import SigmaLogSource


@dataclass(frozen=True, slots=True)
class Logsource:
    """Where a rule looks, in Sigma's words."""

    category: str | None = None
    product: str | None = None
    service: str | None = None

    def __str__(self) -> str:
        named = (("category", self.category), ("product", self.product), ("service", self.service))
        return ", ".join(f"{name} {value}" for name, value in named if value) or "any"

    @classmethod
    def of(cls, source: SigmaLogSource) -> Logsource:
        """From pySigma's."""
        return cls(source.category, source.product, source.service)


class Taxonomy:
    """Names of fields and logsources, resolved through the tables.

    Attributes:
        empties: whether events can have text of no length. Sensors write none (`schema.conform`).
    """

    empties: ClassVar[bool] = False

    def field(self, name: str, source: Logsource) -> tree.Field:
        """The columns that may hold the field `name` in a rule on `source`.

        A name that nothing knows stands for itself.
        """
        return tree.Field(name, _columns(name, source) or (name,))

    def knows(self, name: str, source: Logsource) -> bool:
        """Whether `name` is a column or is mapped to one."""
        return bool(_columns(name, source))

    def events(self, source: Logsource) -> tree.Node | None:
        """The events that `source` means, or None if no sensor of molehunt makes such."""
        return _events(source)


class AsWritten(Taxonomy):
    """Rules over events as they are: each field is the column of its name, and any event will do."""

    empties: ClassVar[bool] = True

    def field(self, name: str, source: Logsource) -> tree.Field:  # noqa: ARG002 - the same for every source
        """The column `name`."""
        return tree.Field(name, (name,))

    def knows(self, name: str, source: Logsource) -> bool:  # noqa: ARG002 - nothing is checked
        """Always."""
        return True

    def events(self, source: Logsource) -> tree.Node | None:  # noqa: ARG002 - nothing is checked
        """Every event."""
        return tree.ALWAYS


def logsources() -> tuple[Logsource, ...]:
    """Every logsource that the table names: a product's own categories, categories, services, products."""
    tables = _logsources()
    return (
        *(Logsource(one, product) for product, own in tables["product_categories"].items() for one in own),
        *(Logsource(one) for one in tables["categories"]),
        *(Logsource(None, product, one) for product, own in tables["services"].items() for one in own),
        *(Logsource(None, product) for product in tables["products"]),
    )


def is_column(name: str) -> bool:
    """Whether `name` is a column of the schema or one that analysis adds."""
    root, dot, _ = name.partition(".")
    return name in dictionary() or (bool(dot) and root in vendor_roots()) or name in _fields()["own"]


def names_of(column: str, product: str) -> tuple[str, ...]:
    """Sigma's names that may mean a column: those of its taxonomy, then those of the product."""
    tables = _fields()
    listed = (*tables["names"].items(), *tables["products"].get(product, {}).items())
    return tuple(dict.fromkeys(name for name, columns in listed if column in columns))


@cache
def _fields() -> dict[str, Any]:
    return tomllib.loads((files("analysis.sigma") / "fields.toml").read_text("utf-8"))


@cache
def _logsources() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(  # the safe loader; our own file
        (files("analysis.sigma") / "logsources.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader
    )
    return loaded


@cache
def _columns(name: str, source: Logsource) -> tuple[str, ...]:
    if is_column(name):
        return (name,)
    tables = _fields()
    product = source.product or ""
    forms = {
        "<name>": name,
        "<snake>": _words(name, "_").lower(),
        "<spaced>": _words(name, " "),
        "<service>": source.service or "",
    }
    named = tables["products"].get(product, {}).get(name) or tables["names"].get(name, [])
    before = [_filled(column, forms) for column in tables["prefer"].get(product, [])]
    after = [_filled(column, forms) for column in tables["fallback"].get(product, [])]
    return tuple(dict.fromkeys([*before, *named, *after]))


def _filled(column: str, forms: Mapping[str, str]) -> str:
    for mark, text in forms.items():
        column = column.replace(mark, text)
    return column


def _words(name: str, between: str) -> str:
    """`debugContext.debugData` as `debug_Context.debug_Data`, if `between` is an underscore."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", between, name)


@cache
def _events(source: Logsource) -> tree.Node | None:
    tables = _logsources()
    asked: list[Any] = []
    if source.product is not None:
        asked.append(tables["products"].get(source.product))
    if source.service is not None:
        asked.append(tables["services"].get(source.product, {}).get(source.service))
    if source.category is not None:
        own = tables["product_categories"].get(source.product, {})
        asked.append(own.get(source.category) or tables["categories"].get(source.category))
    if not asked or None in asked:
        return None
    nodes = tuple(_meant(part, source.product) for part in asked if part != "any")
    return nodes[0] if len(nodes) == 1 else tree.And(nodes)


def _meant(part: Any, product: str | None) -> tree.Node:  # noqa: ANN401 - a YAML value of our own file
    """A meaning as conditions; `service` in it stands for that service of the product."""
    if isinstance(part, list):
        return tree.Or(tuple(_meant(one, product) for one in part))
    reading = Reading(lambda name: tree.Field(name, (name,)))
    if "service" not in part:
        return read_selection("logsource", part, reading, ())
    service = _meant(_logsources()["services"][product][part["service"]], product)
    rest = {key: value for key, value in part.items() if key != "service"}
    return tree.And((service, read_selection("logsource", rest, reading, ())))
