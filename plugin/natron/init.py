"""Tells on the terminal, once, when Natron did not load the nodes that were installed with these scripts."""

import sys

import NatronEngine  # type: ignore[import-not-found]

if not [plugin for plugin in NatronEngine.natron.getPluginIDs() if plugin.startswith("org.cleanplate.")]:
    print("Cleanplate: Natron did not find the nodes; 'cleanplate doctor' says why", file=sys.__stderr__)
