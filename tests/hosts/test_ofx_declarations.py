"""Our declarations of OpenFX against the official headers, constant by constant and member by member.

Needs the headers of OpenFX 1.4 or a host's copy of them: `OPENFX_HEADERS` names their folder.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

OURS = Path(__file__).resolve().parents[2] / "plugin/ofx"
HEADERS = os.environ.get("OPENFX_HEADERS", "")
# What the files of a host define that the standard's own folder may lack.
OFFICIAL = (
    "ofxCore.h",
    "ofxImageEffect.h",
    "ofxParam.h",
    "ofxMemory.h",
    "ofxMessage.h",
    "ofxMultiThread.h",
    "ofxProgress.h",
    "ofxTimeLine.h",
    "ofxNatron.h",
    "nuke/fnOfxExtensions.h",
)
# Not of any header: what a host calls things, seen in the host.
SEEN = {"kNatronHostMask", "kNatronNameless", "kNatronHostName"}
NAME = re.compile(r"^#define (k\w+) |^ +(k\w+) = \d+,", re.MULTILINE)
# What the standard defines as numbers and we as an enumeration.
NUMBERS = "kOfxStat"
STRUCT = re.compile(r"^typedef struct (\w+) \{\n(.*?)^\} \1;", re.MULTILINE | re.DOTALL)
MEMBER = re.compile(r"\(\*(\w+)\)\(|^    (?:const |unsigned )*\w+\*? ?([\w, ]+);", re.MULTILINE)


def declared() -> tuple[list[str], dict[str, list[str]]]:
    """The constants and the members of each structure that we declare."""
    text = "".join((OURS / "host" / name).read_text() for name in ("abi.h", "extensions.h"))
    structs = {
        name: [one.strip() for function, plain in MEMBER.findall(body) for one in (function or plain).split(",")]
        for name, body in STRUCT.findall(text)
    }
    return [macro or number for macro, number in NAME.findall(text)], structs


def told(folder: Path, name: str, includes: list[str], search: str) -> dict[str, str]:
    """What a program that includes these headers says about every declaration of ours; nothing of what it lacks."""
    names, structs = declared()
    lines = ["#include <cstddef>", "#include <iostream>", *(f'#include "{one}"' for one in includes)]
    lines += [
        "template <typename T>",
        "void say(const char* name, const T& value) { std::cout << name << '\\t' << value << '\\n'; }",
        "int main() {",
    ]
    for constant in names:
        number = constant.startswith(NUMBERS)
        there = "#if 1" if number else f"#ifdef {constant}"
        lines += [there, f'    say("{constant}", {constant});', "#endif"]
    for struct, members in structs.items():
        lines += [f'    say("{member} of {struct}", offsetof({struct}, {member}));' for member in members]
    (folder / f"{name}.cpp").write_text("\n".join([*lines, "}"]))
    command = [
        "c++",
        "-std=c++17",
        "-fpermissive",
        "-w",
        "-I",
        search,
        str(folder / f"{name}.cpp"),
        "-o",
        str(folder / name),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    out = subprocess.run([str(folder / name)], check=True, capture_output=True, text=True).stdout
    return dict(line.split("\t", 1) for line in out.splitlines())


@pytest.mark.skipif(not HEADERS, reason="OPENFX_HEADERS names no folder with the official OpenFX headers")
@pytest.mark.skipif(not shutil.which("c++"), reason="there is no C++ compiler")
def test_every_constant_and_structure_is_that_of_the_official_headers(tmp_path):
    ours = told(tmp_path, "ours", ["host/abi.h", "host/extensions.h"], str(OURS))
    official = told(tmp_path, "official", [one for one in OFFICIAL if (Path(HEADERS) / one).exists()], HEADERS)
    assert len(ours) > 200
    assert set(ours) - set(official) <= SEEN
    assert {name: ours[name] for name in official} == official


def test_what_we_declare_is_found():
    names, structs = declared()
    assert {"kOfxStatOK", "kOfxImageEffectActionRender", "kFnOfxImageEffectPlaneSuite"} <= set(names)
    assert structs["OfxRectI"] == ["x1", "y1", "x2", "y2"]
    assert structs["OfxPlugin"][-2:] == ["setHost", "mainEntry"]
    assert len(structs) >= 10
