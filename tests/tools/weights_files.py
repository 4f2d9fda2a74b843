"""Weights files for tests: a tiny network with its own registry entries, files in published layouts, a moody server."""

from __future__ import annotations

import copy
import io
import pickle
import socket
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import models
from models.weights import registry

torch.set_num_threads(1)  # arrays this small are not worth waking another thread


class Tiny(nn.Module):
    """A network of a few hundred bytes with everything that matters: convolution, bias, norm, counter, nesting."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.stem(x))
        return out


def prepare(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """An empty store in `folder`, and the tiny network known to `models.create` and to the registry. Returns the
    store's home."""
    home = folder / "home"
    monkeypatch.setenv("CLEANPLATE_HOME", str(home))
    monkeypatch.delenv("CLEANPLATE_WEIGHTS_FROM", raising=False)
    monkeypatch.setitem(models.NETWORKS, "tiny", "weights_files:Tiny")
    document = copy.deepcopy(registry._document())
    document["networks"]["tiny"] = {"title": "Tiny", "options": {"width": [4, 8]}, "rename": {"old_head.": "head."}}
    document["nodes"]["TinyNode"] = {"command": "tiny-node", "networks": ["tiny"], "defaults": ["tiny"]}
    common = {"node": "TinyNode", "network": "tiny", "format": "PyTorch", "about_mb": 0.01}
    document["entries"] += [
        {"id": "tiny", "what": "for tests", "options": {"width": 4}, "file": "tiny.pth",
         "url": "http://127.0.0.1:9/tiny.pth", "licence": "MIT", **common},
        {"id": "tiny_wide", "what": "for tests", "options": {"width": 8}, "file": "wide_*.pth",
         "page": "https://example.invalid", "licence": "CC-BY-NC-4.0", **common},
        {"id": "tiny_nc", "what": "for tests", "options": {"width": 4}, "file": "tiny_nc.pth",
         "url": "http://127.0.0.1:9/tiny_nc.pth", "licence": "CC-BY-NC-4.0", **common},
    ]  # fmt: skip
    cached = (registry.entries, registry.licences, registry.networks, registry.nodes)
    for function in cached:
        function.cache_clear()
    monkeypatch.setattr(registry, "_document", lambda: document)
    monkeypatch.setattr(registry, "BUNDLED", folder / "bundled")
    monkeypatch.setattr("models.weights.store.BUNDLED", folder / "bundled")
    return home


def forget_registry() -> None:
    """Undo what `prepare` left in caches; call it when the test is over."""
    for function in (registry.entries, registry.licences, registry.networks, registry.nodes):
        function.cache_clear()


def tiny_state(width: int = 4, seed: int = 1) -> dict[str, Tensor]:
    """A state dict of the tiny network."""
    torch.manual_seed(seed)
    return Tiny(width).eval().state_dict()


def saved(content: Any, legacy: bool = False) -> bytes:
    """What torch.save writes, in the layout of today or of before 1.6."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def scripted(module: nn.Module) -> bytes:
    """A TorchScript archive of a module."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


def zipped(parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of the given parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class Stranger:
    """An object of a training framework, which the readers know nothing about."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def lightning(state: dict[str, Tensor], prefix: str = "generator.") -> dict[str, Any]:
    """The layout of a Lightning checkpoint: weights beside optimiser state, callbacks and objects of all kinds."""
    other = {"discriminator.model0.weight": torch.ones(2, 2), "loss_resnet.weight": torch.ones(3)}
    return {
        "epoch": 39,
        "global_step": 999_960,
        "pytorch-lightning_version": "0.9.0",
        "state_dict": {**{prefix + key: value for key, value in state.items()}, **other},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(5), "step": 3}}, "param_groups": [{"lr": 1e-3}]}],
        "callbacks": {Stranger: {"best_model_score": torch.tensor(0.5), "monitor": None}},
        "hyper_parameters": Stranger(config={"a": (1, 2.5, "x")}, path=Path("best.ckpt")),
    }


def safetensors(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file of a raw header; `length` is what it claims the header's length to be."""
    return struct.pack("<Q", len(header) if length is None else length) + header + data


class Evil:
    """Pickles to a call of `function(*args)`."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> Any:
        return self.function, self.args


def legacy_stream(*objects: Any) -> bytes:
    """Pickles one after the other, as files of before 1.6 begin."""
    return b"".join(pickle.dumps(item, protocol=2) for item in objects)


@dataclass
class Moods:
    """How the server behaves, one entry per request and then as the last entry says; and what it was asked."""

    content: bytes
    cut_after: list[int | None] = field(default_factory=lambda: [None])
    status: list[int] = field(default_factory=lambda: [200])
    ranges: bool = True
    length: bool = True
    etag: str = '"one"'
    delay: float = 0.0
    asked: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    served: int = 0

    def next(self, moods: list[Any]) -> Any:
        return moods.pop(0) if len(moods) > 1 else moods[0]


@contextmanager
def server(moods: Moods) -> Iterator[str]:
    """A web server on this machine with these moods; its address, without a slash at the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, cut = moods.next(moods.status), moods.next(moods.cut_after)
            asked = self.headers.get("Range", "")
            moods.asked.append(asked)
            moods.paths.append(self.path)
            if status == 302:
                self.send_response(302)
                self.send_header("Location", "/moved" + self.path)
                self.end_headers()
                return
            if status != 200:
                self.send_error(status)
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and moods.ranges else 0
            if self.headers.get("If-Range", moods.etag) != moods.etag:
                start = 0
            total = len(moods.content)
            if start and start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            if moods.length:
                self.send_header("Content-Length", str(total - start))
            if moods.etag:
                self.send_header("ETag", moods.etag)
            self.end_headers()
            end = total if cut is None else min(total, start + cut)
            # Counted first: whoever has the last byte may ask at once what was served.
            moods.served += end - start
            self.wfile.write(moods.content[start:end])
            self.wfile.flush()
            threading.Event().wait(moods.delay)
            if end < total:
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
