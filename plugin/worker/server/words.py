"""The words of a compositor: what a sentence names is called as its labels say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from models.wording import Door, spelled, values
from nodes import catalogue
from plugin.worker.protocol.fitting import fitted
from plugin.worker.protocol.messages import Failed, Message, Note, Result


def in_labels(message: Message) -> Message:
    """A message to a client that does not spell what sentences name."""
    match message:
        case Failed() | Note():
            return dataclasses.replace(message, sentence=fitted(spelled(message.sentence, HOST)))
        case Result():
            return dataclasses.replace(message, notes=tuple(fitted(spelled(note, HOST)) for note in message.notes))
    return message


def _label(name: str) -> str:
    parameters = (parameter for face in catalogue.all_faces() for parameter in face.parameters)
    return next((parameter.label for parameter in parameters if parameter.name == name), name)


def _setting(name: str, words: Sequence[str]) -> str:
    return f"set {_label(name)} to {values(words)}"


def _footage(name: str, option: str, file_parameter: str) -> str:
    return f"connect one to the input {name}" + (
        f" or name one under {_label(file_parameter)}" if file_parameter else ""
    )


HOST = Door(lambda name: f"'{_label(name)}'", _setting, _footage)
