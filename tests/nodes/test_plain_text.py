"""What comes from files is harmless where it is shown."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from footage_files import needs_shared, shared_files
from hypothesis import given
from hypothesis import strategies as st

from nodes.errors import FootageError
from nodes.footage.reader import Footage
from nodes.plain_text import one_line
from plugin.cli.quiet import libraries_quiet
from plugin.cli.words import say_error
from plugin.rendering.course import Course
from plugin.rendering.events import LogLines, event_sentence
from plugin.worker.__main__ import OneLine

HOUSE = Path(__file__).resolve().parents[2]
FORGED = "plate\n2026-01-01 00:00:00 [1] INFO all is well\x1b[2J\x9b31m\u202e\u2028\udcff.exr"
anything = st.text(st.characters() | st.characters(categories=["Cs", "Cc", "Cf"]))


@given(anything)
def test_any_text_is_one_printable_line_and_stays_so(text):
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)
    line.encode()
    assert one_line(line) == line


def test_ordinary_names_stay_as_they_are():
    for name in ("plate.1001.exr", "Übergröße", "影の 絵", "C:\\shots\\n.exr", "50 %"):
        assert one_line(name) == name
    assert one_line("a\udcfe\udcff\n") == r"a\xfe\xff\n"


def test_events_and_errors_are_single_lines(capsys):
    log = LogLines(Course())
    log.event("note", text=FORGED)
    log.event("failed", frame=1, text=FORGED)
    log.event("frame", frame=1, path=FORGED, milliseconds=1.0)
    say_error(FORGED)
    said = capsys.readouterr()
    assert len((said.out + said.err).splitlines()) == 4
    assert "\x1b" not in said.out + said.err
    assert event_sentence("note", {"text": FORGED}).isprintable()
    say_error(FORGED, as_json=True)
    assert json.loads(capsys.readouterr().out)["text"] == FORGED


def test_a_record_of_the_workers_log_cannot_be_forged(caplog):
    try:
        raise KeyError(FORGED) from OSError(FORGED)
    except KeyError:
        logging.getLogger("x").exception("%s failed", FORGED)
    (record,) = caplog.records
    record.exc_text = None  # what the test's own handler made of it
    first, *rest = OneLine("%(asctime)s [2] %(message)s").format(record).split("\n")
    assert "[2]" in first
    assert "all is well" in first
    assert rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


NOISY = """
import os, sys
from plugin.cli.quiet import libraries_quiet
with libraries_quiet():
    os.write(2, b"a decoder's own line\\n")
    print("ours", file=sys.stderr)
    {end}
os.write(2, b"afterwards\\n")
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("pass", "ours\nafterwards\n"),
        ("raise SystemExit(3)", "ours\n"),
        ("1 / 0", "ours\nTraceback"),
        ("os.abort()", "ours\nFatal Python error: Aborted"),
        ("import subprocess; subprocess.run(['sh', '-c', 'echo child >&2'], stderr=sys.stderr)", "ours\nchild\nafter"),
    ],
)
def test_what_libraries_print_is_not_seen_and_what_python_says_is(end, said):
    done = subprocess.run(
        [sys.executable, "-c", NOISY.format(end=end)], cwd=HOUSE, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.startswith(said)
    assert "decoder" not in done.stderr


def test_a_closed_standard_error_is_no_obstacle():
    script = (
        "import os; os.close(2)\nfrom plugin.cli.quiet import libraries_quiet\nwith libraries_quiet():\n print('fine')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=HOUSE, capture_output=True, text=True, timeout=60)
    assert done.stdout == "fine\n"


@needs_shared("exr/bad")
def test_a_decoder_is_not_heard(tmp_path, capfd):
    """OpenEXR's C++ reader, the only one that knows luminance and chroma, writes about damage by itself."""
    whole = next(path for path in shared_files("exr/bad") if path.name == "comp_b44.exr")
    path = tmp_path / "a.exr"
    path.write_bytes(whole.read_bytes()[:100_000])

    def read():
        with pytest.raises(FootageError):
            Footage(str(path)).frame(1)
        return capfd.readouterr().err

    assert "CHUNK" in read(), "the test needs a decoder that talks"
    with libraries_quiet():
        assert read() == ""
