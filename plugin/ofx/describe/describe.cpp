#include "describe/describe.h"

#include <string>

#include "describe/describe_params.h"
#include "host/host.h"
#include "host/planes.h"

namespace cleanplate {
namespace {

constexpr const char* kMenu = "Cleanplate";

void describe_labels(const Properties& properties, const char* label) {
    properties.set(kOfxPropLabel, label);
    properties.set(kOfxPropShortLabel, label);
    properties.set(kOfxPropLongLabel, label);
}

// As a Filter a node has but one input that must be there.
bool can_filter(const Face& face) {
    for (size_t i = 1; i < face.input_count; ++i)
        if (!face.inputs[i].optional && !*face.inputs[i].file) return false;
    return face.input_count > 0 && std::string(face.inputs[0].name) == kOfxImageEffectSimpleSourceClipName;
}

void describe_input(const Face& face, OfxImageEffectHandle effect, size_t index, bool as_filter) {
    const Input& input = face.inputs[index];
    OfxPropertySetHandle handle = nullptr;
    if (suites.effect->clipDefine(effect, input.name, &handle) != kOfxStatOK) return;
    const Properties clip(handle);
    describe_labels(clip, input.label);
    clip.set(kOfxImageEffectPropSupportedComponents, kOfxImageComponentRGBA, 0);
    if (input.mask) {
        // A matte without alpha must not arrive with one of 1.
        clip.set(kOfxImageEffectPropSupportedComponents, kOfxImageComponentRGB, 1);
        clip.set(kOfxImageEffectPropSupportedComponents, kOfxImageComponentAlpha, 2);
    }
    clip.set(kOfxImageClipPropIsMask, input.mask);
    // What a file can stand for, and what the node itself asks for in a sentence, must not stop the host.
    clip.set(kOfxImageClipPropOptional, input.optional || (*input.file && !(as_filter && index == 0)));
    clip.set(kOfxImageEffectPropTemporalClipAccess, face.temporal && index == 0);
    clip.set(kOfxImageEffectPropSupportsTiles, false);
}

void describe_output(OfxImageEffectHandle effect) {
    OfxPropertySetHandle handle = nullptr;
    if (suites.effect->clipDefine(effect, kOfxImageEffectOutputClipName, &handle) != kOfxStatOK) return;
    const Properties clip(handle);
    clip.set(kOfxImageEffectPropSupportedComponents, kOfxImageComponentRGBA, 0);
    clip.set(kOfxImageEffectPropSupportedComponents, kOfxImageComponentAlpha, 1);
    clip.set(kOfxImageEffectPropSupportsTiles, false);
}

}  // namespace

void describe(const Face& face, OfxImageEffectHandle effect) {
    const Properties properties = properties_of(effect);
    describe_labels(properties, face.label);
    properties.set(kOfxImageEffectPluginPropGrouping, kMenu);
    properties.set(kOfxPropPluginDescription, face.description);
    properties.set(kOfxPropVersion, static_cast<int>(face.version));
    properties.set(kOfxPropIcon, std::string(face.plugin_id) + ".png", 1);
    properties.set(kOfxImageEffectPropSupportedContexts, kOfxImageEffectContextGeneral, 0);
    if (can_filter(face)) properties.set(kOfxImageEffectPropSupportedContexts, kOfxImageEffectContextFilter, 1);
    properties.set(kOfxImageEffectPropSupportedPixelDepths, kOfxBitDepthFloat, 0);
    properties.set(kOfxImageEffectPluginRenderThreadSafety, kOfxImageEffectRenderFullySafe);
    properties.set(kOfxImageEffectPluginPropHostFrameThreading, false);
    properties.set(kOfxImageEffectPluginPropSingleInstance, false);
    properties.set(kOfxImageEffectPropSupportsMultiResolution, true);
    properties.set(kOfxImageEffectPropSupportsTiles, false);
    properties.set(kOfxImageEffectPropTemporalClipAccess, face.temporal);
    properties.set(kOfxImageEffectPropSupportsMultipleClipDepths, false);
    properties.set(kOfxImageEffectPropSupportsMultipleClipPARs, false);
    properties.set(kOfxImageEffectPluginPropFieldRenderTwiceAlways, false);
    if (has_planes()) {
        properties.set(kFnOfxImageEffectPropMultiPlanar, true);
        properties.set(kFnOfxImageEffectPropPassThroughComponents, 1);
    }
    if (suites.natron) {
        properties.set(kNatronOfxImageEffectPropHostMasking, takes_host_mask(face));
        properties.set(kNatronOfxImageEffectPropHostMixing, takes_host_mask(face));
        properties.set(kNatronOfxImageEffectPropChannelSelector, kOfxImageComponentNone);
    }
}

void describe_in_context(const Face& face, OfxImageEffectHandle effect, const std::string& context) {
    const bool as_filter = context == kOfxImageEffectContextFilter;
    for (size_t i = 0; i < face.input_count; ++i) describe_input(face, effect, i, as_filter);
    describe_output(effect);
    // What the answer to GetClipPreferences depends on.
    const Properties properties = properties_of(effect);
    int slaves = 0;
    properties.set(kOfxImageEffectPropClipPreferencesSlaveParam, "output", slaves++);
    for (size_t i = 0; i < face.input_count; ++i)
        if (*face.inputs[i].file)
            properties.set(kOfxImageEffectPropClipPreferencesSlaveParam, face.inputs[i].file, slaves++);
    OfxParamSetHandle set = nullptr;
    if (suites.effect->getParamSet(effect, &set) == kOfxStatOK) describe_params(face, set);
}

}  // namespace cleanplate
