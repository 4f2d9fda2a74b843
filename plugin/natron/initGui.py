"""Adds the Cleanplate menu to Natron's window."""

import cleanplate_menu  # type: ignore[import-not-found]
import NatronGui  # type: ignore[import-not-found]

cleanplate_menu.fill_menu(NatronGui.natron, globals())
