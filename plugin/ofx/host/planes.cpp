#include "host/planes.h"

#include <algorithm>
#include <cstring>

#include "host/host.h"
#include "system/errors.h"

namespace cleanplate {

bool has_planes() {
    // Nuke has the suite as well, but knows only planes of its own.
    return suites.planes && suites.natron && Properties(suites.host).integer(kFnOfxImageEffectPropMultiPlanar) == 1;
}

bool takes_host_mask(const Face& face) {
    for (size_t i = 0; i < face.input_count; ++i)
        if (!std::strcmp(face.inputs[i].name, kNatronHostMask)) return false;
    return true;
}

std::string plane_name(const Pass& pass) {
    std::string name = kNatronOfxImageComponentsPlaneName;
    name += pass.layer;
    name += kNatronOfxImageComponentsPlaneLabel;
    name += pass.layer;
    name += kNatronOfxImageComponentsPlaneChannelsLabel;
    name += pass.channels;
    for (const char* channel = pass.channels; *channel; ++channel) {
        name += kNatronOfxImageComponentsPlaneChannel;
        name += *channel;
    }
    return name;
}

const Pass* pass_of_plane(const Face& face, const std::string& plane) {
    const std::string prefix = kNatronOfxImageComponentsPlaneName;
    if (plane.empty() || plane == kFnOfxImagePlaneColour) return nullptr;
    if (plane.compare(0, prefix.size(), prefix) == 0) {
        size_t end = plane.size();
        for (const char* mark : {kNatronOfxImageComponentsPlaneLabel, kNatronOfxImageComponentsPlaneChannelsLabel,
                                 kNatronOfxImageComponentsPlaneChannel})
            end = std::min(end, plane.find(mark, prefix.size()));
        const std::string layer = plane.substr(prefix.size(), end - prefix.size());
        for (size_t i = 0; i < face.pass_count; ++i)
            if (*face.passes[i].layer && layer == face.passes[i].layer) return &face.passes[i];
    }
    throw UserError(std::string(face.label) + " has no plane '" + plane + "'.");
}

std::vector<std::string> planes_of(const Face& face) {
    std::vector<std::string> planes{kFnOfxImagePlaneColour};
    for (size_t i = 0; has_planes() && i < face.pass_count; ++i)
        if (*face.passes[i].layer) planes.push_back(plane_name(face.passes[i]));
    return planes;
}

void answer_clip_components(const Face& face, OfxPropertySetHandle in, OfxPropertySetHandle out) {
    const Properties answer(out);
    const std::string prefix = kFnOfxImageEffectActionGetClipComponentsPropString;
    // Of a mask Natron takes the channel that the artist chose, but alpha if its plane is asked for here.
    for (size_t i = 0; i < face.input_count; ++i)
        if (!face.inputs[i].mask) answer.set((prefix + face.inputs[i].name).c_str(), kFnOfxImagePlaneColour);
    // Its own mask it fetches only if asked to.
    if (suites.natron && takes_host_mask(face)) answer.set((prefix + kNatronHostMask).c_str(), kFnOfxImagePlaneColour);
    const std::string output = prefix + kOfxImageEffectOutputClipName;
    int index = 0;
    for (const std::string& plane : planes_of(face)) answer.set(output.c_str(), plane, index++);
    answer.set(kFnOfxImageEffectPropPassThroughClip, face.inputs[0].name);
    answer.set(kFnOfxImageEffectPropPassThroughTime, Properties(in).number(kOfxPropTime));
}

}  // namespace cleanplate
