"""Messages to bytes and back: one msgpack map per message, strictly checked."""

from __future__ import annotations

import msgpack

from plugin.worker.protocol.fields import MAX_PAYLOAD
from plugin.worker.protocol.messages import Message
from plugin.worker.protocol.schema import MOST_ENTRIES, SCALAR_TEXT, ProtocolError, read, write

TYPES: dict[int, type[Message]] = {kind.code: kind for kind in Message.__args__}


def encode_message(message: Message) -> bytes:
    """The payload of a message. Raises ProtocolError where a field is not what its check demands."""
    try:
        payload: bytes = msgpack.packb(write(message, type(message).__name__))
    except (ValueError, TypeError, OverflowError) as error:
        raise ProtocolError(f"{type(message).__name__} cannot be written: {str(error)[:200]}") from None
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError(f"{type(message).__name__} takes {len(payload)} bytes, more than {MAX_PAYLOAD}")
    return payload


def decode_message(code: int, payload: bytes | bytearray | memoryview) -> Message:
    """The message of a payload. Raises ProtocolError on anything that is not exactly one well-formed message."""
    kind = TYPES.get(code)
    if kind is None:
        raise ProtocolError(f"there is no message {code}")
    try:
        fields = msgpack.unpackb(
            payload,
            raw=False,
            strict_map_key=True,
            max_str_len=4 * SCALAR_TEXT,
            max_bin_len=64,
            max_array_len=MOST_ENTRIES,
            max_map_len=512,
            max_ext_len=0,
        )
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"{kind.__name__} is not readable: {str(error)[:200]}") from None
    return read(kind, fields, kind.__name__)
