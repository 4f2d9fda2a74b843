"""The OpenFX bundle loads in any host, and its nodes are described as their faces say."""

import os
import plistlib
import re
import shutil
import subprocess

import pytest
from ofx_host.fixtures import HOUSE, bundle  # noqa: F401
from ofx_host.host import Host, binary_of, descriptors, threads
from ofx_host.isolated import isolated
from ofx_host.profiles import FILTER, GENERAL, NATRON, PLAIN

from nodes import catalogue

PROFILES = pytest.mark.parametrize("profile", [NATRON, PLAIN], ids=["natron", "plain"])
TYPES = {
    "float": "OfxParamTypeDouble",
    "int": "OfxParamTypeInteger",
    "bool": "OfxParamTypeBoolean",
    "choice": "OfxParamTypeChoice",
    "string": "OfxParamTypeString",
    "file": "OfxParamTypeString",
}
PREFIX = "org.cleanplate."


def _faces():
    return {PREFIX + face.id: face for face in catalogue.all_faces() if "." not in face.id}


def _symbols(binary, *options):
    if shutil.which("nm") is None:
        pytest.skip("there is no nm to list symbols with")
    listing = subprocess.run(["nm", "-D", *options, str(binary)], capture_output=True, text=True, check=True).stdout
    return [line.split() for line in listing.splitlines()]


def test_only_the_two_functions_are_exported(bundle):  # noqa: F811
    assert {line[-1] for line in _symbols(binary_of(bundle), "--defined-only")} == {
        "OfxGetNumberOfPlugins",
        "OfxGetPlugin",
    }


def test_nothing_but_the_c_library_is_needed(bundle):  # noqa: F811
    """A symbol that nobody provides would end Natron at its first call, a library that is missing hide the nodes."""
    binary = binary_of(bundle)
    for kind, name in _symbols(binary, "--undefined-only"):
        # Weak ones (w) may stay undefined.
        assert kind == "w" or "@GLIBC" in name, name
    result = subprocess.run(["readelf", "-d", str(binary)], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", result))
    assert needed <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2"}
    assert not re.search(r"R(UN)?PATH", result)


def test_the_bundle_is_complete(bundle):  # noqa: F811
    contents = bundle / "Contents"
    information = plistlib.loads((contents / "Info.plist").read_bytes())
    assert information["CFBundleExecutable"] == binary_of(bundle).name
    for name in _faces():
        icon = (contents / "Resources" / f"{name}.png").read_bytes()
        assert icon.startswith(b"\x89PNG"), name
    worker = dict(line.split("=", 1) for line in (contents / "Resources/worker.txt").read_text().splitlines())
    assert subprocess.run([worker["python"], "-c", "import plugin.worker"], cwd=worker["folder"]).returncode == 0


@PROFILES
@isolated
def test_every_face_is_a_node(bundle, profile):  # noqa: F811
    with Host(profile, bundle) as host:
        faces = _faces()
        assert set(host.plugins) == set(faces)
        for name, face in faces.items():
            plugin = host.plugin(name)
            made = plugin.describe_in(GENERAL).properties
            assert made["OfxPropLabel"] == face.label
            assert made["OfxPropPluginDescription"] == face.description
            assert made["OfxImageEffectPluginPropGrouping"].split("/")[0] == "Cleanplate"
            assert made["OfxImageEffectPropSupportedPixelDepths"] == ["OfxBitDepthFloat"]
            assert made["OfxImageEffectPropSupportsMultiResolution"] == 1
            assert made["OfxImageEffectPropTemporalClipAccess"] == int(bool(face.temporal))
            assert made["OfxImageEffectPluginRenderThreadSafety"] != "OfxImageEffectRenderUnsafe"
            assert plugin.version[1] == face.version


@isolated
def test_natron_mixes_and_masks_only_nodes_without_a_mask_of_their_own(bundle):  # noqa: F811
    """With host mixing on, Natron takes a node's last input for its own mask and shows the source outside it."""
    with Host(NATRON, bundle) as host:
        for name, face in _faces().items():
            made = host.plugin(name).describe_in(GENERAL).properties
            wanted = int("Mask" not in [entry.name for entry in face.inputs])
            for what in ("Masking", "Mixing"):
                assert made[f"kNatronOfxImageEffectPropHost{what}"] == wanted, name


@PROFILES
@isolated
def test_clips_are_the_inputs(bundle, profile):  # noqa: F811
    with Host(profile, bundle) as host:
        for name, face in _faces().items():
            clips = host.plugin(name).describe_in(GENERAL).clips
            assert list(clips) == [*(entry.name for entry in face.inputs), "Output"]
            replaced = {p.replaces for p in face.parameters if getattr(p, "replaces", "")}
            for entry in face.inputs:
                clip = clips[entry.name].properties
                assert clip["OfxPropLabel"] == entry.label
                assert clip["OfxImageClipPropIsMask"] == int(entry.kind == "mask")
                components = clip["OfxImageEffectPropSupportedComponents"]
                assert "OfxImageComponentRGBA" in components
                assert ("OfxImageComponentAlpha" in components) == (entry.kind == "mask")
                may_lack = entry.optional or entry.name in replaced
                assert clip["OfxImageClipPropOptional"] == int(may_lack), f"a file can stand for {entry.name}"


@PROFILES
@isolated
def test_parameters_are_those_of_the_faces(bundle, profile):  # noqa: F811
    with Host(profile, bundle) as host:
        for name, face in _faces().items():
            described = host.plugin(name).describe_in(GENERAL).params.params
            for parameter in face.parameters:
                param = described[parameter.name]
                values = param.properties
                assert param.type == TYPES[parameter.type], parameter.name
                assert values["OfxPropLabel"] == parameter.label
                assert values["OfxParamPropScriptName"] == parameter.name
                assert values["OfxParamPropHint"].startswith(parameter.hint)
                assert values["OfxParamPropAnimates"] == int(parameter.animates), parameter.name
                group = described[values["OfxParamPropParent"]]
                assert group.properties["OfxPropLabel"] == parameter.page
                default = values["OfxParamPropDefault"]
                if parameter.type == "choice":
                    assert param.options == list(parameter.choices)
                    assert param.options[default] == parameter.default
                    for choice, hint in zip(parameter.choices, parameter.choice_hints, strict=False):
                        assert f"{choice}: {hint}" in values["OfxParamPropHint"]
                else:
                    assert default == parameter.default
                if parameter.type in ("float", "int"):
                    for end, limit in (("Min", parameter.minimum), ("Max", parameter.maximum)):
                        assert limit is None or values[f"OfxParamProp{end}"] == limit, parameter.name
                    if parameter.display:
                        shown = [values[f"OfxParamPropDisplay{end}"] for end in ("Min", "Max")]
                        assert shown == list(parameter.display), parameter.name
            for common in ("weights", "inputSpace", "device", "sourceFile"):
                assert described[common].type == "OfxParamTypeString"
            own = {p.name for p in face.parameters}
            extra = {n for n, p in described.items() if p.type not in ("OfxParamTypeGroup", "OfxParamTypePage")} - own
            assert extra <= {"status", "weightsInfo", "updateStatus"}, extra


@PROFILES
@isolated
def test_the_output_choice_begins_with_what_a_merge_wants(bundle, profile):  # noqa: F811
    with Host(profile, bundle) as host:
        for name in _faces():
            output = host.plugin(name).describe_in(GENERAL).params["output"]
            assert output.properties["OfxParamPropDefault"] == 0
            assert output.options[0] == ("clean" if name.endswith("Inpaint") else "premultiplied")


@isolated
def test_as_a_filter_a_node_describes_the_same(bundle):  # noqa: F811
    with Host(PLAIN, bundle) as host:
        for name in _faces():
            plugin = host.plugin(name)
            if FILTER not in plugin.describe().properties["OfxImageEffectPropSupportedContexts"]:
                continue
            general, as_filter = plugin.describe_in(GENERAL), plugin.describe_in(FILTER)
            assert list(as_filter.params.params) == list(general.params.params)
            assert "Source" in as_filter.clips
            mandatory = [
                clip
                for clip, made in as_filter.clips.items()
                if clip != "Output" and not made.properties["OfxImageClipPropOptional"]
            ]
            assert mandatory == ["Source"]


@isolated
def test_describing_twice_gives_the_same(bundle):  # noqa: F811
    """Natron remembers the first description and describes again when a node is made."""

    def described():
        with Host(NATRON, bundle) as host:
            found = {}
            for name in host.plugins:
                made = host.plugin(name).describe_in(GENERAL)
                found[name] = (
                    made.properties.values,
                    {clip: c.properties.values for clip, c in made.clips.items()},
                    {param: p.properties.values for param, p in made.params.params.items()},
                )
            return found

    assert described() == described()


@PROFILES
@isolated
def test_parameters_are_enabled_where_they_have_a_meaning(bundle, profile):  # noqa: F811
    with Host(profile, bundle) as host:
        for name, face in _faces().items():
            node = host.plugin(name).create()
            for parameter in face.parameters:
                for other, values in parameter.enabled_by.items():
                    for choice in face.parameter(other).choices:
                        node.set(**{other: choice})
                        enabled = node.effect.params[parameter.name].properties["OfxParamPropEnabled"]
                        assert enabled == int(choice in values), (parameter.name, other, choice)


@PROFILES
@isolated
def test_parameters_of_files_are_shown_once_a_file_is_named(bundle, profile):  # noqa: F811
    with Host(profile, bundle) as host:
        for name, face in _faces().items():
            node = host.plugin(name).create()
            of_files = [p.name for p in face.parameters if p.of_files]
            assert {"layer", "missingFrames"} <= set(of_files)

            def secret(node=node):
                params = node.effect.params.params
                return {n for n, p in params.items() if p.properties.values.get("OfxParamPropSecret") == [1]}

            assert secret() == set(of_files)
            for file in (p.name for p in face.parameters if p.replaces):
                node.set(**{file: "/shots/a/plate.####.exr"})
                assert secret() == set()
                # A clone, or a project that is loaded, finds the file named already.
                assert node.clone().params["layer"].properties["OfxParamPropSecret"] == 0
                node.set(**{file: ""})
                assert secret() == set(of_files)


@PROFILES
@isolated
def test_groups_come_in_the_order_artists_expect(bundle, profile):  # noqa: F811
    with Host(profile, bundle) as host:
        for name in _faces():
            described = host.plugin(name).describe_in(GENERAL).params.params
            groups = [p.properties["OfxPropLabel"] for p in described.values() if p.type == "OfxParamTypeGroup"]
            assert groups[0] in ("Model", "Mask", "Rough shape"), name
            assert groups[-4:] == ["Colour", "Input", "Output", "Advanced"], name
            (page,) = [p for p in described.values() if p.type == "OfxParamTypePage"]
            on_page = page.properties["OfxParamPropPageChild"]
            assert set(on_page) >= {n for n, p in described.items() if p.type != "OfxParamTypePage"} - {page.name}


@PROFILES
@isolated
def test_preferences_are_asked_again_when_what_decides_them_changes(bundle, profile):  # noqa: F811
    with Host(profile, bundle) as host:
        for name, face in _faces().items():
            made = host.plugin(name).describe_in(GENERAL).properties
            files = [p.name for p in face.parameters if p.replaces]
            assert set(made["OfxImageEffectPropClipPreferencesSlaveParam"]) == {"output", *files}


def test_a_node_that_is_new_is_counted_by_the_first_build_after(tmp_path):
    """Hosts ask for as many nodes as the binary says that it has: the last one would be missing, without a word."""
    studio, entry, counted = tmp_path / "studio", tmp_path / "ofx/entry.o", []
    studio.mkdir()
    own = (HOUSE / "nodes/segment.yaml").read_text().replace("id: Segment", "id: studio.Again", 1)
    own = own.replace("command: segment", "command: again", 1) + "module: nodes.segment\n"
    for name in ("none.txt", "again.yaml"):
        (studio / name).write_text(own)
        environment = {**os.environ, "CLEANPLATE_NODE_PATH": str(studio)}
        build = ["make", f"OFX_ROOT={tmp_path}", str(entry)]
        subprocess.run(build, cwd=HOUSE, env=environment, check=True, capture_output=True)
        counted.append(entry.read_bytes())
    assert counted[0] != counted[1]


@PROFILES
@isolated
def test_unloading_leaves_no_thread_and_no_file(bundle, profile):  # noqa: F811
    with Host(profile, bundle) as host:
        for name in _faces():
            host.plugin(name).create()
    before = (threads(), descriptors())
    for _ in range(3):
        with Host(profile, bundle) as host:
            for name in _faces():
                host.plugin(name).create()
                host.plugin(name).create()
    assert (threads(), descriptors()) == before
