"""A layer for the ATT&CK Navigator.

Format 4.5: https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from analysis.workbench.coverage.covered import finding, grouped, techniques

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.workbench.coverage.covered import Covered

_LAYER: Final = "4.5"
_NAVIGATOR: Final = "4.9.0"  # the first that reads this format
_COLOURS: Final = ("#e3f0fb", "#08519c")
_BLIND: Final = "#d9d9d9"


def layer(rules: Sequence[Covered], name: str, description: str) -> dict[str, Any]:
    """One entry a technique; its score is the number of rules that find it, its comment their titles.

    Rules that only serve others are left out: they find nothing alone. Where a lake was looked at, a
    technique none of whose rules can run on it is grey, and the comment says which cannot. The version of
    ATT&CK is left open: rules of several ages name techniques of several versions.
    """
    found = list(grouped(finding(rules), techniques))
    asked = any(one.telemetry.state for one in rules)
    most = max((len(those) for _, those in found), default=1)
    return {
        "name": name,
        "versions": {"navigator": _NAVIGATOR, "layer": _LAYER},
        "domain": "enterprise-attack",
        "description": description,
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
        "techniques": [_technique(key, those, asked=asked) for key, those in found],
        "gradient": {"colors": list(_COLOURS), "minValue": 0, "maxValue": most},
        "legendItems": [{"label": "the logs for these rules are missing", "color": _BLIND}] if asked else [],
        "metadata": [
            {"name": "rules", "value": str(len(rules))},
            {"name": "made by", "value": f"molehunt {version('molehunt')}"},
        ],
    }


def _technique(key: str, rules: Sequence[Covered], *, asked: bool) -> dict[str, Any]:
    blind = [one for one in rules if asked and not one.telemetry.runs]
    entry: dict[str, Any] = {
        "techniqueID": key,
        "score": len(rules),
        "comment": "\n".join(
            one.detection.title + (f" (cannot run: {one.telemetry.state})" if one in blind else "")
            for one in rules
        ),
        "enabled": True,
        "metadata": [
            {"name": "highest level", "value": max(one.detection.level for one in rules).name.lower()},
            {"name": "rules", "value": ", ".join(one.detection.id for one in rules)},
        ],
    }
    if asked:
        entry["metadata"].append({"name": "can run", "value": f"{len(rules) - len(blind)} of {len(rules)}"})
    if len(blind) == len(rules):
        entry["color"] = _BLIND
    return entry
