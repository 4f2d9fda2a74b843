"""`cleanplate install natron`: what goes where, what doctor then says, and that uninstalling leaves nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from install import natron, natron_check, qsettings
from install import natron_places as places
from install.finding import Finding
from install.systems import binary_of
from nodes.errors import CleanplateError
from plugin.cli import main

SCRIPTS = {"CleanplateKey.py", "CleanplateKey.png", "CleanplateRigRemoval.py", "CleanplateRigRemoval.png"}
SCRIPTS |= {"CleanplateKeyWithoutPlate.py", "CleanplateKeyWithoutPlate.png"}
SCRIPTS |= {"CleanplateRemoveMarkers.py", "CleanplateRemoveMarkers.png"}
SCRIPTS |= {"CleanplateLearn.py", "CleanplateLearn.png", "cleanplate_learn_panel.py", "cleanplate_learning.py"}
SCRIPTS |= {"cleanplate_learn_words.py", "cleanplate_footage.py", "cleanplate_process.py", "cleanplate_writing.py"}
SCRIPTS |= {"cleanplate_groups.py", "cleanplate_menu.py", "init.py", "initGui.py"}
COMPILER = shutil.which("c++") or shutil.which("g++")


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A user with a home of their own and a bundle that was built."""
    home, built = tmp_path / "home", tmp_path / "house/build" / natron.BUNDLE
    home.mkdir()
    for name in [n for n in os.environ if n.startswith(("XDG_", "OFX_", "NATRON_", "CLEANPLATE_HOME"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    binary = binary_of(built)
    binary.parent.mkdir(parents=True)
    _compile("int OfxGetNumberOfPlugins(void) { return 0; }", binary)
    resources = built / "Contents/Resources"
    resources.mkdir()
    (resources / "worker.txt").write_text(f"python={sys.executable}\nfolder={natron.HOUSE}\n")
    monkeypatch.setattr(natron, "built_bundle", lambda: built)
    return SimpleNamespace(home=home, built=built, installed=home / ".local/share/cleanplate/natron")


def _compile(source: str, binary: Path, *options: str) -> None:
    if COMPILER is None:
        pytest.skip("there is no C compiler to make a library with")
    command = [COMPILER, "-x", "c", "-shared", "-fPIC", "-o", str(binary), "-", *options]
    subprocess.run(command, input=source, text=True, check=True)


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_everything_is_where_natron_looks(user, capsys):
    assert main(["install", "natron"]) == 0
    assert "Start Natron" in capsys.readouterr().out
    assert _tree(user.installed / natron.BUNDLE) == _tree(user.built)
    assert {path.name for path in (user.home / ".Natron/Cleanplate").iterdir()} == SCRIPTS
    assert places.found_in(user.installed, places.bundle_places()).reason == "Natron's preferences"
    conf = (user.home / ".config/INRIA/Natron.conf").read_text()
    assert conf == f"[General]\nextraPluginsSearchPaths=<Name>Cleanplate</Name><Value>{user.installed}</Value>\n"
    assert natron_check.check().startswith(f"the nodes are in {user.installed / natron.BUNDLE}, found through Natron's")


def test_every_system_that_was_built_is_put_there_and_named(user, capsys):
    assert main(["install", "natron"]) == 0
    assert f"{user.installed / natron.BUNDLE} (built for Linux)" in capsys.readouterr().out
    for platform in ("darwin", "win32"):
        binary = binary_of(user.built, platform)
        binary.parent.mkdir()
        binary.write_bytes(platform.encode())
    assert main(["install", "natron"]) == 0
    assert "(built for Linux and macOS and Windows)" in capsys.readouterr().out
    installed = user.installed / natron.BUNDLE / "Contents"
    assert (installed / "MacOS/Cleanplate.ofx").read_bytes() == b"darwin"
    assert (installed / "Win64/Cleanplate.ofx").read_bytes() == b"win32"
    assert ", built for Linux and macOS and Windows; toolbar" in natron_check.check()
    # A bundle that was built for this system alone takes the others' binaries away again.
    shutil.rmtree(user.built / "Contents/MacOS")
    assert main(["install", "natron"]) == 0
    assert not (installed / "MacOS").exists()
    assert ", built for Linux and Windows; toolbar" in natron_check.check()


def test_uninstalling_leaves_the_home_as_it_was(user, capsys):
    conf = user.home / ".config/INRIA/Natron.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(
        "[General]\nextraPluginsSearchPaths=<Name>Mine</Name><Value>/opt/ofx</Value>\nfoo=1\n\n"
        "[Dock]\nx=@Rect(0 0 1 1)\n"
    )
    (user.home / ".Natron").mkdir()
    (user.home / ".Natron/init.py").write_text("# mine\n")
    before = _tree(user.home)
    assert main(["install", "natron"]) == 0
    assert main(["install", "natron"]) == 0
    assert "<Name>Mine</Name>" in conf.read_text()
    # Natron's Python leaves bytecode behind.
    cache = user.home / ".Natron/Cleanplate/__pycache__"
    cache.mkdir()
    (cache / "cleanplate_menu.cpython-311.pyc").write_bytes(b"x")
    assert main(["uninstall", "natron"]) == 0
    assert _tree(user.home) == before
    assert sorted(p.name for p in (user.home / ".Natron").iterdir()) == ["init.py"]
    assert not (user.home / ".local").exists()
    assert main(["install", "natron", "--uninstall"]) == 0
    assert "nothing is installed" in capsys.readouterr().out


def test_a_folder_of_ones_own_touches_nothing_else(user, tmp_path, capsys, monkeypatch):
    shared = tmp_path / "studio/ofx"
    assert main(["install", "natron", "--to", str(shared)]) == 0
    told = capsys.readouterr().out
    assert f"set OFX_PLUGIN_PATH={shared}" in told
    assert f"set NATRON_PLUGIN_PATH={shared / 'Cleanplate'}" in told
    assert list(user.home.iterdir()) == []
    assert _tree(shared / natron.BUNDLE) == _tree(user.built)
    assert {path.name for path in (shared / "Cleanplate").iterdir()} == SCRIPTS
    assert "not installed" in natron_check.check()
    monkeypatch.setenv("OFX_PLUGIN_PATH", f"/nowhere:{shared.parent}")
    assert natron_check.check().startswith(f"the nodes are found in {shared / natron.BUNDLE} through OFX_PLUGIN_PATH")
    assert main(["uninstall", "natron", "--to", str(shared)]) == 0
    assert not shared.exists()
    assert not shared.parent.exists()


def test_what_others_put_there_or_changed_stays(user, capsys):
    own = user.home / ".Natron/Cleanplate/init.py"
    own.parent.mkdir(parents=True)
    own.write_text("# somebody else's\n")
    assert main(["install", "natron"]) == 1
    assert "was not put there by Cleanplate" in capsys.readouterr().err
    assert own.read_text() == "# somebody else's\n"
    own.unlink()
    assert main(["install", "natron"]) == 0
    changed = user.home / ".Natron/Cleanplate/CleanplateKey.py"
    changed.write_text(changed.read_text() + "# my own\n")
    assert main(["uninstall", "natron"]) == 0
    assert f"{changed} was changed since and stays" in capsys.readouterr().out
    assert [p.name for p in changed.parent.iterdir()] == ["CleanplateKey.py"]


def test_a_bundle_that_was_not_built_is_named(user, capsys):
    shutil.rmtree(user.built)
    assert main(["install", "natron"]) == 1
    assert f"{user.built} is not there yet: run make plugin" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(user, capsys):
    (user.home / ".Natron").write_text("a file")
    assert main(["install", "natron"]) == 1
    assert ".Natron" in capsys.readouterr().err


def _finding(match: str) -> None:
    with pytest.raises(Finding, match=match):
        natron_check.check()


def test_doctor_says_why_natron_will_not_find_the_nodes(user):
    assert "not installed: cleanplate install natron puts" in natron_check.check()
    installed = natron.install().bundle
    binary = binary_of(installed)
    assert "no Natron is on the PATH" in natron_check.check()

    places.prefer_no_more(places.BUNDLES_KEY, user.installed)
    _finding("Natron does not look into .*, its preferences do not name it any more")
    natron.install()

    _compile("int OfxGetNumberOfPlugins(void) { return 1; }", binary_of(user.built))
    _finding("differs from the one that was built last")
    natron.install()
    assert "found through" in natron_check.check()

    _compile("extern int nowhere(void); int OfxGetNumberOfPlugins(void) { return nowhere(); }", binary)
    _finding("cannot be loaded: .*undefined symbol: nowhere")
    binary.unlink()
    _finding(r"Cleanplate\.ofx is missing: run cleanplate install natron again")
    natron.install()

    worker = installed / "Contents/Resources/worker.txt"
    worker.write_text(f"python=/nowhere/python\nfolder={natron.HOUSE}\n")
    _finding("the worker's Python /nowhere/python is gone")
    worker.write_text(f"python={sys.executable}\nfolder=/nowhere\n")
    _finding("the worker's software is not in /nowhere any more")
    natron.install()

    for script in (user.home / ".Natron/Cleanplate").glob("*.py"):
        script.unlink()
    _finding("the toolbar and the groups are not in")


def test_doctor_sees_a_failure_that_natron_remembers(user):
    binary = binary_of(natron.install().bundle)
    cache = user.home / ".cache/INRIA/Natron/OFXLoadCache/OFXCache_2.6_Devel_0.xml"
    cache.parent.mkdir(parents=True)

    def remember(size: int, plugin: str) -> None:
        cache.write_text(
            f'<cache version="NatronOFXCachev1">\n<bundle>\n  <binary static_bin="0" bundle_path="{binary.parents[2]}" '
            f'path="{binary}" mtime="{int(binary.stat().st_mtime)}" size="{size}" />\n{plugin}</bundle>\n</cache>\n'
        )

    size = binary.stat().st_size
    remember(size, "")
    _finding(r"OFXCache_2\.6_Devel_0\.xml that the nodes could not be loaded once.*--clear-openfx-cache")
    remember(size, '<plugin name="org.cleanplate.VideoMatte" />\n')
    natron_check.check()
    remember(size + 1, "")
    natron_check.check()
    cache.write_text("<cache")
    natron_check.check()


def test_doctor_shows_the_line(user, monkeypatch, capsys):
    from install import machine

    natron.install()
    assert dict(machine.checks())["natron"]().startswith("the nodes are in")


def test_preferences_that_cannot_be_understood_are_left_alone(user, capsys):
    conf = user.home / ".config/INRIA/Natron.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("[General]\nextraPluginsSearchPaths=@ByteArray(x)\n")
    assert main(["install", "natron"]) == 1
    assert f"{conf} cannot be understood" in capsys.readouterr().err
    assert conf.read_text() == "[General]\nextraPluginsSearchPaths=@ByteArray(x)\n"
    with pytest.raises(CleanplateError):
        places.preferred(places.BUNDLES_KEY)


def test_a_list_that_is_broken_is_named(user):
    where = natron.install()
    where.list.write_text("{")
    with pytest.raises(CleanplateError, match=r"cleanplate-installed\.json cannot be read"):
        natron.install()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), min_size=1, max_size=40))
def test_any_value_survives_the_settings_file(value):
    text = "[General]\na=1\n\n[Other]\nkey=7\n"
    written = qsettings.with_value(text, "key", value)
    if value.strip():
        assert qsettings.read(written, "key") == value
        assert qsettings.read(written, "a") == "1"
        assert qsettings.with_value(written, "key", "") == text


def test_values_as_qt_writes_them():
    conf = '[General]\nplain=a b\nquoted="a;b=c, d"\naccent=\\xe9t\\xe9\nat=@@home\nlist=a, b\n[Dock]\nplain=no\n'
    assert [qsettings.read(conf, key) for key in ("plain", "quoted", "accent", "at", "none")] == [
        "a b", "a;b=c, d", "été", "@home", "",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="list"):
        qsettings.read(conf, "list")


def test_the_list_names_every_file(user):
    where = natron.install()
    listed = json.loads(where.list.read_text())
    on_disk = {str(p) for root in (where.bundle, where.scripts) for p in root.rglob("*") if p.is_file()}
    assert set(listed["files"]) == on_disk
