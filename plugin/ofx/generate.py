"""Turns the faces of the nodes into what the OpenFX adapter is compiled from, and draws the nodes' icons.

python -m plugin.ofx.generate FOLDER          faces.cpp and face_count.h
python -m plugin.ofx.generate --bundle FOLDER Info.plist, Resources/worker.txt and icons
"""

from __future__ import annotations

import argparse
import plistlib
import sys
from pathlib import Path

from nodes import catalogue
from nodes.faces.face import Face, Parameter
from nodes.opening import space_parameter
from plugin.ofx.icon import draw_icon
from plugin.worker.protocol import identity

PREFIX = "org.cleanplate."
KINDS = {"float": "number", "int": "integer", "bool": "truth", "choice": "choice", "string": "text", "file": "text"}
LAST_GROUPS = ("Colour", "Input", "Output", "Advanced")
# Hosts want limits for every number.
WIDEST = {"float": (-1e6, 1e6), "int": (-(10**6), 10**6)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m plugin.ofx.generate", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", action="store_true")
    options = parser.parse_args()
    faces = catalogue.all_faces()
    for other in catalogue.broken():
        print(f"left out: {other.sentence}", file=sys.stderr)
    if options.bundle:
        write_bundle(options.folder, faces)
    else:
        write_if_changed(options.folder / "faces.cpp", source(faces))
        write_if_changed(options.folder / "face_count.h", f"#pragma once\nconstexpr int kFaceCount = {len(faces)};\n")


def source(faces: list[Face]) -> str:
    """A C++ source that defines `cleanplate::faces`."""
    parts = ['#include "host/face.h"\n\nnamespace cleanplate {\nnamespace {\n']
    parts += [_tables(index, face) for index, face in enumerate(faces)]
    parts.append("}  // namespace\n\nconst Face faces[] = {")
    parts += [_face(index, face) for index, face in enumerate(faces)]
    parts.append("};\n\n}  // namespace cleanplate\n")
    return "\n".join(parts)


def write_bundle(folder: Path, faces: list[Face]) -> None:
    """What the bundle holds besides the binary: its description, where the worker is, icons."""
    contents = folder / "Contents"
    resources = contents / "Resources"
    resources.mkdir(parents=True, exist_ok=True)
    information = {
        "CFBundleExecutable": "Cleanplate.ofx",
        "CFBundleIdentifier": "org.cleanplate.openfx",
        "CFBundleInfoDictionaryVersion": "6.0",
        "CFBundleName": "Cleanplate",
        "CFBundlePackageType": "BNDL",
        "CFBundleVersion": identity.release(),
    }
    (contents / "Info.plist").write_bytes(plistlib.dumps(information))
    worker = f"python={sys.executable}\nfolder={identity.HOUSE}\nrelease={identity.release()}\n"
    write_if_changed(resources / "worker.txt", worker)
    # Natron shows this one beside the name of the menu.
    (resources / "Cleanplate.png").write_bytes(draw_icon("Cleanplate"))
    for face in faces:
        (resources / f"{plugin_id(face)}.png").write_bytes(draw_icon(face.id))


def plugin_id(face: Face) -> str:
    return face.id if "." in face.id else PREFIX + face.id


def write_if_changed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def _tables(index: int, face: Face) -> str:
    lines = []
    for number, parameter in enumerate(face.parameters):
        if parameter.choices:
            lines.append(_texts(f"choices_{index}_{number}", parameter.choices))
        for place, (other, values) in enumerate(parameter.enabled_by.items()):
            words = [_word(face.parameter(other), value) for value in values]
            lines.append(_texts(f"values_{index}_{number}_{place}", words))
        if parameter.enabled_by:
            conditions = ", ".join(
                f"{{{_text(other)}, values_{index}_{number}_{place}, {len(values)}}}"
                for place, (other, values) in enumerate(parameter.enabled_by.items())
            )
            lines.append(f"const Condition conditions_{index}_{number}[] = {{{conditions}}};")
    files = {p.replaces: p.name for p in face.parameters if p.replaces}
    inputs = ",\n".join(
        f"    {{{_text(i.name)}, {_text(i.label)}, {_text(i.hint)}, {_truth(i.kind == 'mask')}, {_truth(i.optional)}, "
        f"{_text(files.get(i.name, ''))}, {_text(space_parameter(face, i))}}}"
        for i in face.inputs
    )
    parameters = ",\n".join(_parameter(index, number, p) for number, p in enumerate(face.parameters))
    passes = ",\n".join(
        f"    {{{_text(p.name)}, {_text(p.layer)}, {_text(''.join(p.channels))}, {_text(p.hint)}}}" for p in face.passes
    )
    lines.append(f"const Input inputs_{index}[] = {{\n{inputs}}};")
    lines.append(f"const Parameter parameters_{index}[] = {{\n{parameters}}};")
    lines.append(f"const Pass passes_{index}[] = {{\n{passes}}};")
    lines.append(_texts(f"groups_{index}", _groups(face)))
    return "\n".join(lines) + "\n"


def _face(index: int, face: Face) -> str:
    entries = [_text(face.id), _text(plugin_id(face)), _text(face.label), _text(face.group), _text(face.description)]
    entries += [str(face.version), _truth(face.temporal)]
    entries += [f"inputs_{index}", str(len(face.inputs)), f"parameters_{index}", str(len(face.parameters))]
    entries += [f"passes_{index}", str(len(face.passes)), f"groups_{index}", str(len(_groups(face)))]
    return "    {" + ", ".join(entries) + "},"


def _parameter(index: int, number: int, parameter: Parameter) -> str:
    value, text = 0.0, ""
    if parameter.type == "choice":
        value = parameter.choices.index(parameter.default)
    elif parameter.type in ("string", "file"):
        text = parameter.default
    else:
        value = float(parameter.default)
    low, high = WIDEST.get(parameter.type, (0, 1))
    low = low if parameter.minimum is None else parameter.minimum
    high = high if parameter.maximum is None else parameter.maximum
    shown = parameter.display or (max(low, -100), min(high, 1000) if parameter.type == "int" else high)
    entries = [_text(parameter.name), _text(parameter.label), _text(_hint(parameter)), _text(parameter.page)]
    entries += [f"Kind::{KINDS[parameter.type]}", repr(float(value)), _text(text)]
    entries += [repr(float(limit)) for limit in (low, high, *shown)]
    entries += [f"choices_{index}_{number}" if parameter.choices else "nullptr", str(len(parameter.choices))]
    entries += [_truth(parameter.animates), _truth(parameter.changes_pixels), _truth(parameter.of_files)]
    entries += [f"conditions_{index}_{number}" if parameter.enabled_by else "nullptr", str(len(parameter.enabled_by))]
    return "    {" + ", ".join(entries) + "}"


def _hint(parameter: Parameter) -> str:
    """The hint, and what each choice means."""
    meanings = [f"{choice}: {hint}" for choice, hint in zip(parameter.choices, parameter.choice_hints, strict=False)]
    return "\n".join([parameter.hint, *meanings])


def _groups(face: Face) -> list[str]:
    """The groups in the order of the face, those that every node has at their end."""
    groups = list(dict.fromkeys(parameter.page for parameter in face.parameters))
    return sorted(groups, key=lambda group: LAST_GROUPS.index(group) if group in LAST_GROUPS else -1)


def _word(parameter: Parameter, value: object) -> str:
    """A value as the adapter compares it: text as it is, truth values and numbers as numbers."""
    parsed = parameter.parse(value)
    return parsed if isinstance(parsed, str) else f"{float(parsed):g}"


def _texts(name: str, texts: list[str] | tuple[str, ...]) -> str:
    return f"const char* const {name}[] = {{{', '.join(map(_text, texts))}}};"


def _text(value: str) -> str:
    """A C string literal, in octal where it is not plain ASCII, so that no digit after it is swallowed."""
    encoded = value.encode("utf-8")
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in encoded) + '"'


def _truth(value: bool) -> str:
    return "true" if value else "false"


if __name__ == "__main__":
    main()
