"""`cleanplate demo` prints commands, and does what they say."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from pathlib import Path

import numpy as np

from plugin.cli import demo, remove, render


def test_what_is_printed_is_what_is_done(tmp_path: Path, monkeypatch, capsys) -> None:
    done = []
    monkeypatch.setattr(demo, "write_shot", lambda folder: (f"{folder}/plate.exr", f"{folder}/shot.####.exr"))
    monkeypatch.setattr(demo, "write_rigs", lambda folder: f"{folder}/rigs.####.exr")
    monkeypatch.setattr(demo, "show", lambda *passes: np.zeros((4, 4, 3), np.float32))
    monkeypatch.setattr(demo, "plan", lambda request: request)
    monkeypatch.setattr(demo, "render_plan", lambda request, as_json: done.append(request))
    monkeypatch.setattr(demo, "render_both", lambda find, fill, as_json: done.extend((find, fill)))
    demo.run(argparse.Namespace(out=str(tmp_path / "demo"), device="cpu"))

    parser = argparse.ArgumentParser(allow_abbrev=False)
    commands = parser.add_subparsers(dest="command")
    render.add_parser(commands)
    remove.add_parser(commands)
    said = []
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("cleanplate "):
            options = parser.parse_args([*shlex.split(line)[1:], "--device", "cpu"])
            if options.command == "remove":
                said += remove.requests_of(options, remove.mask_pattern(options.out))
            else:
                said.append(render.request_of(options))
    assert [request.node for request in said] == ["background-matte", "video-matte", "segment", "inpaint"]
    assert [dataclasses.asdict(one) for one in said] == [dataclasses.asdict(one) for one in done]
    assert all(Path(request.out).parent.is_dir() for request in done)
