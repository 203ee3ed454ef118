"""Rule files that no person would write: each is read or named, none raises, hangs or fills memory."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma_cases import found, pack_of, rule_text

from analysis.sigma import RulePack, tree
from analysis.sigma.reading.documents import read
from analysis.sigma.taxonomy import Taxonomy

KEYS = (
    *("title", "id", "name", "logsource", "detection", "condition", "level", "status", "tags", "date"),
    *("modified", "related", "fields", "falsepositives", "author", "references", "description", "taxonomy"),
    *("license", "scope", "confidence", "why", "correlation", "filter", "anomaly", "action", "type", "rules"),
    *("group-by", "timespan", "generate", "aliases", "category", "product", "service", "s", "f", "owner"),
    *("reason", "expires", "gte"),
)
MODIFIERS = (
    *("re", "cidr", "base64offset", "windash", "expand", "contains", "re|i", "wide|base64offset|contains"),
    *("gt", "hour|gte", "exists", "fieldref", "cased|startswith", "neq", "all", "utf16", "lt", "week"),
    *("contains|all", "fieldref|endswith", "windash|contains|all"),
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        ["1 of them", "s", "not s", "windows", "high", "5m", "%x%", "(a|b)*", "10.0.0.0/8", "-a", "*"]
    )
)
keys = st.sampled_from(KEYS) | st.text(max_size=3) | st.sampled_from(MODIFIERS).map(lambda one: f"f|{one}")
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)
lines = st.dictionaries(
    st.sampled_from(MODIFIERS).map(lambda one: f"f|{one}"), scalars | st.lists(scalars, max_size=3)
)
rules = st.fixed_dictionaries(
    {
        "title": st.just("t"),
        "logsource": st.just({"product": "windows"}) | values,
        "detection": st.fixed_dictionaries({"s": lines | values, "condition": st.just("s") | scalars}),
    },
    optional={key: values for key in KEYS if key not in ("title", "logsource", "detection")},
)
documents = st.dictionaries(st.sampled_from(KEYS), values, max_size=6) | rules


class Plain(yaml.SafeDumper):
    """Writes everything in full."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's own
        return True


def load(text: str) -> RulePack:
    with tempfile.TemporaryDirectory() as folder:
        return pack_of(Path(folder), text, taxonomy=Taxonomy())


@settings(max_examples=100, deadline=None)
@given(st.lists(documents, min_size=1, max_size=3))
def test_any_document_is_a_rule_or_named(written: list[dict[str, Any]]) -> None:
    pack = load(yaml.dump_all(written, Dumper=Plain, allow_unicode=True))
    kinds = len(pack.rules) + len(pack.correlations) + len(pack.anomalies) + len(pack.filters)
    assert kinds + len(pack.errors) >= len(written)
    assert all(error.line >= 1 and error.message for error in pack.errors)
    pack.plan({"windows.sysmon_operational": ["event.dataset"]})
    frame = pl.DataFrame({"event.dataset": ["windows.x"], "winlog.event_data.f": ["-a"]})
    pack.match(frame, "windows.x")


@settings(max_examples=250, deadline=None)
@given(st.text("abs:-?[]{},&*!|>'\"%@`#~ \n\t0.1e", max_size=60))
def test_any_text_is_read_or_named(text: str) -> None:
    pack = load(text)
    assert all(error.line >= 1 and error.message for error in pack.errors)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-05", "2026-01-05"),
        ("2026-01-05 10:00:00", "2026-01-05 10:00:00"),
        ("12:30", "12:30"),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("y", "y"),
        ("0755", "0755"),
        ("00000429", "00000429"),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        ("1.10", 1.1),
        ("-5", -5),
        (".5", 0.5),
        ("=", "="),
        ("<<", "<<"),
        ("~", None),
        ("null", None),
        ("true", True),
        ("TRUE", True),
        ("'true'", "true"),
        ("!!str 5", "5"),
        ("10.0.0.1", "10.0.0.1"),
        ("4.625", 4.625),
    ],
)
def test_unquoted_values_are_those_of_yaml_1_2(written: str, meant: object, tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text(f"on: {written}\n")
    ((document,), errors) = read(path)
    assert errors == []
    assert document.value == {"on": meant}
    assert type(document.value["on"]) is type(meant)


def test_what_is_written_without_quotes_is_found_as_it_is_written() -> None:
    texts = ["2026-01-05", "yes", "0755", "12:30", "1e3", "1000", "493", "true", "750"]
    frame = pl.DataFrame({"f": texts})
    for written, hits in (
        ("2026-01-05", ["2026-01-05"]),
        ("yes", ["yes"]),
        ("0755", ["0755"]),
        ("12:30", ["12:30"]),
        ("1e3", ["1e3", "1000"]),
    ):
        pack = load(
            rule_text(f"  s:\n    f: {written}\n  condition: s", title="t").replace("test", "windows")
        )
        assert pack.errors == []
        (item,) = tree.items(pack.rules[0].condition)
        asked = item.values[0]
        rows = found({"f": asked.number if isinstance(asked, tree.Number) else written}, frame)
        assert [texts[row] for row in rows] == hits


FIVE = " -a" * 5  # dashes, of which each is any of five
EXTREMES: dict[str, tuple[str, str | None]] = {
    "7 dashes": (f"  s:\n    f|windash: '{FIVE} -a -a'\n", "`windash` makes more than 10000"),
    "5 dashes": (f"  s:\n    f|windash: '{FIVE}'\n", None),
    "many dashes": ("  s:\n    f|windash:\n" + f"      - '{FIVE}'\n" * 40, "more than 100000 values"),
    "placeholders": (f"  s:\n    f|expand: '{'%x%' * 20}'\n", "make more than 10000"),
    "groups": (f"  s:\n    f|re: '{'(' * 300}a{')' * 300}'\n", "inside one another"),
    "steps": ("  s:\n    f|re: '((a{99}){99}){99}'\n", "steps"),
    "digits": (f"  s:\n    f: {'9' * 5000}\n", "digits"),
    "condition": (f"  s: {{f: x}}\n  condition: {'1 of s* and ' * 20_000}s", None),
    "brackets": (f"  s: {{f: x}}\n  condition: {'(' * 20_000}s", "inside one another"),
    "values": ("  s:\n    f|contains:\n" + "".join(f"      - value {n}\n" for n in range(10_000)), None),
    "long": (f"  s:\n    f|base64offset|contains: '{'x' * 500_000}'\n", None),
    "selections": ("".join(f"  s{n}:\n    f: x\n" for n in range(5_000)) + "  condition: 1 of s*", None),
    "both": (
        "".join(f"  s{n}: [x]\n" for n in range(5_000)) + f"  condition: {'1 of s* and ' * 20_000}s1",
        "more than 100000 lines",
    ),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_one_rule_takes_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    detection, told = EXTREMES[name]
    text = rule_text(detection if "condition" in detection else f"{detection}  condition: s")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    pack = pack_of(tmp_path, text, placeholders={"x": ["a", "b"]})
    assert time.process_time() - begun < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024
    if told is None:
        assert pack.errors == []
        assert len(pack.rules) == 1
    else:
        assert pack.rules == ()
        assert told in pack.errors[0].message


def test_a_pack_holds_a_bounded_number_of_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.sigma.reading.load.MAX_VALUES", 700)
    monkeypatch.setenv("MOLEHUNT_CACHE", "")
    text = rule_text("  s:\n    f|windash: ' -a -b -c'\n  condition: s")
    pack = pack_of(tmp_path, *[text] * 10)
    assert len(pack.rules) == 5  # of 125 values each
    assert len(pack.errors) == 5
    assert "left out: load fewer" in pack.errors[0].message
