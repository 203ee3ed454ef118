"""Rules through a backend: as many as it takes, and the reason for each that it does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule
from sigma.exceptions import SigmaError, SigmaRuleLocation

from analysis.workbench.convert.asked import Asked, Failure
from analysis.workbench.convert.targets import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.sigma.reading.documents import Document
    from analysis.workbench.convert.targets import Target


def convert(asked: Asked, target: Target, form: str = "default") -> tuple[bytes, list[Failure]]:
    """Convert all that can be.

    Args:
        asked: what to convert.
        target: to what.
        form: the output format.

    Returns:
        What the backend made of the rules together, empty if it took none; and those that it did not take.

    Raises:
        click.UsageError: there is no such target, format, pipeline or option.
    """
    target.backend(form)  # a mistake in the command line is told before any rule is read
    whole = [*asked.filters, *_with_counted(asked, asked.wanted)]
    if not _refused(asked, asked.wanted):
        try:
            return _converted(whole, target, form), []
        except Exception:  # noqa: BLE001, S110 - which rule it was is found out below
            pass
    failures = [failure for document in asked.wanted if (failure := _failure(document, asked, target, form))]
    bad = {(failure.place, failure.title) for failure in failures}
    good = [document for document in asked.wanted if (_place(document), _title(document)) not in bad]
    if not good:
        return b"", failures
    return _converted([*asked.filters, *_with_counted(asked, good)], target, form), failures


def _refused(asked: Asked, documents: Iterable[Document]) -> bool:
    """Whether one of the documents is none that any backend could take."""
    return any(_unfit(document, asked) for document in documents)


def _unfit(document: Document, asked: Asked) -> str:
    """Why no backend can take a document; "" if one may."""
    if "anomaly" in document.value:
        return "an anomaly rule learns its threshold from the lake; no other system can run it"
    if "action" in document.value:
        return f"`action: {document.value['action']}` is not part of Sigma 2; write each rule out in full"
    try:
        asked.counted(document)
    except LookupError as error:
        return str(error)
    return ""


def _with_counted(asked: Asked, documents: Iterable[Document]) -> list[Document]:
    """The documents, each after what it counts."""
    found: dict[int, Document] = {}
    for document in documents:
        if not _unfit(document, asked):
            found |= {id(one): one for one in [*asked.counted(document), document]}
    return list(found.values())


def _failure(document: Document, asked: Asked, target: Target, form: str) -> Failure | None:
    """Why a rule cannot be converted, alone with what it counts; None if it can."""
    reason = _unfit(document, asked)
    if not reason:
        try:
            _converted([*asked.filters, *asked.counted(document), document], target, form)
        except (SigmaError, NotImplementedError) as error:
            reason = _said(error)
        except Exception as error:  # noqa: BLE001 - a defect in a backend must not lose the other rules
            reason = f"the backend {target.name} fails ({type(error).__name__}: {_said(error)})"
    return Failure(_place(document), _title(document), reason) if reason else None


def _converted(documents: Iterable[Document], target: Target, form: str) -> bytes:
    """What the backend makes of documents.

    Raises:
        Exception: whatever pySigma or a backend raises.
    """
    collections = [_parsed(document, target) for document in documents]
    rules = SigmaCollection.merge(collections)
    rules.resolve_rule_references()
    return _written(target.backend(form).convert(rules, form))


def _parsed(document: Document, target: Target) -> SigmaCollection:
    parsed = SigmaCollection.from_dicts(
        [document.value],
        source=SigmaRuleLocation(document.path),
        collect_filters=True,
        resolve_references=False,
    )
    for rule in parsed.rules:
        if isinstance(rule, SigmaCorrelationRule) and target.name != OURS:
            _check_threshold(rule, document)
    return parsed


def _check_threshold(rule: SigmaCorrelationRule, document: Document) -> None:
    """PySigma 1 cuts fractions off thresholds; molehunt's backend knows, others would count wrong."""
    condition = rule.condition
    if isinstance(condition, SigmaCorrelationCondition):
        asked = document.value["correlation"].get("condition")
        number = asked.get(condition.op.name.lower()) if isinstance(asked, dict) else None
        if isinstance(number, float) and number != condition.count:
            raise SigmaError(
                f"pySigma takes the threshold {number} for {condition.count}; write a whole number"
            )


def _written(result: Any) -> bytes:  # noqa: ANN401 - whatever a backend makes
    """A backend's result as `sigma convert` writes it."""
    if isinstance(result, bytes):
        return result
    if isinstance(result, str):
        return f"{result}\n".encode()
    if isinstance(result, list) and all(isinstance(one, str) for one in result):
        return ("\n\n".join(result) + "\n").encode() if result else b""
    if isinstance(result, list):
        return "".join(json.dumps(one) + "\n" for one in result).encode()
    return (json.dumps(result) + "\n").encode()


def _place(document: Document) -> str:
    return f"{document.path}:{document.node.start_mark.line + 1}"


def _title(document: Document) -> str:
    return str(document.value.get("title") or document.value.get("name") or "a rule without a title")


def _said(error: Exception) -> str:
    """The reason alone: where it is, and pySigma's words on what it was doing, are said elsewhere."""
    texts = [arg for arg in error.args if isinstance(arg, str)]  # some begin with the rule itself
    text = texts[-1] if texts else str(error)
    return " ".join(text.partition(" (while ")[0].split()).rstrip(".") or type(error).__name__
