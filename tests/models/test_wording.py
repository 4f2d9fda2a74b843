"""What sentences name is spelled as the door spells it: the shell, a compositor, Python."""

import pytest

from models import wording
from models.wording import PYTHON, footage, parameter, setting, spelled
from nodes.errors import ParameterError
from plugin.cli.words import SHELL
from plugin.worker.protocol.messages import Failed, Note, Started
from plugin.worker.server.words import HOST, in_labels

SENTENCES = [
    (
        f"frame 3 is missing; {setting('missingFrames', 'hold', 'black')} to go on",
        "frame 3 is missing; add --set missingFrames=hold (or black) to go on",
        "frame 3 is missing; set Missing frames to hold (or black) to go on",
        "frame 3 is missing; set missingFrames to hold (or black) to go on",
    ),
    (
        f"{parameter('inputSpace')} is odd: {setting('inputSpace', 'ACEScg')}",
        "--input-space is odd: add --input-space ACEScg",
        "'Input space' is odd: set Input space to ACEScg",
        "'inputSpace' is odd: set inputSpace to ACEScg",
    ),
    (
        f"{footage('C', 'plate', 'plateFile')}",
        "name one with --plate",
        "connect one to the input C or name one under Clean plate file",
        "give plate",
    ),
    ("nothing << to >> spell <<a b>>", *["nothing << to >> spell <<a b>>"] * 3),
]


@pytest.mark.parametrize(("text", "shell", "host", "python"), SENTENCES)
def test_each_door_has_its_words(text, shell, host, python):
    assert [spelled(text, door) for door in (SHELL, HOST, PYTHON)] == [shell, host, python]


def test_an_error_is_spelled_when_it_is_shown():
    error = ParameterError(f"no: {setting('missingFrames', 'hold')}")
    assert str(error) == "no: set missingFrames to hold"
    with wording.speaking(SHELL):
        assert str(error) == "no: add --set missingFrames=hold"
        with wording.speaking(None):
            assert spelled(str(error), HOST) == "no: set Missing frames to hold"
    assert str(error) == "no: set missingFrames to hold"


def test_a_host_gets_labels_and_a_client_of_ours_marks():
    mark = parameter("sourceFile")
    assert in_labels(Failed(1, "footage", f"{mark}: no")) == Failed(1, "footage", "'Source file': no")
    assert in_labels(Note(1, mark)) == Note(1, "'Source file'")
    assert in_labels(Started(1)) == Started(1)
