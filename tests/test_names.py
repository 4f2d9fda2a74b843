"""No public name has two meanings."""

import ast
from collections import defaultdict
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
PACKAGES = ("models", "nodes", "plugin", "install")
TREES = {path: ast.parse(path.read_text("utf-8")) for name in PACKAGES for path in (HOUSE / name).rglob("*.py")}


def meanings(statement: ast.stmt, place: str) -> dict[str, str]:
    """The kinds of thing that a statement names, and what tells one meaning from another.

    A class is what it is where it stands, a type alias what it abbreviates, wherever it stands.
    """
    if isinstance(statement, ast.ClassDef):
        return {statement.name: place}
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        name = statement.targets[0].id
        return {name: ast.unparse(statement.value)} if name[0].isupper() and not name.isupper() else {}
    return {}


def test_no_class_or_type_has_the_name_of_another():
    found = defaultdict(set)
    for path, tree in TREES.items():
        for statement in tree.body:
            for name, meaning in meanings(statement, str(path.relative_to(HOUSE))).items():
                if not name.startswith("_"):
                    found[name].add(meaning)
    assert {"Job", "Shot", "Worker", "Floats"} <= set(found)
    assert not {name: sorted(places) for name, places in found.items() if len(places) > 1}


def test_no_function_that_goes_by_its_bare_name_has_the_name_of_another():
    """Functions of one name, such as the `run` of every command, are told apart by their modules, in writing."""
    defined, imported = defaultdict(set), defaultdict(set)
    for path, tree in TREES.items():
        module = ".".join(path.relative_to(HOUSE).with_suffix("").parts)
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef):
                defined[statement.name].add(module)
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if node.module in defined[alias.name]:
                        imported[alias.name].add(node.module)
    assert len(imported) > 100
    assert not {name: sorted(modules) for name, modules in imported.items() if len(modules) > 1}
