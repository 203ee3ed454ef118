"""Whether a correlation can count the events of a rule: they must carry what it groups by and measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.sigma.matching.column import present_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from analysis.sigma.correlations.correlation import Correlation
    from analysis.sigma.reading.rule import Rule
    from analysis.sigma.taxonomy import Taxonomy


def uncounted(
    correlation: Correlation, name: str, rule: Rule, taxonomy: Taxonomy, feeding: Iterable[Collection[str]]
) -> str | None:
    """Why a correlation can count no event of one of its rules; None if it can.

    Args:
        correlation: which counts it.
        name: of the rule, as the correlation's `rules` has it.
        rule: itself.
        taxonomy: what names of fields mean.
        feeding: the columns of each dataset whose events the rule looks at.
    """
    asked = (*correlation.group_by, *(correlation.counted if correlation.measures else ()))
    fields = [
        taxonomy.field(correlation.aliases.get(one, {}).get(name, one), rule.logsource) for one in asked
    ]
    absent = [sorted({f.name for f in fields if not present_columns(f, have)}) for have in feeding]
    if not absent or not all(absent):
        return None
    fewest = min(len(names) for names in absent)
    named = next(names for names in absent if len(names) == fewest)
    return f"no event of {name} carries {', '.join(named)}"
