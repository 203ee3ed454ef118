"""Headers of delimited text; its records are held to the standard library in test_mapped.py."""

from __future__ import annotations

from collections.abc import Callable

from sensors.reading import delimited
from sensors.sensor import Source

Make = Callable[..., Source]


def test_a_header_gives_the_names_and_is_left_out_wherever_it_stands(source: Make) -> None:
    made = source("\ufefftime, user ,text,user,\n1,a,b,c,d\ntime, user ,text,user,\n2,e,f,g,h\n")
    ((names, frame),) = delimited.headed(made)
    assert names[0].endswith("time")
    assert names[1:] == ["user", "~2", "~3", "~4"]
    table = delimited.table(frame, names, ",", made)
    assert table["user"].to_list() == ["a", "e"]
    assert table["log.file.line"].to_list() == [2, 4]
    assert made.unread == []


def test_a_header_alone_is_an_export_of_nothing(source: Make) -> None:
    made = source("time,user\n")
    assert list(delimited.headed(made)) == []
    assert made.unread == []


def test_a_header_whose_quote_swallows_records_is_named(source: Make) -> None:
    made = source('time",user\n1,a\n2,b"\n3,c\n')
    list(delimited.headed(made))
    assert [(one.line, one.reason) for one in made.unread] == [(1, "no header to tell the columns by")]


def test_records_below_a_header_that_cannot_be_read_are_all_named(source: Make) -> None:
    made = source("time\r,user\n1,a\n2,b\n")
    assert list(delimited.headed(made)) == []
    assert [one.line for one in made.unread] == [1, 2, 3]
