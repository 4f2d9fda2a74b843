"""Adds the Cleanplate menu to Natron's window, and follows what groups of ours learn."""

import cleanplate_learning  # type: ignore[import-not-found]
import cleanplate_menu  # type: ignore[import-not-found]
import NatronGui  # type: ignore[import-not-found]

cleanplate_menu.fill_menu(NatronGui.natron, globals())
cleanplate_timer = cleanplate_learning.watch()
