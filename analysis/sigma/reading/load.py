"""Rule files into rules, correlations and documents of anomaly rules. A bad rule stops nothing but itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from analysis.sigma import tree
from analysis.sigma.correlations.correlation import Correlation, read_correlation, with_aliases_of
from analysis.sigma.filters import Filter, placed, read_filter
from analysis.sigma.reading.documents import Document, RuleError, RuleProblem, read, rule_files
from analysis.sigma.reading.rule import Rule, read_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from analysis.sigma.taxonomy import Taxonomy


MAX_RULES: Final = 10_000  # that one correlation counts, by way of others too
MAX_VALUES: Final = 5_000_000  # of all rules together, with all forms that modifiers make of them


def bundled_rules() -> Path:
    """The folder of molehunt's own rules: inside the wheel, or beside the packages in a checkout."""
    package = Path(__file__).resolve().parents[2]
    wheel = package / "_rules"
    return wheel if wheel.is_dir() else package.parent / "rules"


@dataclass(slots=True)
class Loaded:
    """What the files held; rules are without their filters, whose time may be over when they are run."""

    rules: list[Rule] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    correlations: list[Correlation] = field(default_factory=list)
    anomalies: list[tuple[dict[str, Any], Path]] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)
    values: int = 0


def load(folders: Iterable[Path], taxonomy: Taxonomy, placeholders: Mapping[str, Sequence[str]]) -> Loaded:
    """Read every rule below `folders`. Never raises; what is wrong is in `errors`."""
    loaded = Loaded()
    filters: list[tuple[Filter, Document]] = []
    written: list[Document] = []
    seen: set[Path] = set()
    for folder in folders:
        if not folder.exists():
            loaded.errors.append(RuleError(folder, 1, 1, "there is no such file or folder; check the path"))
            continue
        for path in rule_files(folder):
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            documents, errors = read(path)
            loaded.errors += errors
            written += documents
    taken: dict[str, Document] = {}
    for document in written:
        _take(document, loaded, filters, taken, taxonomy, placeholders)
    _resolve(loaded, {document.path: document for document in written})
    for one, document in filters:
        try:
            loaded.filters.append(placed(one, loaded.rules, taxonomy, placeholders))
        except RuleProblem as problem:
            loaded.errors.append(document.error(str(problem), *problem.keys))
    loaded.errors.sort(key=lambda error: (str(error.path), error.line))
    return loaded


def _take(
    document: Document,
    loaded: Loaded,
    filters: list[tuple[Filter, Document]],
    taken: dict[str, Document],
    taxonomy: Taxonomy,
    placeholders: Mapping[str, Sequence[str]],
) -> None:
    value = document.value
    if "action" in value:
        message = f"`action: {value['action']}` is not part of Sigma 2; write each rule out in full"
        loaded.errors.append(document.error(message, "action"))
        return
    if "filter" in value and not {"anomaly", "correlation"} & value.keys():
        _take_filter(document, loaded, filters)
        return
    for key in ("id", "name"):
        other = taken.get(str(value.get(key)))
        if value.get(key) is not None and other is not None:
            message = (
                f"{key} {value[key]!r} is already used in {other.path}; this rule is left out: change it"
            )
            loaded.errors.append(document.error(message, key))
            return
    taken |= {str(value[key]): document for key in ("id", "name") if value.get(key) is not None}
    if "anomaly" in value:
        loaded.anomalies.append((value, document.path))
    elif "correlation" in value:
        correlation, errors = read_correlation(document)
        loaded.correlations += [correlation] if correlation else []
        loaded.errors += errors
    else:
        rule, errors = read_rule(document, taxonomy, placeholders)
        loaded.errors += errors
        values = tree.size(rule.condition) if rule else 0
        if rule and loaded.values + values <= MAX_VALUES:
            loaded.values += values
            loaded.rules.append(rule)
        elif rule:
            message = (
                f"the rules ask for more than {MAX_VALUES} values together; this one is left out: load fewer"
            )
            loaded.errors.append(document.error(message))


def _take_filter(document: Document, loaded: Loaded, filters: list[tuple[Filter, Document]]) -> None:
    """Nothing refers to filters by id or name, so that one which is taken already does no harm."""
    try:
        one, errors = read_filter(document)
    except RuleProblem as problem:
        loaded.errors.append(document.error(str(problem), *problem.keys))
        return
    filters.append((one, document))
    loaded.errors += errors


def _resolve(loaded: Loaded, documents: Mapping[Path, Document]) -> None:
    """Leave out correlations that name what is not there, and silence the rules that only serve others."""
    loaded.correlations = _aliased(loaded, documents)
    while True:
        known = {key for one in (*loaded.rules, *loaded.correlations) for key in (one.id, one.name) if key}
        lost = [one for one in loaded.correlations if not set(one.rules) <= known]
        for one in lost:
            missing = ", ".join(repr(name) for name in one.rules if name not in known)
            message = f"no rule has the name or id {missing}; correct `rules:` or load that rule too"
            loaded.errors.append(_error(one, documents, message))
        if not lost:
            break
        loaded.correlations = [one for one in loaded.correlations if one not in lost]
    loaded.correlations = _narrow_enough(_ordered(loaded, documents), loaded, documents)
    silenced = _silenced(loaded)
    loaded.rules = [replace(one, silent=bool({one.id, one.name} & silenced)) for one in loaded.rules]
    loaded.correlations = [
        replace(one, silent=bool({one.id, one.name} & silenced)) for one in loaded.correlations
    ]


def _error(one: Correlation, documents: Mapping[Path, Document], message: str, *keys: str | int) -> RuleError:
    document = documents[one.path]
    if str(document.value.get("title")) == one.title:
        return document.error(message, *(keys or ("correlation", "rules")))
    return RuleError(one.path, one.line, 1, message)


def _ordered(loaded: Loaded, documents: Mapping[Path, Document]) -> list[Correlation]:
    """Correlations after those that they count; a circle cannot be ordered and is left out."""
    ordered: list[Correlation] = []
    ready = {key for rule in loaded.rules for key in (rule.id, rule.name) if key}
    waiting = list(loaded.correlations)
    while waiting:
        now = [one for one in waiting if set(one.rules) <= ready]
        if not now:
            for one in waiting:
                loaded.errors.append(_error(one, documents, "it counts itself in a circle; break the circle"))
            break
        ordered += now
        ready |= {key for one in now for key in (one.id, one.name) if key}
        waiting = [one for one in waiting if one not in now]
    return ordered


def _aliased(loaded: Loaded, documents: Mapping[Path, Document]) -> list[Correlation]:
    """The correlations whose aliases are about rules that they count."""
    called = [(one.id, one.name) for one in (*loaded.rules, *loaded.correlations)]
    sound = []
    for one in loaded.correlations:
        try:
            sound.append(with_aliases_of(one, called))
        except RuleProblem as problem:
            loaded.errors.append(_error(one, documents, str(problem), *problem.keys))
    return sound


def _narrow_enough(
    ordered: list[Correlation], loaded: Loaded, documents: Mapping[Path, Document]
) -> list[Correlation]:
    """The correlations that count a bounded number of rules, by way of others too (a few can be millions)."""
    rules: dict[str, int] = {}
    sound = []
    for one in ordered:
        number = sum(rules.get(name, 1) for name in one.rules)
        rules |= {key: number for key in (one.id, one.name) if key}
        if number <= MAX_RULES:
            sound.append(one)
        else:
            message = f"it counts more than {MAX_RULES} rules, by way of others; split it into several"
            loaded.errors.append(_error(one, documents, message))
    return sound


def _silenced(loaded: Loaded) -> set[str]:
    served: set[str] = set()
    spoken: set[str] = set()
    for one in loaded.correlations:
        (spoken if one.generate else served).update(one.rules)
    for document, _ in loaded.anomalies:
        body = document.get("anomaly")
        names = body.get("rules") if isinstance(body, dict) else None
        loud = isinstance(body, dict) and (body.get("generate") or document.get("generate")) is True
        listed = names if isinstance(names, list) else [names]
        (spoken if loud else served).update(str(name) for name in listed if name is not None)
    return _both_keys(loaded, served) - _both_keys(loaded, spoken)


def _both_keys(loaded: Loaded, names: set[str]) -> set[str]:
    """The names and ids of the rules that `names` refers to by either."""
    found = set(names)
    for one in (*loaded.rules, *loaded.correlations):
        if {one.id, one.name} & names:
            found |= {key for key in (one.id, one.name) if key}
    return found
