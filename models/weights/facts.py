"""What is told about weights, wherever it is told: in a status, to a host, in a log, in a pass. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightsFacts:
    """Which weights, whence and under which terms, as text.

    `state` is `bundled`, `imported` or `file`; `sha256` is of the file at `path`; `licence` a word, `use` what that
    means for commercial work in a few words, `terms` the same in a sentence; `source` says where the weights come from.
    """

    name: str
    sha256: str
    network: str = ""
    path: str = ""
    state: str = ""
    licence: str = ""
    use: str = ""
    terms: str = ""
    source: str = ""

    @property
    def sentence(self) -> str:
        """For people: name, origin, short hash, terms and their consequence, file."""
        which = f"{self.name} ({self.state}, sha256 {self.sha256[:12]})"
        return f"{which}, {self.licence}: {self.use}, from {self.path}"
