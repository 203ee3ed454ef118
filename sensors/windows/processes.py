"""Processes and files: names from their paths, arguments from their command lines."""

from __future__ import annotations

from typing import Final

import polars as pl

_LAST: Final = r"([^\\/]+)$"
_ODD: Final = r'\\"|""'  # quotes that are part of an argument
_ARGUMENT: Final = r'(?:[^ \t"]|"[^"]*(?:"|$))+'


def detailed(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds names, arguments and parts of paths where there is a path or a command line and they are not yet."""
    frame = _derived(
        frame,
        {
            "process.name": ("process.executable", _last),
            "process.parent.name": ("process.parent.executable", _last),
            "file.directory": ("file.path", lambda path: path.str.extract(r"^(.+)[\\/][^\\/]*$")),
        },
    )
    frame = _file_paths(frame)
    frame = _derived(
        frame,
        {
            "file.name": ("file.path", _last),
            "file.extension": ("file.name", lambda name: name.str.extract(r"[^.]\.([^.\\/:]+)$")),
        },
    )
    for text, args in (
        ("process.command_line", "process.args"),
        ("process.parent.command_line", "process.parent.args"),
    ):
        if text in frame.columns and args not in frame.columns:
            frame = frame.with_columns(arguments(frame[text]).alias(args))
    if "process.args" in frame.columns and "process.args_count" not in frame.columns:
        frame = frame.with_columns(pl.col("process.args").list.len().cast(pl.Int64).alias("process.args_count"))
    return frame


def _last(path: pl.Expr) -> pl.Expr:
    return path.str.extract(_LAST)


def _derived(frame: pl.DataFrame, fields: dict[str, tuple[str, object]]) -> pl.DataFrame:
    for field, (column, how) in fields.items():
        if column in frame.columns and callable(how):
            value = how(pl.col(column))
            if field in frame.columns:
                value = pl.coalesce(pl.col(field), value)
            frame = frame.with_columns(value.alias(field))
    return frame


def _file_paths(frame: pl.DataFrame) -> pl.DataFrame:
    """A share's folder and a name in it are a path."""
    if not {"file.directory", "file.name"} <= set(frame.columns):
        return frame
    joined = pl.concat_str("file.directory", "file.name", separator="\\")
    return frame.with_columns(
        (pl.coalesce("file.path", joined) if "file.path" in frame.columns else joined).alias("file.path")
    )


def arguments(lines: pl.Series) -> pl.Series:
    """The arguments of command lines as Windows' C runtime parts them (learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments)."""
    args = lines.str.extract_all(_ARGUMENT).list.eval(
        pl.element().str.replace_all('"', "", literal=True)
    )
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
    r"""One command line by the same rules: `\"` is a quote, so is `""` inside quotes, `\\"` is a backslash and the end."""
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
