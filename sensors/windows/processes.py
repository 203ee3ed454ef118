"""Processes and files: names from their paths, arguments from their command lines."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.windows import values

_LAST: Final = r"([^\\/]+)$"
_FOLDER: Final = r"^(.+)[\\/][^\\/]*$"
_EXTENSION: Final = r"[^.]\.([^.\\/:]+)$"
_ODD: Final = r'\\"|""'  # quotes that are part of an argument
_ARGUMENT: Final = r'(?:[^ \t"]|"[^"]*(?:"|$))+'


def detailed(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds names, arguments and parts of paths, where they are not there yet."""
    there = frozenset(frame.columns)
    fields = {
        name: pl.col(path).str.extract(_LAST)
        for name, path in (
            ("process.name", "process.executable"),
            ("process.parent.name", "process.parent.executable"),
        )
        if path in there
    }
    if {"file.directory", "file.name"} <= there:
        # A share's folder and a name in it.
        fields["file.path"] = pl.concat_str("file.directory", "file.name", separator="\\")
    frame = values.added(frame, fields)
    if "file.path" in frame.columns:
        path = pl.col("file.path")
        parts = {"file.name": path.str.extract(_LAST), "file.directory": path.str.extract(_FOLDER)}
        frame = values.added(frame, parts)
        frame = values.added(frame, {"file.extension": pl.col("file.name").str.extract(_EXTENSION)})
    return _with_arguments(frame)


def _with_arguments(frame: pl.DataFrame) -> pl.DataFrame:
    for line, args in (
        ("process.command_line", "process.args"),
        ("process.parent.command_line", "process.parent.args"),
    ):
        if line in frame.columns:
            frame = values.added(frame, {args: pl.lit(arguments(frame[line]))})
    if "process.args" in frame.columns:
        count = pl.col("process.args").list.len()
        frame = values.added(frame, {"process.args_count": count})
    return frame


def arguments(lines: pl.Series) -> pl.Series:
    """The arguments of command lines as Windows' C runtime parts them.

    learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments
    """
    args = lines.str.extract_all(_ARGUMENT).list.eval(pl.element().str.replace_all('"', "", literal=True))
    odd = lines.str.contains(_ODD).fill_null(value=False)
    if not odd.any():
        return args
    distinct = lines.filter(odd).unique()
    exact = pl.Series([split(line) for line in distinct], dtype=pl.List(pl.String))
    replaced = pl.DataFrame({"line": lines, "args": args}).join(
        pl.DataFrame({"line": distinct, "exact": exact}), on="line", how="left", maintain_order="left"
    )
    return replaced.select(pl.coalesce("exact", "args")).to_series()


def split(line: str) -> list[str]:
    r"""One line by the same rules: `\"` is a quote, as is `""` in quotes; `\\"` is `\` and its end."""
    args: list[str] = []
    arg: list[str] = []
    quoted = started = False
    slashes = at = 0
    while at < len(line):
        letter = line[at]
        at += 1
        if letter == "\\":
            slashes += 1
            started = True
            continue
        if letter == '"':
            arg.append("\\" * (slashes // 2))
            started = True
            if slashes % 2:
                arg.append('"')
            elif quoted and line[at : at + 1] == '"':
                arg.append('"')
                at += 1
            else:
                quoted = not quoted
        else:
            arg.append("\\" * slashes)
            if letter in " \t" and not quoted:
                if started:
                    args.append("".join(arg))
                arg, started = [], False
            else:
                arg.append(letter)
                started = True
        slashes = 0
    arg.append("\\" * slashes)
    return [*args, "".join(arg)] if started else args
