"""A node says how its last frame was made, and with which weights under which terms."""

import hashlib

from ofx_host.fixtures import FIRST, bundle, scene  # noqa: F401
from ofx_host.host import Host
from ofx_host.isolated import isolated
from ofx_host.profiles import NATRON


@isolated
def test_the_button_shows_device_time_and_weights(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        for name, footage, network in (("BackgroundMatte", scene.plate(), "bgmv2"), ("VideoMatte", None, "rvm")):
            node = host.plugin(f"org.cleanplate.{name}").create()
            weights = scene.weights(network)
            node.set(device="cpu", weights=weights)
            node.connect("Source", scene.source())
            if footage:
                node.connect("C", footage)
            assert (node.get("status"), node.get("weightsInfo")) == ("", "")
            node.render(FIRST)
            node.push("updateStatus")
            assert node.get("status").startswith("cpu, full precision, ")
            assert " ms" in node.get("status")
            with open(weights, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            said = node.get("weightsInfo")
            assert said.startswith(f"{network} ({network}), file, sha256 {digest[:12]}, unknown: ")
            assert said.endswith(weights)
