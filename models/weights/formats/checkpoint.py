"""Opens weights files of every format users bring, without running anything that is in them.

Example:
    >>> from models.weights import registry
    >>> with open_checkpoint(registry.BUNDLED / "inpaint_detail.safetensors") as checkpoint:
    ...     checkpoint.format, len(checkpoint.arrays)
    ('safetensors', 285)
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from models.weights.errors import BadFile, WeightsError
from models.weights.formats.arrays import MAX_FILE_BYTES, Storage, StoredArray
from models.weights.formats.legacy_reader import MAGIC, LegacyFile
from models.weights.formats.pickle_reader import MAX_BYTES, read_pickle
from models.weights.formats.safetensors_file import SafetensorsFile
from models.weights.formats.tree import flatten, unwrapped
from models.weights.formats.zip_reader import PIECE, Archive

if TYPE_CHECKING:
    import torch

SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".torchscript", ".safetensors")
_KNOWN_STARTS = (
    (b"\x1f\x8b", "is a gzip archive; unpack it and import the file inside"),
    (b"BZh", "is a bzip2 archive; unpack it and import the file inside"),
    (b"7z\xbc\xaf", "is a 7-Zip archive; unpack it and import the file inside"),
    (b"Rar!", "is a RAR archive; unpack it and import the file inside"),
    (b"\x89HDF", "is a Keras or TensorFlow file; bring the PyTorch version"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself; fetch the file with 'git lfs pull'"),
    (b"\x80", "is a bare Python pickle, not a PyTorch weights file; nothing in it was run"),
)


@dataclass
class Checkpoint:
    """An opened weights file: arrays by dotted name, read one by one.

    `label` is what messages call the file, `format` one of "PyTorch", "TorchScript", "PyTorch before 1.6",
    "safetensors". `metadata` are the texts in a safetensors header. `file` is the opened file as it was given.
    """

    label: str
    format: str
    arrays: dict[str, StoredArray]
    metadata: dict[str, str]
    file: IO[bytes] = field(repr=False)
    _read: Callable[[Storage], bytearray] = field(repr=False)

    def tensor(self, name: str) -> torch.Tensor:
        """The numbers of one array, as a tensor that owns its memory. Imports torch.

        Raises WeightsError if the file is cut short or damaged there.
        """
        import torch

        array = self.arrays[name]
        dtype = getattr(torch, array.dtype)
        if array.count == 0:
            return torch.empty(array.shape, dtype=dtype)
        with naming(self.label):
            data = self._read(array.storage)
        block = torch.frombuffer(data, dtype=dtype)
        if array.count == block.numel() and array.storage.dtype == array.dtype:
            return block.as_strided(array.shape, array.stride, array.offset)
        return block.as_strided(array.shape, array.stride, array.offset).clone()


def load_state_dict(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Every tensor of a weights file, of any format, under its dotted name. Nothing in the file is run.

    Wrappers stay visible in the names ("state_dict.generator.model.1..."); `fit` strips them. Raises WeightsError.
    """
    with open_checkpoint(path) as checkpoint:
        return {name: checkpoint.tensor(name) for name in checkpoint.arrays}


@contextmanager
def open_checkpoint(path: str | os.PathLike[str], member: str | None = None) -> Iterator[Checkpoint]:
    """Open a weights file; torch is not needed until a tensor is read.

    `member` names the file inside a zip archive that holds several. Raises WeightsError, in one sentence that names
    the file, if it is missing, empty, cut short, damaged, hostile or no weights file.
    """
    path = Path(path)
    with ExitStack() as kept:
        file = kept.enter_context(open_file(path))
        with naming(path.name):
            checkpoint = _open(file, os.fstat(file.fileno()).st_size, path.name, member, kept)
        yield replace(checkpoint, file=file)


@contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """The file, opened for reading. Raises WeightsError if it is no readable regular file."""
    if path.is_dir():
        raise WeightsError(f"{path} is a folder; name a weights file in it")
    if path.exists() and not path.is_file():
        raise WeightsError(f"{path} is not a regular file")
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        yield file


@contextmanager
def naming(label: str) -> Iterator[None]:
    """Puts the file's name in front of what a reader found wrong with it."""
    try:
        yield
    except BadFile as error:
        raise WeightsError(f"{label} {error}") from None
    except OSError as error:
        raise WeightsError(f"{label} cannot be read: {error.strerror or error}") from None


def _open(
    file: IO[bytes], size: int, label: str, member: str | None, kept: ExitStack, inside: bool = False
) -> Checkpoint:
    start = file.read(4096)
    file.seek(0)
    if size == 0:
        raise BadFile("is empty")
    if start.startswith(b"PK\x03\x04"):
        archive = Archive(file, size)
        roots = [name[:-9] for name in archive.names() if name.endswith("/data.pkl") and name.count("/") == 1]
        if not roots and inside:
            raise BadFile("is an archive within an archive; unpack it and import the file inside")
        if not roots:
            return _open_member(archive, label, member, kept)
        return _checked(_torch_archive(file, archive, roots[0], label))
    if start.startswith(MAGIC):
        legacy = LegacyFile(file, size)
        return _checked(Checkpoint(label, "PyTorch before 1.6", flatten(legacy.tree), {}, file, legacy.read))
    if start[8:9] == b"{":
        tensors = SafetensorsFile(file, size)
        return _checked(Checkpoint(label, "safetensors", tensors.arrays, tensors.metadata, file, tensors.read))
    raise BadFile(_what_else(start, label))


def _torch_archive(file: IO[bytes], archive: Archive, root: str, label: str) -> Checkpoint:
    order = f"{root}/byteorder"
    if order in archive.sizes and archive.read(order, 16) != b"little":
        raise BadFile("was written on a machine of another kind")
    tree, _ = read_pickle(bytes(archive.read(f"{root}/data.pkl", MAX_BYTES)))
    script = any(name.startswith((f"{root}/code/", f"{root}/constants.pkl")) for name in archive.names())

    def read(storage: Storage) -> bytearray:
        data = archive.read(f"{root}/data/{storage.key}", storage.size)
        if len(data) != storage.size:
            raise BadFile("is damaged: its arrays are not as long as it says")
        return data

    return Checkpoint(label, "TorchScript" if script else "PyTorch", flatten(tree), {}, file, read)


def _open_member(archive: Archive, label: str, member: str | None, kept: ExitStack) -> Checkpoint:
    inside = [name for name in archive.names() if name.lower().endswith(SUFFIXES)]
    if member is not None:
        inside = [name for name in inside if name == member or name.endswith("/" + member)]
    if not inside:
        raise BadFile("is a zip archive without a weights file inside" + (f" called {member}" if member else ""))
    if len(inside) > 1:
        raise BadFile("holds several weights files; choose one with --member: " + ", ".join(inside[:12]))
    folder = tempfile.gettempdir()
    if archive.sizes[inside[0]] + (64 << 20) > shutil.disk_usage(folder).free:
        raise BadFile(f"does not fit into {folder} when unpacked; set TMPDIR to a folder on a larger disk")
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with `kept`
    kept.callback(file.close)
    for piece in archive.pieces(inside[0]):
        file.write(piece)
    size = file.tell()
    file.seek(0)
    return _open(file, size, f"{label}:{inside[0].rpartition('/')[2]}", None, kept, inside=True)


def _checked(checkpoint: Checkpoint) -> Checkpoint:
    if not checkpoint.arrays:
        raise BadFile("holds no weights")
    if not all(name.isprintable() for name in checkpoint.arrays):
        raise BadFile("is damaged: its arrays have unreadable names")
    # Many views of one block would multiply what the file holds, in memory as copies and in time as reading.
    arrays = checkpoint.arrays.values()
    held = sum({array.storage.key: array.storage.size for array in arrays}.values())
    copied = sum(array.size for array in arrays)
    read = sum(array.storage.size for array in arrays)
    if copied > min(8 * held + PIECE, MAX_FILE_BYTES) or read > 64 * held + PIECE:
        raise BadFile("is not a plausible weights file: its arrays add up to far more than the file holds")
    checkpoint.arrays = unwrapped(checkpoint.arrays)
    return checkpoint


def _what_else(start: bytes, label: str) -> str:
    for magic, reason in _KNOWN_STARTS:
        if start.startswith(magic):
            return reason
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "is a web page, not a weights file: the download link led to a page; open it in a browser"
    if start[257:262] == b"ustar":
        return "is a tar archive; unpack it and import the file inside"
    if label.lower().endswith(".onnx"):
        return "is an ONNX export, which Cleanplate does not read; bring the PyTorch version"
    if b"\0" not in start and all(byte in b"\t\n\r\f\x1b" or byte >= 32 for byte in start):
        return "is a text file, not a weights file"
    return "is not a weights file of a kind Cleanplate knows (PyTorch, TorchScript, safetensors)"
