"""molehunt's backend for pySigma: a Sigma rule as SQL over molehunt's lake, for Polars and DuckDB alike.

    sigma convert -t molehunt -p molehunt rule.yml

The meaning is molehunt's own (rules/README.md), not an approximation of it: what SQL cannot say raises an
error with the reason. The pipeline `molehunt` maps Sigma's names to those of the lake; without it, each field
is the column of its name. Runs with pySigma 1 (from 1.5.1) and 2.

Heavy parts are imported when something is converted: `sigma list` imports every backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sigma.backends.molehunt.as_molehunt import AsMolehunt
from sigma.conversion.base import TextQueryBackend
from sigma.exceptions import SigmaConfigurationError, SigmaError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import polars as pl
    from sigma.backends.molehunt.table import Table
    from sigma.collection import SigmaCollection
    from sigma.conversion.state import ConversionState
    from sigma.correlations import SigmaCorrelationRule
    from sigma.rule import SigmaRule


class MolehuntBackend(TextQueryBackend):
    """SQL that Polars' SQLContext and DuckDB both run.

    Args:
        processing_pipeline: as every backend has it.
        collect_errors: gather errors in `errors` instead of raising them, of correlations too.
        table: the name of the table of events in the statements.
        lake: a lake's folder: the statements then fit its columns, and keywords can be converted.
        columns: the same for any other table, column by column with its Polars type.
        time: the column that says when an event was; correlations need it.
    """

    name: ClassVar[str] = "molehunt: SQL over the lake (Polars, DuckDB)"
    formats: ClassVar[dict[str, str]] = {"default": "SQL statements"}
    requires_pipeline: ClassVar[bool] = False
    correlation_methods: ClassVar[dict[str, str] | None] = {"default": "Exact sliding windows"}
    backend_processing_pipeline: ClassVar[ProcessingPipeline] = ProcessingPipeline(
        items=[ProcessingItem(AsMolehunt(), identifier="molehunt_values")]
    )

    def __init__(
        self,
        processing_pipeline: ProcessingPipeline | None = None,
        collect_errors: bool = False,  # noqa: FBT001, FBT002 - pySigma's signature
        *,
        table: object = "events",
        lake: object = None,
        columns: Mapping[str, pl.DataType] | None = None,
        time: object = "@timestamp",
    ) -> None:
        super().__init__(processing_pipeline, collect_errors)
        self._table_name = str(table)
        self._lake = lake
        self._columns = columns
        self._time = str(time)
        self._known_table: Table | None = None

    @property
    def _table(self) -> Table:
        from sigma.backends.molehunt.table import Table  # noqa: PLC0415 - late, for speed

        if self._known_table is None:
            columns = _columns_of(str(self._lake)) if self._lake is not None else self._columns
            self._known_table = Table(self._table_name, columns)
        return self._known_table

    def convert(
        self,
        rule_collection: SigmaCollection,
        output_format: str | None = None,
        correlation_method: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> Any:  # noqa: ANN401 - pySigma's signature
        """The statements for all rules."""
        rule_collection.resolve_rule_references()
        rule_collection.rules[:] = _counted_first(rule_collection.rules)
        return super().convert(rule_collection, output_format, correlation_method, callback)

    def convert_condition(self, cond: Any, state: ConversionState) -> str:  # noqa: ANN401, ARG002 - pySigma's signature
        """The statement for a rule's condition."""
        from sigma.backends.molehunt.expression import condition  # noqa: PLC0415 - late, for speed
        from sigma.backends.molehunt.reading import node_of  # noqa: PLC0415 - late, for speed
        from sigma.backends.molehunt.values import Values  # noqa: PLC0415 - late, for speed

        values = Values(self._table)
        try:
            return values.query(condition(node_of(cond), values))
        except SigmaError as error:
            error.source = error.source or getattr(cond, "source", None)
            raise

    def finalize_query_default(
        self,
        rule: SigmaRule | SigmaCorrelationRule,
        query: Any,  # noqa: ANN401 - pySigma's signature
        index: int,  # noqa: ARG002 - pySigma's signature
        state: ConversionState,  # noqa: ARG002 - pySigma's signature
    ) -> str:
        """The statement, with the rule's title above it."""
        from sigma.backends.molehunt import literal  # noqa: PLC0415 - late, for speed

        named = f"{rule.title or 'A rule without a title'} ({rule.id or rule.name or 'no id'})"
        return f"{literal.comment(named)}\n{query};"

    def finalize_output_default(self, queries: list[Any]) -> list[Any]:
        """The statements; also of rules that a correlation counts and that speak for themselves too."""
        return [query if str(query).endswith(";") else f"{query};" for query in queries]

    def convert_correlation_rule(
        self,
        rule: SigmaCorrelationRule,
        output_format: str | None = None,
        method: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """The statement for a correlation."""
        try:
            queries = super().convert_correlation_rule(rule, output_format, method, callback)
        except SigmaError as error:
            error.source = error.source or rule.source
            if not self.collect_errors:
                raise
            self.errors.append((rule, error))  # type: ignore[arg-type]  # annotated too narrowly
            return []
        return list(queries) if rule._output else []  # noqa: SLF001 - pySigma 1 forgets it

    def _correlation(
        self,
        rule: SigmaCorrelationRule,
        output_format: str | None = None,  # noqa: ARG002 - pySigma's signature
        method: str = "default",  # noqa: ARG002 - pySigma's signature
    ) -> list[Any]:
        """The statement for a correlation of any type."""
        from sigma.backends.molehunt.correlation import CorrelationQuery  # noqa: PLC0415 - late, for speed

        return [CorrelationQuery(rule, self._table, self._time).text()]

    convert_correlation_event_count_rule = _correlation
    convert_correlation_value_count_rule = _correlation
    convert_correlation_value_sum_rule = _correlation
    convert_correlation_value_avg_rule = _correlation
    convert_correlation_value_median_rule = _correlation
    convert_correlation_value_percentile_rule = _correlation
    convert_correlation_temporal_rule = _correlation
    convert_correlation_temporal_ordered_rule = _correlation
    convert_correlation_extended_temporal_rule = _correlation
    convert_correlation_extended_temporal_ordered_rule = _correlation


def _counted_first(
    rules: Iterable[SigmaRule | SigmaCorrelationRule],
) -> list[SigmaRule | SigmaCorrelationRule]:
    """Every rule before those that count it, which pySigma 1 sees to for some of them only."""
    placed: dict[int, SigmaRule | SigmaCorrelationRule] = {}

    def place(rule: SigmaRule | SigmaCorrelationRule, above: tuple[int, ...]) -> None:
        for reference in getattr(rule, "referenced_rules", ()):
            if id(reference.rule) not in (*placed, *above, id(rule)):
                place(reference.rule, (*above, id(rule)))
        placed.setdefault(id(rule), rule)

    for rule in rules:
        place(rule, ())
    return list(placed.values())


def _columns_of(folder: str) -> dict[str, pl.DataType]:
    """The columns of a lake, from its manifests."""
    from pathlib import Path  # noqa: PLC0415 - late, with the rest

    from analysis.lake import Lake, is_lake  # noqa: PLC0415 - late, for speed
    from sensors.schema import dtype  # noqa: PLC0415 - late, for speed

    if not is_lake(Path(folder)):
        raise SigmaConfigurationError(f"{folder} is no lake; give the folder that molehunt hunt --lake made")
    named = {name for columns in Lake(Path(folder)).columns().values() for name in columns}
    return {name: dtype(name) for name in sorted(named)}
