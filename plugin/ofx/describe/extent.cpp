#include "describe/extent.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "host/clip.h"

namespace cleanplate {
namespace {

void set_rectangle(const Properties& out, const char* name, const OfxRectD& rectangle) {
    const double sides[] = {rectangle.x1, rectangle.y1, rectangle.x2, rectangle.y2};
    for (int i = 0; i < 4; ++i) out.set(name, sides[i], i);
}

bool definition_of(OfxImageClipHandle clip, double time, OfxRectD& found) {
    return suites.effect->clipGetRegionOfDefinition(clip, time, &found) == kOfxStatOK;
}

}  // namespace

OfxStatus answer_definition(const Instance& instance, const Properties& in, const Properties& out) {
    // Natron asks at half scale when a node is made; a failure there tells it to scale the result itself.
    if (suites.natron && in.number(kOfxImageEffectPropRenderScale, 0, 1) != 1) return kOfxStatFailed;
    OfxRectD source;
    if (instance.connected(0)) {
        if (!definition_of(instance.input(0), in.number(kOfxPropTime), source)) return kOfxStatReplyDefault;
    } else if (!project_of(instance, source)) {
        return kOfxStatReplyDefault;
    }
    set_rectangle(out, kOfxImageEffectPropRegionOfDefinition, source);
    return kOfxStatOK;
}

OfxStatus answer_interest(const Instance& instance, const Properties& in, const Properties& out) {
    const double time = in.number(kOfxPropTime);
    for (size_t i = 0; i < instance.face().input_count; ++i) {
        OfxRectD whole;
        if (!instance.connected(i) || !definition_of(instance.input(i), time, whole)) continue;
        // A network looks at the whole picture, whichever part of it is wanted.
        set_rectangle(out, (std::string("OfxImageClipPropRoI_") + instance.face().inputs[i].name).c_str(), whole);
    }
    return kOfxStatOK;
}

OfxStatus answer_frames(const Instance& instance, const Properties& in, const Properties& out) {
    // Natron renders declared frames ahead, four at most; it hands out the others when asked for them.
    if (!instance.face().temporal || suites.natron || !instance.connected(0)) return kOfxStatReplyDefault;
    const double time = in.number(kOfxPropTime);
    const std::string name = std::string("OfxImageClipPropFrameRange_") + instance.face().inputs[0].name;
    out.set(name.c_str(), std::min(time, static_cast<double>(frames_of(instance, 0).first)), 0);
    out.set(name.c_str(), time, 1);
    return kOfxStatOK;
}

OfxStatus answer_preferences(const Instance& instance, const Properties& out) {
    const Face& face = instance.face();
    const bool varying = face.temporal || instance.reads_files(0);
    const std::string output = instance.text("output", 0);
    out.set(kOfxImageEffectFrameVarying, varying);
    out.set(kOfxImageEffectPropPreMultiplication,
            output == "foreground" ? kOfxImageUnPreMultiplied : kOfxImagePreMultiplied);
    out.set("OfxImageClipPropComponents_Output", kOfxImageComponentRGBA);
    return kOfxStatOK;
}

}  // namespace cleanplate
