"""`molehunt rules tune`: what false hits share, the smallest filter, and its proof."""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.sigma import RulePack, tree
from analysis.sigma.matching.match import Plan
from analysis.sigma.reading.detection import Reading, read_selection
from analysis.workbench.commands import rules
from analysis.workbench.places import same_file
from analysis.workbench.tune.alike import alike, escaped
from analysis.workbench.tune.likeness import Likeness, shared_by
from analysis.workbench.tune.smallest import Answers, choices
from analysis.workbench.verdicts import SCHEMA, read_verdicts

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

ID = "55555555-5555-4555-8555-555555555555"
RULE = f"""title: Remote tool started
id: {ID}
name: remote_tool
level: high
logsource: {{category: process_creation, product: windows}}
detection:
  s: {{Image|endswith: '\\tool.exe'}}
  condition: s
"""
COUNTING = """title: Tool again and again
name: again
level: high
correlation: {type: event_count, rules: [remote_tool], timespan: 1h, condition: {gte: 2}}
"""


# -- verdicts


def test_verdicts_are_read_as_spreadsheets_write_them(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    path.write_bytes(
        "rule;verdict;account;file;line;by;note\nr;TRUE;a;;;ann;ok\n\nr;false;;x.log;7;;\n".encode("utf-16")
    )
    found = read_verdicts(path)
    assert found.schema == SCHEMA
    assert found.rows() == [
        ("r", "a", None, None, True, "ann", "ok"),
        ("r", None, "x.log", 7, False, None, None),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ":1: no header"),
        ("rule,account\nr,a\n", ":1: no column 'verdict'"),
        ("rule,rule,verdict\nr,r,true\n", ":1: two columns"),
        ("rule,verdict\nr,true\nr,maybe\n", ":3: verdict 'maybe'; write true"),
        ("rule,verdict\n,true\n", ":2: no rule"),
        ("rule,verdict,line\nr,true,7\n", ":2: a file and a line go together"),
        ("rule,verdict,file\nr,true,x.log\n", ":2: a file and a line go together"),
        ("rule,verdict,file,line\nr,true,x,seven\n", ":2: line 'seven' is no number"),
        ("rule,verdict\nr,true,more\n", ":2: not as many cells"),
    ],
)
def test_a_mistake_in_verdicts_is_told_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    path.write_text(text)
    with pytest.raises(click.ClickException) as caught:
        read_verdicts(path)
    assert str(caught.value).startswith(f"{path}{told}")


# -- what values have in common


def fits(modifier: str, values: tuple[str, ...], texts: list[str]) -> list[int]:
    """The rows of `texts` that a line of a filter matches, as the filter would be read."""
    key = f"f|{modifier}" if modifier else "f"
    written = [value if modifier == "cidr" else escaped(value) for value in values]
    node = read_selection("s", {key: written}, Reading(lambda name: tree.Field(name, (name,))), ())
    return Plan([(tree.ALWAYS, node)]).match(pl.DataFrame({"f": texts}), "")["row"].to_list()


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.sampled_from("\\*?ab \"'%/"), min_size=1, max_size=8),
    st.sampled_from(["", "contains", "endswith"]),
)
def test_a_value_is_written_so_that_it_means_itself(value: str, modifier: str) -> None:
    around = {"": ("", ""), "contains": ("x", "y"), "endswith": ("x", "")}[modifier]
    others = [f"{around[0]}{one}{around[1]}" for one in (value, value + "b", value.replace("*", "ab"), "z")]
    same = [row for row, one in enumerate(others) if _plainly(modifier, one, value)]
    assert fits(modifier, (value,), others) == same


def _plainly(modifier: str, text: str, value: str) -> bool:
    ways = {"": text == value, "contains": value in text, "endswith": text.endswith(value)}
    return ways[modifier]


names = st.sampled_from(
    ["process.executable", "process.command_line", "dns.question.name", "source.ip", "winlog.x"]
)
parts = st.sampled_from(
    ["C:", "Tools", "tools", "a.exe", "b*.exe", "-run", "x y", "example", "co", "uk", "4711", "ab"]
)
texts = st.builds(
    lambda mark, made: mark.join(made),
    st.sampled_from(["\\", "/", " ", "."]),
    st.lists(parts, min_size=1, max_size=5),
)
addresses = st.builds("10.{}.3.{}".format, st.integers(1, 2), st.integers(1, 3))


@settings(max_examples=200, deadline=None)
@given(names, st.lists(texts | addresses, min_size=1, max_size=4))
def test_what_is_said_of_all_values_is_true_of_all(name: str, values: list[str]) -> None:
    distinct = sorted(set(values))
    for modifier, asked in alike(name, distinct):
        assert fits(modifier, asked, distinct) == list(range(len(distinct))), (modifier, asked)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("process.executable", [r"C:\Program Files\V\a.exe", r"D:\V\a.exe"], ("endswith", (r"\V\a.exe",))),
        (
            "process.executable",
            [r"C:\Program Files\V\a.exe", r"C:\Program Files\V\b.exe"],
            ("startswith", ("C:\\Program Files\\V\\",)),
        ),
        (
            "process.command_line",
            ["run -job nightly 1", "run -job nightly 2"],
            ("contains", ("run -job nightly",)),
        ),
        ("dns.question.name", ["a.vendor.com", "b.c.vendor.com"], ("endswith", (".vendor.com",))),
        ("source.ip", ["10.1.2.3", "10.1.2.9"], ("cidr", ("10.1.2.0/24",))),
    ],
)
def test_values_are_told_as_a_person_would(
    name: str, values: list[str], expected: tuple[str, tuple[str, ...]]
) -> None:
    assert expected in list(alike(name, values))


@pytest.mark.parametrize(
    ("name", "values", "modifier"),
    [
        ("dns.question.name", ["a.co.uk", "b.co.uk"], "endswith"),
        ("process.executable", [r"C:\a.exe", r"C:\b.exe"], "startswith"),
        ("source.ip", ["8.8.4.1", "8.8.4.2"], "cidr"),
        ("process.command_line", ["a 2026-01-02", "b 2026-01-02"], "contains"),
        ("x", ["6f3e2987-db24-4c78-a860-b4f4095a7095"], ""),
    ],
)
def test_what_says_too_much_or_nothing_is_not_said(name: str, values: list[str], modifier: str) -> None:
    assert modifier not in [how for how, _ in alike(name, values)]


# -- the search


def line(number: int, *, personal: bool = False) -> Likeness:
    return Likeness(f"f{number}", "", ("v",), personal, 1.0 + number)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(0, 5), st.integers(0, 6))
def test_the_search_finds_what_trying_everything_finds(
    data: st.DataObject, lines: int, keep: int, others: int
) -> None:
    def table(rows: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        cells = data.draw(
            st.lists(st.lists(st.booleans(), min_size=lines, max_size=lines), min_size=rows, max_size=rows)
        )
        return np.array(cells, np.bool_).reshape(rows, lines)

    kept, unsaid, rest = table(keep), table(keep), table(others)
    weights = np.array(data.draw(st.lists(st.integers(1, 9), min_size=others, max_size=others)), np.int64)
    likenesses = [line(number) for number in range(lines)]
    found = choices(likenesses, Answers(kept, kept | unsaid, rest, weights))
    sets = [one for size in (1, 2, 3) for one in combinations(range(lines), size)]
    valid = {
        one: int(weights[rest[:, one].all(axis=1)].sum())
        for one in sets
        if not kept[:, one].all(axis=1).any()
    }
    assert bool(found) == bool(valid)
    assert all(valid[one.lines] == one.others for one in found)
    for size in (1, 2, 3):
        fewest = [count for one, count in valid.items() if len(one) <= size]
        assert not fewest or min(fewest) == min(one.others for one in found if len(one.lines) <= size)
    if found:  # nothing that gives up one thing spares half of the others
        assert not any(one.others * 2 <= found[0].others and one.others < found[0].others for one in found)


def test_a_person_never_stands_alone() -> None:
    likenesses = [line(0, personal=True), line(1)]
    keep = np.array([[False, True]])
    none = np.zeros((0, 2), np.bool_), np.zeros(0, np.int64)
    assert choices(likenesses[:1], Answers(keep[:, :1], keep[:, :1], none[0][:, :1], none[1])) == []
    # Beside a line that fits everything, it would stand alone in all but name.
    assert choices(likenesses, Answers(keep, keep, *none)) == []
    telling = np.array([[False, True], [True, False]])
    (chosen,) = choices(likenesses, Answers(telling, telling, *none))
    assert chosen.lines == (0, 1)


def test_a_department_never_stands_alone_and_comes_behind_a_person() -> None:
    what = Likeness("f0", "", ("v",), personal=False, weight=1.0)
    person = Likeness("f1", "", ("v",), personal=True, weight=2.0)
    group = Likeness("f2", "", ("v",), personal=False, weight=0.5, group=True)
    nobody = np.zeros((0, 3), np.bool_), np.zeros(0, np.int64)
    # The first that is kept is denied by what was done, the second by who did it.
    keep = np.array([[False, True, True], [True, False, False]])
    found = choices([what, person, group], Answers(keep, keep, *nobody))
    assert [one.lines for one in found] == [(0, 1), (0, 2)]
    assert [one.group for one in found] == [False, True]
    # Who did it alone would do; but that a filter may not say.
    alone = np.array([[True, False, False]])
    assert choices([what, person, group], Answers(alone, alone, *nobody)) == []


def test_of_equals_the_fewest_accounts_lose_hits() -> None:
    keep = np.zeros((1, 2), np.bool_)
    others = np.array([[True, False], [False, True], [True, True]])
    whose = (frozenset({"ann", "bob"}), frozenset({"eve"}), frozenset({"eve"}))
    found = choices([line(0), line(1)], Answers(keep, keep, others, np.array([2, 2, 9]), whose))
    assert (found[0].lines, found[0].others, found[0].accounts) == ((1,), 11, 1)


@pytest.mark.parametrize(
    ("asked", "paths", "found"),
    [
        ("a.log", ["logs/a.log", "logs/b.log"], ("logs/a.log",)),
        ("./logs/a.log", ["logs/a.log"], ("logs/a.log",)),
        ("/srv/logs/a.log", ["logs/a.log"], ("logs/a.log",)),
        ("a.log", ["x/a.log", "y/a.log", "a.log"], ("a.log",)),
        ("a.log", ["x/a.log", "y/a.log"], ("x/a.log", "y/a.log")),
        ("a.log", ["x/aa.log"], ()),
    ],
)
def test_a_log_is_meant_by_the_end_of_its_path(asked: str, paths: list[str], found: tuple[str, ...]) -> None:
    assert same_file(asked, paths) == found


# -- which fields are offered


def offered(tmp_path: Path, **columns: list[Any]) -> tuple[dict[str, Likeness], dict[str, tuple[str, ...]]]:
    (tmp_path / "r.yml").write_text(RULE)
    pack = RulePack.load([tmp_path / "r.yml"])
    shared = shared_by(pl.DataFrame(columns), pack.rules[0], pack.taxonomy)
    return {f"{one.key}={one.values[0]}": one for one in shared.likenesses}, shared.left_out


def test_times_ids_and_places_are_never_offered(tmp_path: Path) -> None:
    at = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 1), eager=True)
    lines_on_offer, left_out = offered(
        tmp_path,
        **{
            "@timestamp": at.to_list(),
            "event.created": ["yesterday"],
            "event.id": ["e1"],
            "process.pid": [4711],
            "winlog.event_data.LogonId": ["abc"],
            "log.file.path": ["x.log"],
            "source.bytes": [17],
            "user.id": ["u"],
            "message": ["something happened"],
            "roster.name": ["Ann"],
            "source.geo.country_name": ["France"],
            "process.executable": [r"C:\T\tool.exe"],
        },
    )
    assert {one.field for one in lines_on_offer.values()} == {"Image"}
    assert sum(len(names) for names in left_out.values()) == 11


def test_a_persons_name_marks_what_it_stands_in(tmp_path: Path) -> None:
    of_ann = {
        "account": ["ann.lee@corp.example"],
        "account.kind": ["person"],
        "user.name": ["alee"],
        "host.name": ["pc-17"],
        "process.executable": [r"C:\Users\alee\tool.exe"],
        "process.parent.executable": [r"C:\Windows\explorer.exe"],
    }
    lines_on_offer, _ = offered(tmp_path, **of_ann)
    personal = {one.field for one in lines_on_offer.values() if one.personal}
    assert personal == {"account", "User", "Computer"}
    assert not any(
        "alee" in value for one in lines_on_offer.values() if not one.personal for value in one.values
    )
    assert r"ParentImage=C:\Windows\explorer.exe" in lines_on_offer
    service = {**of_ann, "account": ["svc-scan"], "account.kind": ["service"], "user.name": ["svc-scan"]}
    lines_on_offer, _ = offered(tmp_path, **service)
    assert not any(one.personal for one in lines_on_offer.values())


def test_a_machines_own_account_is_a_machine_of_somebody(tmp_path: Path) -> None:
    laptop = {"account": ["ann"], "account.kind": ["person"], "process.executable": [r"C:\T\tool.exe"]}
    lines_on_offer, _ = offered(tmp_path, **laptop, **{"winlog.event_data.SubjectUserName": ["PC-17$"]})
    assert lines_on_offer["SubjectUserName=PC-17$"].personal
    shared = {name: values * 2 for name, values in laptop.items()} | {"account": ["ann", "bob"]}
    lines_on_offer, _ = offered(tmp_path, **shared, **{"winlog.event_data.SubjectUserName": ["SRV-1$"] * 2})
    assert not lines_on_offer["SubjectUserName=SRV-1$"].personal


def test_an_address_that_a_vpn_lends_is_not_offered(tmp_path: Path) -> None:
    seen = {"process.executable": [r"C:\T\tool.exe"], "source.ip": ["10.99.0.23"]}
    _, left_out = offered(tmp_path, **seen, **{"molehunt.source.network": ["vpn pool asa"]})
    assert left_out["an address on loan"] == ("source.ip",)
    _, left_out = offered(tmp_path, **seen, **{"molehunt.source.network": ["office NYC"]})
    assert "an address on loan" not in left_out


def test_a_machine_of_each_person_says_who_it_was(tmp_path: Path) -> None:
    people = {
        "account": ["ann", "bob", "ann"],
        "account.kind": ["person"] * 3,
        "process.executable": [r"C:\T\tool.exe"] * 3,
    }
    laptops, _ = offered(tmp_path, **people, **{"host.name": ["pc-1", "pc-2", "pc-1"]})
    assert not any("pc-1" in one.values for one in laptops.values())
    shared, _ = offered(tmp_path, **people, **{"host.name": ["jump-1", "jump-1", "jump-2"]})
    assert shared["Computer=jump-1"].values == ("jump-1", "jump-2")
    assert not shared["Computer=jump-1"].personal


# -- the command


def event(image: str, parent: str, user: str = "jdoe", day: int = 1, **more: object) -> dict[str, object]:
    return {
        "@timestamp": f"2026-01-{day:02}T10:00:00.000Z",
        "event.dataset": "windows.sysmon_operational",
        "event.module": "windows",
        "event.category": ["process"],
        "event.type": ["start"],
        "event.code": "1",
        "host.os.type": "windows",
        "process.executable": image,
        "process.parent.executable": parent,
        "user.name": user,
        "user.domain": "CORP",
        **more,
    }


TOOL = r"C:\Tools\tool.exe"
AGENT = r"C:\Program Files\Deploy\agent.exe"
SHELL = r"C:\Windows\explorer.exe"
LOG = [
    event(TOOL, AGENT, "ann", 1),
    event(TOOL, AGENT, "bob", 2),
    event(TOOL, SHELL, "eve", 3),
    event(TOOL, AGENT, "cid", 4),
    event(TOOL, SHELL, "dan", 5),
    event(r"C:\other.exe", AGENT),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "tool.yml").write_text(f"{RULE}---\n{COUNTING}")
    write(tmp_path / "rules" / "tool.match.ndjson", event(r"C:\Users\x\tool.exe", SHELL, day=7))
    write(tmp_path / "rules" / "tool.nomatch.ndjson", event(r"C:\fine.exe", AGENT))
    write(tmp_path / "log.ndjson", *LOG)
    return tmp_path


def write(path: Path, *events: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(one) + "\n" for one in events))


def tune(folder: Path, *arguments: object, rule: str = ID) -> Result:
    named = ["tune", rule, "--rules", folder / "rules", "--events", folder / "log.ndjson", *arguments]
    return CliRunner().invoke(rules, [str(one) for one in named], catch_exceptions=False)


def false(*numbers: int) -> list[str]:
    return [word for number in numbers for word in ("--false", f"log.ndjson:{number}")]


def test_the_filter_removes_the_false_hits_and_is_proven(folder: Path) -> None:
    owned = ("--owner", "Ann O'Hara", "--reason", "deployment", "--expires", "2999-12-31")
    result = tune(folder, *false(1, 2), *owned, "-o", folder / "rules" / "quiet.yml")
    assert result.exit_code == 0, result.output
    assert "ParentImage: C:\\Program Files\\Deploy\\agent.exe" in result.stderr
    table = {
        line[:29].strip(): line[29:].split() for line in result.stderr.splitlines() if line.count("  ") > 2
    }
    assert table["called false"] == ["2", "0", "2"]
    assert table["true examples"] == ["1", "1", "0"]
    assert table["not judged"] == ["3", "2", "1"]
    assert "CORP\\cid  2026-01-04        1" in result.stderr
    # What was written is what the hunt reads: those two, and the like, are gone.
    pack = RulePack.load([folder / "rules"])
    assert (pack.errors, pack.notes) == ([], ())
    assert pack.filters[0].owner == "Ann O'Hara"
    rows = [str(row["user.name"]) for row in LOG]
    frame = pl.DataFrame(
        [{name: value for name, value in row.items() if not isinstance(value, list)} for row in LOG]
    )
    frame = frame.with_columns(pl.Series("event.category", [row["event.category"] for row in LOG]))
    frame = frame.with_columns(pl.Series("event.type", [row["event.type"] for row in LOG]))
    matches = pack.match(frame, "windows.sysmon_operational")
    assert [rows[row] for row in matches["row"]] == ["eve", "dan"]


def test_the_answer_is_the_same_twice_and_is_printed_alone(folder: Path) -> None:
    first, second = tune(folder, *false(1, 2)), tune(folder, *false(2, 1))
    assert first.stdout == second.stdout
    assert first.stdout.startswith("title: ")
    assert "owner" not in first.stdout
    assert "add `owner:`, `reason:`, `expires:`" in first.stderr


def test_verdicts_name_false_and_true_hits(folder: Path) -> None:
    verdicts = folder / "verdicts.csv"
    verdicts.write_text(
        "rule,account,file,line,verdict,by,note\n"
        f"remote_tool,,log.ndjson,1,false,,\n{ID},,log.ndjson,4,true,,\nanother,,log.ndjson,5,false,,\n"
    )
    told = json.loads(tune(folder, "--verdicts", verdicts, "--json").stdout)
    # The fourth event is like the first but for the person, who is named beside something else only.
    assert [one["key"] for one in told["lines"]] == ["ParentImage", "account"]
    assert told["hits"] == {
        "called false": 1,
        "true by verdict": 1,
        "true examples": 1,
        "examples that must not match": 1,
        "not judged": 3,
    }
    verdicts.write_text(f"rule,verdict,file,line\n{ID},false,log.ndjson,1\n{ID},true,log.ndjson,3\n")
    told = json.loads(tune(folder, "--verdicts", verdicts, "--json").stdout)
    assert told["hits"]["true by verdict"] == 1
    assert {"kind": "true by verdict", "without": 1, "with": 1, "removed": 0} in told["proof"]
    assert told["removed"] == [
        {"account": "CORP\\bob", "day": "2026-01-02", "hits": 1},
        {"account": "CORP\\cid", "day": "2026-01-04", "hits": 1},
    ]


def test_a_true_example_in_the_way_is_named(folder: Path) -> None:
    write(folder / "rules" / "tool.match.ndjson", event(TOOL, SHELL), event(TOOL, AGENT, "someone", 9))
    result = tune(folder, *false(1, 2))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"{folder / 'rules' / 'tool.match.ndjson'}:2 (true examples)" in result.stderr
    assert "tool.match.ndjson:1" not in result.stderr


def test_what_no_true_hit_vouches_for_is_said(folder: Path) -> None:
    (folder / "rules" / "tool.match.ndjson").unlink()
    assert "nothing vouches that none is lost" in tune(folder, *false(1, 2)).stderr
    bare = {key: value for key, value in event(TOOL, SHELL).items() if key != "process.parent.executable"}
    write(folder / "rules" / "tool.match.ndjson", bare)
    assert "1 of the true ones say nothing of ParentImage" in tune(folder, *false(1, 2)).stderr


def test_a_filter_that_switches_the_rule_off_says_so(folder: Path) -> None:
    result = tune(folder, *false(3, 1))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Too broad to propose: what has:\n  Image: C:\\Tools\\tool.exe\n" in result.stderr
    assert "It takes away 3 of 3 hits that nobody judged" in result.stderr
    assert "Of 3 accounts no hit was called false: CORP\\bob, CORP\\cid, CORP\\dan." in result.stderr
    assert "take it all the same with --broad" in result.stderr
    told = json.loads(tune(folder, *false(3, 1), "--json").stdout)
    assert (told["found"], told["broad"], told["filter"]) == (False, True, None)
    taken = tune(folder, *false(3, 1), "--broad")
    assert taken.exit_code == 0
    assert "Image: 'C:\\Tools\\tool.exe'" in taken.stdout
    assert "It takes away 3 of 3 hits that nobody judged" in taken.stderr


ROSTER = """employee_id,name,email,username,department
1,Ann,ann@corp.example,ann,Finance
2,Bob,bob@corp.example,bob,Finance
3,Eve,eve@corp.example,eve,Sales
4,Cid,cid@corp.example,cid,Finance
5,Dan,dan@corp.example,dan,Sales
"""


def with_roster(folder: Path) -> list[str]:
    (folder / "roster.csv").write_text(ROSTER)
    return ["--roster", str(folder / "roster.csv")]


def test_how_many_accounts_lose_hits_is_said(folder: Path) -> None:
    result = tune(folder, *false(1, 2), *with_roster(folder))
    assert "It holds back 3 hits of 3 accounts; 1 of them nobody judged.\n" in result.stderr
    assert "Of 1 account no hit was called false: cid@corp.example.\n" in result.stderr
    told = json.loads(tune(folder, *false(1, 2), *with_roster(folder), "--json").stdout)
    assert told["accounts"] == {"held_back": 3, "not_judged": ["cid@corp.example"]}
    told = json.loads(tune(folder, *false(1, 2, 4), *with_roster(folder), "--json").stdout)
    assert told["accounts"] == {"held_back": 3, "not_judged": []}


def test_a_filter_for_a_department_alone_is_refused(folder: Path) -> None:
    """All of Finance was called false, and somebody else did just the same."""
    verdicts = folder / "verdicts.csv"
    lines = [event(TOOL, AGENT, "ann", 1), event(TOOL, AGENT, "bob", 2), event(TOOL, AGENT, "eve", 3)]
    write(folder / "log.ndjson", *lines)
    write(folder / "rules" / "tool.match.ndjson", event(TOOL, AGENT, "eve", 3))
    verdicts.write_text(f"rule,verdict,file,line\n{ID},true,log.ndjson,3\n")
    asked = [*false(1, 2), "--verdicts", str(verdicts), *with_roster(folder)]
    result = tune(folder, *asked)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "what sets the false hits apart is who it was alone (roster.department: Finance)" in result.stderr
    told = json.loads(tune(folder, *asked, "--json").stdout)
    assert told["refused"] == {"key": "roster.department", "values": ["Finance"]}


def test_a_department_beside_something_else_is_told_with_its_size(folder: Path) -> None:
    lines = [event(TOOL, AGENT, "ann", 1), event(TOOL, AGENT, "bob", 2), event(TOOL, AGENT, "eve", 3)]
    write(folder / "log.ndjson", *lines)
    verdicts = folder / "verdicts.csv"
    verdicts.write_text(f"rule,verdict,file,line\n{ID},true,log.ndjson,3\n")
    result = tune(folder, *false(1, 2), "--verdicts", str(verdicts), *with_roster(folder))
    assert result.exit_code == 0, result.stderr
    assert "roster.department: Finance\n" in result.stderr
    assert "        roster.department: 'Finance'\n" in result.stdout
    assert "Image" in result.stdout
    assert "roster.department: Finance is 3 people on the roster; it would hold back what" in result.stderr


def test_a_service_account_may_be_named(folder: Path) -> None:
    lines = [event(TOOL, SHELL, "svc-inventory", 1), event(TOOL, SHELL, "eve", 2)]
    write(folder / "log.ndjson", *lines)
    told = json.loads(tune(folder, *false(1), "--json").stdout)
    assert [one["values"] for one in told["lines"]] in (["svc-inventory"], [["svc-inventory"]])
    assert told["removed"] == []


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], 2, "name false hits"),
        (["--false", "log.ndjson"], 2, "write FILE:LINE"),
        (["--false", "log.ndjson:6"], 1, "log.ndjson:6 is no hit of 'Remote tool started'"),
        (["--false", "other.log:6"], 1, "no hit stands in other.log; the hits are in "),
        (["--false", "log.ndjson:1", "--expires", "2020-01-01"], 2, "2020-01-01 is over"),
        (["--false", "log.ndjson:1", "--lake", "."], 2, "give --lake DIR, or --events PATH"),
        (["--false", "log.ndjson:1", "-o", "rules/tool.yml"], 1, "is there already"),
        (["--false", "log.ndjson:1", "--since", "2027-01-01"], 1, "has no hits there"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], status: int, told: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    result = tune(folder, *arguments)
    assert result.exit_code == status, result.output
    assert told in result.stderr
    assert result.stdout == ""


def test_a_correlation_has_nothing_to_tune(folder: Path) -> None:
    result = tune(folder, *false(1), rule="again")
    assert result.exit_code == 1
    assert "tune remote_tool" in result.stderr
    assert "no rule of that id or name" in tune(folder, *false(1), rule="nothing_like_it").stderr


def test_of_several_rules_one_has_to_be_named(folder: Path) -> None:
    result = tune(folder, *false(1), rule=str(folder / "rules"))
    assert result.exit_code == 1
    assert f"2 rules; give the id of one:\n  {ID}  Remote tool started\n" in result.stderr
    (folder / "rules" / "broken.yml").write_text("title: [")
    result = tune(folder, *false(1), rule=str(folder / "rules" / "broken.yml"))
    assert "broken.yml holds no rule that can be loaded\n" in result.stderr
    assert result.stderr.count("broken.yml:") == 1


def test_what_to_ask_next_names_the_log_as_it_was_read(folder: Path) -> None:
    result = tune(folder, "--false", "log.ndjson:6")
    assert f"--event {folder / 'log.ndjson'}:6`" in result.stderr


def test_a_place_cannot_be_false_and_true(folder: Path) -> None:
    verdicts = folder / "verdicts.csv"
    verdicts.write_text(f"rule,verdict,file,line\n{ID},true,log.ndjson,1\n")
    result = tune(folder, *false(1), "--verdicts", verdicts)
    assert result.exit_code == 1
    assert "is called false, and true by a verdict" in result.stderr
