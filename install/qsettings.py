"""One text value in a Qt settings file (INI), read and written without touching anything else in the file."""

from __future__ import annotations

import re

SECTION = "[General]"
_PLAIN = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "\0": "\\0"}
_BACK = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]+)|(.))", re.DOTALL)


def read(text: str, key: str) -> str:
    """The value of a key of the General section, "" if there is none. Raises ValueError if it is no plain text."""
    line = next((line for line in _general(text) if _key(line) == key), None)
    if line is None:
        return ""
    raw = line.partition("=")[2].strip()
    if raw.startswith('"') and raw.endswith('"') and len(raw) > 1:
        raw = raw[1:-1]
    elif "," in raw:
        raise ValueError(f"{key} holds a list")
    value = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _BACK.get(m[2], m[2]), raw)
    if value.startswith("@@"):
        return value[1:]
    if value.startswith("@"):
        raise ValueError(f"{key} holds something else than text")
    return value


def with_value(text: str, key: str, value: str) -> str:
    """The file with a value in the General section; an empty value removes the key."""
    lines = text.splitlines(keepends=True)
    start = next((n for n, line in enumerate(lines) if line.strip() == SECTION), None)
    entry = f"{key}={_escaped(value)}\n"
    if start is None:
        return (f"{SECTION}\n{entry}\n{text}" if text.strip() else f"{SECTION}\n{entry}") if value else text
    end = next((n for n in range(start + 1, len(lines)) if lines[n].lstrip().startswith("[")), len(lines))
    found = next((n for n in range(start + 1, end) if _key(lines[n]) == key), None)
    if found is not None:
        lines[found : found + 1] = [entry] if value else []
    elif value:
        lines.insert(start + 1, entry)
    return "".join(lines)


def _general(text: str) -> list[str]:
    section, found = "", []
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            section = line.strip()
        elif section == SECTION:
            found.append(line)
    return found


def _key(line: str) -> str:
    return line.partition("=")[0].strip() if "=" in line and not line.lstrip().startswith(("#", ";")) else ""


def _escaped(value: str) -> str:
    """As Qt writes it: quoted where a comma, semicolon, equals sign or outer space would be misread."""
    text = f"@{value}" if value.startswith("@") else value
    escaped, after_hex = "", False
    for character in text:
        plain = " " <= character <= "~" and character not in _PLAIN
        if character in _PLAIN:
            escaped, after_hex = escaped + _PLAIN[character], False
        elif plain and not (after_hex and character in "0123456789abcdefABCDEF"):
            escaped, after_hex = escaped + character, False
        else:
            escaped, after_hex = f"{escaped}\\x{ord(character):x}", True
    quoted = any(c in text for c in ",;=") or text != text.strip(" ")
    return f'"{escaped}"' if quoted else escaped
