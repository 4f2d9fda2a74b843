"""A node says how its last frame was made, and with which weights under which terms."""

import hashlib
import re

from ofx_host.fixtures import FIRST, bundle, scene  # noqa: F401
from ofx_host.host import Host
from ofx_host.isolated import isolated
from ofx_host.profiles import NATRON


@isolated
def test_the_button_shows_device_time_and_weights(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        for name, footage, network, quality in (
            ("BackgroundMatte", scene.plate(), "bgmv2", "resolution 0.5"),
            ("VideoMatte", None, "rvm", "downsampleRatio 1"),
        ):
            node = host.plugin(f"org.cleanplate.{name}").create()
            weights = scene.weights(network)
            node.set(device="cpu", weights=weights)
            node.connect("Source", scene.source())
            if footage:
                node.connect("C", footage)
            assert (node.get("status"), node.get("weightsInfo")) == ("", "")
            node.render(FIRST)
            node.push("updateStatus")
            said = node.get("status").split(";")[0].split(", ")
            assert said[:2] == ["cpu", "full precision"]
            assert quality in said, "the quality that came out"
            assert re.fullmatch(r"\d+ ms", said[-1])
            with open(weights, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            said = node.get("weightsInfo")
            assert said.startswith(f"{network} ({network}), file, sha256 {digest[:12]}, unknown: ")
            assert said.endswith(weights)
