"""Nothing on disk is lost: what is written is held against what is read, and against what somebody else made.

Files are compared as the file system sees them, whatever they are called: through links, and where case does not count.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from nodes.errors import OutputError, ParameterError
from nodes.footage.exr.making import Making, read_making
from nodes.footage.exr.seal import is_untouched
from nodes.footage.reader import Footage

FileId = tuple[int, int]


class Guard:
    """Watches over the files of one render. `option` is what names its outputs, `footage` maps options to inputs.

    `files` are read besides. Usable from several threads.
    """

    def __init__(
        self, option: str, footage: Mapping[str, Footage], files: Iterable[str] = (), overwrite: bool = False
    ) -> None:
        self._option, self._footage, self._files, self._overwrite = option, dict(footage), list(files), overwrite
        self._read: dict[FileId, str] | None = None
        self._lock = threading.Lock()

    def refuse(self, paths: Iterable[str]) -> None:
        """Raises ParameterError where one of the paths is a file that is read, or would be one, or is a folder.

        Costs a look at each folder, and one at each file that is there.
        """
        folders: defaultdict[str, list[str]] = defaultdict(list)
        for path in paths:
            folder, name = os.path.split(path)
            folders[folder].append(name)
        for folder, names in folders.items():
            self._refuse_joining(folder, names)
            there = _listed(folder)
            for name in names:
                if _folded(name) in there and (reason := self._conflict(os.path.join(folder, name))):
                    raise ParameterError(f"{reason}: choose other file names for {self._option}")

    def refuse_foreign(self, *paths: str) -> None:
        """Raises ParameterError where one of the paths is a file that Cleanplate did not make and may not replace."""
        for path in paths:
            self.refuse_lost(path, read_making(path), finished=True)

    def refuse_lost(self, path: str, making: Making | None, finished: bool) -> None:
        """Raises ParameterError where what lies at an output's path may not be lost; what is `finished` stays."""
        if reason := self._worth(path, making, finished):
            raise ParameterError(reason)

    def _worth(self, path: str, making: Making | None, finished: bool = False) -> str:
        if making is None or self._overwrite:
            return ""
        if making.foreign:
            return f"{path} is there already and was not made by Cleanplate: {self._advice()}"
        if making.whole and not finished and not is_untouched(path):
            return f"{path} was changed since Cleanplate made it: {self._advice()}"
        return ""

    def _advice(self) -> str:
        return f"choose another {self._option}, or say --overwrite to replace it"

    def check(self, path: str) -> None:
        """To be asked before a file is replaced or appears. Raises OutputError."""
        if reason := self._conflict(path):
            raise OutputError(f"{reason}: choose other file names for {self._option}")
        if reason := self._worth(path, read_making(path)):
            raise OutputError(reason)

    def _conflict(self, path: str) -> str:
        """Why a path must not be written to, whatever the user says; empty where nothing speaks against it."""
        try:
            status = os.stat(path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return ""
            raise OutputError(f"{path} cannot be looked at: {error.strerror}") from error
        if stat.S_ISDIR(status.st_mode):
            return f"{path} is a folder"
        if what := self._files_read().get((status.st_dev, status.st_ino)):
            return f"{self._option} would overwrite {what} with {path}"
        return ""

    def _refuse_joining(self, folder: str, names: Iterable[str]) -> None:
        """A file that is not there yet may still be a frame of an input by its name."""
        real = os.path.realpath(folder or ".")
        for option, footage in self._footage.items():
            if os.path.realpath(footage.folder or ".") != real:
                continue
            for name in names:
                if footage.has_frame(os.path.join(footage.folder, name)):
                    raise ParameterError(
                        f"{self._option} would overwrite the footage: {os.path.join(folder, name)} is a frame of "
                        f"{option}; choose other file names"
                    )

    def _files_read(self) -> dict[FileId, str]:
        """What is read, by device and inode; looked at when it first matters."""
        with self._lock:
            if self._read is None:
                self._read = {}
                for option, footage in self._footage.items():
                    for frame in footage.frames() or [1]:
                        file = footage.file(frame)
                        if file.status is not None:
                            known = f"the footage (a frame of {option})"
                            self._read[file.status.st_dev, file.status.st_ino] = known
                for path in filter(os.path.exists, self._files):
                    status = os.stat(path)
                    self._read[status.st_dev, status.st_ino] = f"{path}, which is read,"
            return self._read


def _listed(folder: str) -> set[str]:
    """The names in a folder, as a file system may take them for each other; none where it is not there."""
    try:
        return set(map(_folded, os.listdir(folder or ".")))
    except OSError:
        return set()


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold() if not name.isascii() else name.lower()
