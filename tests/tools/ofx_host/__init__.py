"""An OpenFX 1.4 host for tests: drives a plug-in through ctypes and reports whatever it does against the standard."""
