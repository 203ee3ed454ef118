"""A folder for as long as an object lives, and no longer: what a killed run left is swept by the next.

The folder is the user's own (mode 0700, below `TMPDIR`). While its run lives a file in it is locked, and the
system itself gives the lock up when the process ends, however it does. A folder without that file is left
alone: its run is just beginning.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from typing import BinaryIO

PREFIX: Final = "molehunt-correlations-"
_OWNER: Final = "owner"


def folder_for(owner: object) -> Path:
    """A new folder, which goes with `owner`; those of dead processes go before.

    Raises:
        OSError: there is no room for it, or no right to make it.
    """
    sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = _held(folder)
    weakref.finalize(owner, _removed, folder, lock)
    return folder


def sweep(parent: Path) -> None:
    """Remove the folders that processes which are dead left in `parent`."""
    try:
        found = [path for path in parent.iterdir() if path.name.startswith(PREFIX)]
    except OSError:
        return
    for folder in found:
        if _abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _removed(folder: Path, lock: BinaryIO) -> None:
    if sys.platform == "win32":  # what is open cannot be removed there
        lock.close()
    shutil.rmtree(folder, ignore_errors=True)
    lock.close()


def _held(folder: Path) -> BinaryIO:
    """The file that says that the folder's owner lives; it has its name only once it is locked."""
    if sys.platform == "win32":  # nobody can remove what is open
        return (folder / _OWNER).open("xb")
    unnamed = folder / f"{_OWNER}.new"
    lock = unnamed.open("xb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(folder / _OWNER)
    return lock


def _abandoned(folder: Path) -> bool:
    """Whether a folder is this user's, and its process dead."""
    owner = folder / _OWNER
    try:
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode):
            return False
        if sys.platform == "win32":
            owner.unlink()
            return True
        if about.st_uid != os.getuid():
            return False
        lock = os.open(owner, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(lock)
    except OSError:  # it is held, not there yet, or gone already
        return False
    return True
