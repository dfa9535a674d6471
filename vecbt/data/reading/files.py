"""Files as bytes, unpacked if they are packed; and errors that say which file was meant."""

from __future__ import annotations

import bz2
import difflib
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from vecbt.errors import DataFileError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_bytes", "stem"]

_PACKERS: dict[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\x00": ("xz", lzma.decompress),
}
_PACKED = (".gz", ".bz2", ".xz", ".zip")


def stem(path: Path) -> str:
    """A file's name without the endings of its form and its packing.

    Example:
        >>> stem(Path("data/EURUSD.csv.gz"))
        'EURUSD'
    """
    name = path.name
    if path.suffix.lower() in _PACKED:
        name = path.stem
    return Path(name).stem


def read_bytes(path: Path) -> bytes:
    """The contents of a file, unpacked if it is gzip, bzip2, xz, or a zip archive of one table.

    What a file is packed with is told by its first bytes, not by its name.

    Raises:
        DataFileError: If there is no such file, or it cannot be read or unpacked.
    """
    source = str(path)
    try:
        if path.exists() and not path.is_file():
            what = "a folder: expected a file, or a list of files" if path.is_dir() else "no regular file"
            raise DataFileError(f"this is {what}", source=source)
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataFileError(_missing(path), source=source) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataFileError(f"cannot be read: {error}", source=source) from error
    for magic, (packer, unpack) in _PACKERS.items():
        if data.startswith(magic):
            try:
                return unpack(data)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise DataFileError(
                    f"begins as a {packer} file, but cannot be unpacked: {error}", source=source
                ) from error
    return _unzip(data, source) if data.startswith(b"PK\x03\x04") else data


def _unzip(data: bytes, source: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(_only_table(archive.namelist(), source))
    except DataFileError:
        raise
    except Exception as error:  # what zipfile raises for a damaged archive is not documented
        raise DataFileError(f"begins as a zip archive, but cannot be unpacked: {error}", source=source) from error


def _only_table(members: list[str], source: str) -> str:
    """The member of an archive that is the table; beside it there may be a readme."""
    names = [name for name in members if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if "[Content_Types].xml" in names:
        raise DataFileError("this is an Office document: save the sheet as CSV", source=source)
    tables = names if len(names) == 1 else [name for name in names if name.lower().endswith(".csv")]
    if len(tables) != 1:
        inside = ", ".join(names[:5]) + ", ..." * (len(names) > 5) if names else "nothing"
        raise DataFileError(f"expected an archive with one CSV file, this one holds {inside}", source=source)
    return tables[0]


def _missing(path: Path) -> str:
    folder = path.parent
    try:
        names = [file.name for file in folder.iterdir()]
    except OSError:
        return f"there is no such file, and no folder {str(folder)!r}"
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    hint = f": did you mean {str(folder / near[0])!r}?" if near else ""
    return f"there is no such file{hint}"
