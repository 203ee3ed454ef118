"""Rules as SQL, held to the row-by-row evaluator over random rules and events, in both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st
from sigma.backends.molehunt import MolehuntBackend
from sigma.backends.molehunt.as_molehunt import BETWEEN_COLUMNS
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import FieldMappingTransformation
from sigma_sql import Engines
from test_sigma_match import COLUMNS, FIELDS, detections, events, frame_of, read

from analysis.sigma.explain import true_of
from analysis.sigma.reading.documents import RuleProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

# What SQL cannot say.
KNOWN = (
    "cannot be compared as", "SQL cannot pair", "fieldref with contains", "SQL cannot leave out",
    "one value among several", "is not the same to Polars and DuckDB",
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def named() -> ProcessingPipeline:
    """Fields of several columns, named as the pipeline `molehunt` names them."""
    mapping = {name: BETWEEN_COLUMNS.join(columns) for name, columns in FIELDS.items()}
    return ProcessingPipeline([ProcessingItem(FieldMappingTransformation(mapping))])


def rule_of(detection: dict[str, Any]) -> SigmaCollection:
    rule = {"title": "t", "logsource": {"category": "c"}, "detection": detection}
    return SigmaCollection.from_dicts([rule])


def cleaned(row: dict[str, Any]) -> dict[str, Any]:
    """Without empty texts in lists, which sensors never write."""
    return {**row, "list": None if row["list"] is None else [word for word in row["list"] if word != ""]}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(detections(), st.lists(events, min_size=1, max_size=6))
@example(
    {"a": {"text": ""}, "b": [{"joined|exists": False}], "condition": "a or not b"},
    [dict.fromkeys(COLUMNS) | {"molehunt.null_fields": ["text"]}],
)
def test_sql_finds_what_row_by_row_is_found(
    engine: DuckDBPyConnection,
    tmp_path_factory: pytest.TempPathFactory,
    detection: dict[str, Any],
    given_rows: list[dict[str, Any]],
) -> None:
    plain = [cleaned(row) for row in given_rows]
    try:
        node = read(detection)
    except RuleProblem:
        assume(False)  # noqa: FBT003 - hypothesis' signature
    try:
        rule = rule_of(detection)
    except (SigmaError, IndexError):  # the latter a defect of pySigma 1.5, of an empty expression
        event("pySigma refuses it")
        return
    try:
        (query,) = MolehuntBackend(named(), columns=COLUMNS).convert(rule)
    except SigmaError as refused:
        event("refused")
        if not any(reason in str(refused) for reason in KNOWN):
            raise
        return
    event("converted")
    expected = [index for index, row in enumerate(plain) if true_of(node, row)]
    engines = Engines(frame_of(plain), tmp_path_factory.getbasetemp() / "events.parquet", engine)
    assert engines.rows(query) == [expected, expected]
