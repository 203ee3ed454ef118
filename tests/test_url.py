"""URLs to their parts, and what ECS says alike for every product."""

from __future__ import annotations

import ipaddress

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.values import ecs
from sensors.values.url import url_columns


def parts(url: str) -> dict[str, object]:
    row = url_columns(pl.DataFrame({"url.original": [url]})).row(0, named=True)
    return {name.removeprefix("url."): value for name, value in row.items() if value is not None} | {
        "original": None
    }


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (
            "https://Ann:se@cret@files.Example.org:8443/a/b.tar.gz?x=1&y=http://z/#top",
            {
                "scheme": "https",
                "path": "/a/b.tar.gz",
                "query": "x=1&y=http://z/",
                "fragment": "top",
                "extension": "gz",
            },
        ),
        ("http://h/", {"scheme": "http", "domain": "h", "path": "/"}),
        ("login.example.com:443", {"domain": "login.example.com", "port": 443}),
        (
            "files.example.net/x.php?q",
            {"domain": "files.example.net", "path": "/x.php", "query": "q", "extension": "php"},
        ),
        ("/app", {"path": "/app"}),
        (
            "ftp://u:p@[2001:db8::1]:21/f",
            {
                "scheme": "ftp",
                "domain": "2001:db8::1",
                "port": 21,
                "path": "/f",
                "username": "u",
                "password": "p",
            },
        ),
        ("-/", {"path": "/"}),
        ("*", {}),
        ("http://h:99999999999999999999/", {"scheme": "http", "domain": "h", "path": "/"}),
        ("http://h/.hidden", {"scheme": "http", "domain": "h", "path": "/.hidden"}),
    ],
)
def test_parts_of_a_url(url: str, wanted: dict[str, object]) -> None:
    assert parts(url) == {**wanted, "original": None}


@given(st.text())
def test_no_text_is_too_strange_for_a_url(text: str) -> None:
    parts(text.encode("utf-8", "replace").decode())


@pytest.mark.parametrize(
    ("raw", "name", "domain", "email"),
    [
        ("ann", "ann", None, None),
        (r"LOCAL\ann", "ann", None, None),
        (r"LOCAL\corp\ann", "ann", "corp", None),
        (r"corp\\ann", "ann", "corp", None),
        ("ann@corp.example", "ann", "corp.example", "ann@corp.example"),
        ("ann@corp", "ann", "corp", None),
        ('"ann"', "ann", None, None),
        ("Ann Lee", "Ann Lee", None, None),
        ("a@b@c", "a@b@c", None, None),
        ("HOST7$@CORP.EXAMPLE", "HOST7$", "CORP.EXAMPLE", "HOST7$@CORP.EXAMPLE"),
        ("*****", None, None, None),
        ("-", None, None, None),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_people_as_logs_write_them(
    raw: str | None, name: str | None, domain: str | None, email: str | None
) -> None:
    frame = pl.DataFrame({"raw": [raw]}, schema={"raw": pl.String})
    row = ecs.person(frame, "raw", "user").row(0, named=True)
    assert (row["user.name"], row["user.domain"], row["user.email"]) == (name, domain, email)


@given(
    st.ip_addresses().map(str)
    | st.from_regex(r"[0-9a-f:.]{1,20}", fullmatch=True)
    | st.from_regex(r"([0-9]{1,3}\.){3}[0-9]{1,4}", fullmatch=True)
    | st.ip_addresses(v=4).map(lambda ip: f"::ffff:{ip}")
)
def test_addresses_are_told_from_names_as_the_standard_library_tells_them(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        wanted = False
    else:
        wanted = True
    assert pl.DataFrame({"a": [text]}).select(ecs.is_ip(pl.col("a"))).item() is wanted


def test_related_values_are_distinct_and_in_order() -> None:
    frame = pl.DataFrame({"a": ["x", None, "x"], "b": ["y", None, "x"], "c": ["x", None, "z"]})
    assert frame.select(ecs.related("abc"))["a"].to_list() == [["x", "y"], None, ["x", "z"]]
