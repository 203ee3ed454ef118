"""Packs kept on disk: the same as read anew, never stale, and no way in."""

from __future__ import annotations

import hashlib
import pickle
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from sigma_cases import rule_text

from analysis.sigma import RulePack
from analysis.sigma.reading import kept
from analysis.sigma.reading.kept import MARK, MOST_PACKS, load_kept
from analysis.sigma.reading.load import Loaded, bundled_rules, load
from analysis.sigma.taxonomy import AsWritten, Taxonomy

RULE = rule_text("  s:\n    f|contains: word\n  condition: s", title="one")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MOLEHUNT_CACHE", str(folder))
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yml").write_text(RULE)
    return folder


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the files were really read, from now on."""
    count = [0]

    def counted(*arguments: object) -> Loaded:
        count[0] += 1
        return load(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(kept, "load", counted)
    return count


def told(loaded: Loaded) -> tuple[object, ...]:
    documents = [dict(rule.document) for rule in loaded.rules]
    return (
        loaded.rules, loaded.filters, loaded.correlations, loaded.anomalies, loaded.errors, documents,
    )  # fmt: skip


def test_our_own_rules_come_back_as_they_were(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = reads(monkeypatch)
    first = load_kept([bundled_rules()], Taxonomy(), {})
    again = load_kept([bundled_rules()], Taxonomy(), {})
    assert count == [1]
    assert len(again.rules) > 50
    assert told(again) == told(first) == told(load([bundled_rules()], Taxonomy(), {}))
    assert len(list(cache.iterdir())) == 1


def test_what_comes_back_matches(cache: Path, rules: Path) -> None:
    frame = pl.DataFrame({"f": ["a Word", "none"]})
    for _ in range(2):
        assert RulePack.load([rules], taxonomy=AsWritten()).match(frame, "")["row"].to_list() == [0]
    assert len(list(cache.iterdir())) == 1


@pytest.mark.usefixtures("cache")
def test_whatever_changes_the_meaning_of_the_files_is_noticed(
    rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = reads(monkeypatch)
    load_kept([rules], Taxonomy(), {})
    load_kept([rules], AsWritten(), {})
    load_kept([rules], Taxonomy(), {"a": ["b"]})
    (rules / "two.yml").write_text(RULE.replace("one", "two"))
    assert len(load_kept([rules], Taxonomy(), {}).rules) == 2
    (rules / "two.yml").write_text(RULE.replace("one", "two").replace("word", "ward"))
    load_kept([rules], Taxonomy(), {})
    (rules / "two.yml").rename(rules / "three.yml")
    assert load_kept([rules], Taxonomy(), {}).rules[1].path.name == "three.yml"
    (rules / "three.yml").unlink()
    assert count == [6]
    load_kept([rules], Taxonomy(), {})
    assert count == [6]
    monkeypatch.setattr(kept, "version", lambda _name: "another")
    load_kept([rules], Taxonomy(), {})
    assert count == [7]


class Hostile:
    """What runs code when it is taken back by a reader that trusts it."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "hostile", "another type"])
def test_a_damaged_or_hostile_file_is_read_anew_and_runs_nothing(
    damage: str, cache: Path, rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = told(load_kept([rules], Taxonomy(), {}))
    (place,) = cache.iterdir()
    raw = place.read_bytes()
    target = tmp_path / "touched"

    def written(value: object) -> bytes:
        data = kept.zstandard.ZstdCompressor().compress(pickle.dumps(value))
        return MARK + hashlib.sha256(data).digest() + data

    place.write_bytes(
        {
            "cut": raw[:-5],
            "changed": raw[:-5] + b"xxxxx",
            "empty": b"",
            "hostile": written(Hostile(target)),
            "another type": written({"rules": []}),
        }[damage]
    )
    count = reads(monkeypatch)
    assert told(load_kept([rules], Taxonomy(), {})) == expected
    assert count == [1]
    assert not target.exists()
    load_kept([rules], Taxonomy(), {})
    assert count == [1], "the damaged file was replaced"


def test_the_hostile_file_would_have_run_code(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Hostile(tmp_path / "touched")))  # noqa: S301 - that the test above can fail
    assert (tmp_path / "touched").exists()


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MOLEHUNT_CACHE", str(tmp_path / "file" / "below"))
    assert len(load_kept([rules], Taxonomy(), {}).rules) == 1


def test_nothing_is_kept_where_that_is_not_wanted(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLEHUNT_CACHE", "")
    count = reads(monkeypatch)
    load_kept([rules], Taxonomy(), {})
    load_kept([rules], Taxonomy(), {})
    assert count == [2]


def test_old_packs_are_thrown_away(cache: Path, rules: Path) -> None:
    for number in range(MOST_PACKS + 4):
        load_kept([rules], Taxonomy(), {"a": [str(number)]})
    assert len(list(cache.iterdir())) == MOST_PACKS


def test_a_folder_that_is_gone_is_not_an_empty_one(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    gone = load_kept([folder], Taxonomy(), {}).errors
    folder.mkdir()
    empty = load_kept([folder], Taxonomy(), {}).errors
    assert empty == load([folder], Taxonomy(), {}).errors
    folder.rmdir()
    assert load_kept([folder], Taxonomy(), {}).errors == gone == load([folder], Taxonomy(), {}).errors
    assert empty != gone
    assert len(list(cache.iterdir())) == 2


def test_rules_that_change_while_they_are_read_are_not_kept(
    cache: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changing(*arguments: object) -> Loaded:
        (rules / "one.yml").write_text(RULE.replace("word", "ward"))
        return load(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(kept, "load", changing)
    load_kept([rules], Taxonomy(), {})
    monkeypatch.setattr(kept, "load", load)
    (rules / "one.yml").write_text(RULE)
    assert told(load_kept([rules], Taxonomy(), {})) == told(load([rules], Taxonomy(), {}))
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("analysis.sigma.reading.rule", "Document"),  # a record of another module, imported there
        ("analysis.sigma.reading.rule", "field"),
        ("analysis.sigma.reading.rule", "re"),
        ("analysis.sigma.tree", "Enum"),  # makes new types
        ("analysis.sigma.pack", "RulePack"),
        ("analysis.sigma.reading.kept", "Path"),
        ("analysis.sigma.reading.kept", "_Reader"),
        ("analysis.sigma.reading.kept.pickle", "loads"),
        ("pathlib", "Path.touch"),
        ("pathlib", "os"),
        ("pathlib", "_NormalAccessor"),
        ("pathlibs", "Path"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("copyreg", "_reconstructor"),
        ("os", "system"),
    ],
)
def test_nothing_but_the_records_of_rules_is_taken_back(module: str, name: str) -> None:
    with pytest.raises((pickle.UnpicklingError, ImportError)):
        kept._Reader(BytesIO(b"c" + f"{module}\n{name}\n.".encode())).load()


def test_a_full_disk_leaves_nothing_behind(cache: Path, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert len(load_kept([rules], Taxonomy(), {}).rules) == 1
    assert list(cache.iterdir()) == []
