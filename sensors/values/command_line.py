"""Command lines and paths, as endpoint products write them, to their parts. This module defines no sensor."""

from __future__ import annotations

from typing import Final

import polars as pl

_WORD: Final = r'(?:[^ "]+|"[^"]*(?:"|$))+'


def args(line: pl.Expr) -> pl.Expr:
    """The words of a command line, quotes taken off; blanks in quotes divide nothing."""
    words = line.str.extract_all(_WORD).list.eval(pl.element().str.replace_all('"', "", literal=True))
    return pl.when(line.is_not_null()).then(words)


def base_name(path: pl.Expr) -> pl.Expr:
    r"""The last part of a path with `/` or `\`."""
    return path.str.extract(r"([^/\\]+)$", 1)


def directory(path: pl.Expr) -> pl.Expr:
    r"""The path before its last part; of `C:\x` it is `C:`."""
    return path.str.extract(r"^(.+)[/\\][^/\\]*$", 1)


def extension(path: pl.Expr) -> pl.Expr:
    """What follows the last dot of a file's name."""
    return path.str.extract(r"[^/\\]\.([^./\\ ]+)$", 1)


def joined(folder: pl.Expr, name: pl.Expr) -> pl.Expr:
    r"""The path of a file: `folder` as it is if it ends in the file's name, else both of them.

    Products differ in whether a folder's path includes the file.
    """
    same = base_name(folder).str.to_lowercase() == name.str.to_lowercase()
    slash = pl.when(folder.str.contains("/", literal=True)).then(pl.lit("/")).otherwise(pl.lit("\\"))
    both = pl.concat_str(folder.str.strip_chars_end("/\\"), slash, name)
    same |= folder.str.contains(r"(?i)\.(?:exe|dll|com|scr|sys)$")
    return pl.when(same | name.is_null()).then(folder).when(folder.is_null()).then(name).otherwise(both)


def mac(text: pl.Expr) -> pl.Expr:
    """A hardware address as ECS writes it: `00-00-5E-00-53-00`."""
    bare = text.str.replace_all(r"[^0-9A-Fa-f]", "").str.to_uppercase()
    pairs = bare.str.extract_all("..").list.join("-")
    return pl.when(bare.str.len_bytes() == 12).then(pairs)  # noqa: PLR2004 - six bytes
