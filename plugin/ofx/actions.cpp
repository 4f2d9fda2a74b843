#include "actions.h"

#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "describe/describe.h"
#include "describe/extent.h"
#include "host/host.h"
#include "host/instance.h"
#include "host/planes.h"
#include "render/process.h"
#include "render/render.h"
#include "system/errors.h"

namespace cleanplate {
namespace {

OfxStatus create(const Face& face, OfxImageEffectHandle effect) {
    auto instance = std::make_unique<Instance>(face, effect);
    instance->update_enabled();
    properties_of(effect).set_pointer(kOfxPropInstanceData, instance.release());
    return kOfxStatOK;
}

OfxStatus destroy(OfxImageEffectHandle effect) {
    const Properties properties = properties_of(effect);
    delete static_cast<Instance*>(properties.pointer(kOfxPropInstanceData));
    properties.set_pointer(kOfxPropInstanceData, nullptr);
    return kOfxStatOK;
}

OfxStatus changed(OfxImageEffectHandle effect, const Properties& in) {
    if (in.text(kOfxPropChangeReason) == kOfxChangePluginEdited) return kOfxStatReplyDefault;
    Instance& instance = Instance::of(effect);
    instance.update_enabled();
    instance.update_status();
    return kOfxStatOK;
}

OfxStatus dispatch(const Face& face, const std::string& action, OfxImageEffectHandle effect, OfxPropertySetHandle in,
                   OfxPropertySetHandle out) {
    if (action == kOfxActionLoad) {
        fetch_suites();
        enter_process();
    } else if (action == kOfxActionUnload) {
        leave_process();
    } else if (action == kOfxActionDescribe) {
        describe(face, effect);
    } else if (action == kOfxImageEffectActionDescribeInContext) {
        describe_in_context(face, effect, Properties(in).text(kOfxImageEffectPropContext));
    } else if (action == kOfxActionCreateInstance) {
        return create(face, effect);
    } else if (action == kOfxActionDestroyInstance) {
        return destroy(effect);
    } else if (action == kOfxActionInstanceChanged) {
        return changed(effect, Properties(in));
    } else if (action == kOfxActionPurgeCaches) {
        purge_process();
    } else if (action == kOfxImageEffectActionGetRegionOfDefinition) {
        return answer_definition(Instance::of(effect), Properties(in), Properties(out));
    } else if (action == kOfxImageEffectActionGetRegionsOfInterest) {
        return answer_interest(Instance::of(effect), Properties(in), Properties(out));
    } else if (action == kOfxImageEffectActionGetFramesNeeded) {
        return answer_frames(Instance::of(effect), Properties(in), Properties(out));
    } else if (action == kOfxImageEffectActionGetClipPreferences) {
        return answer_preferences(Instance::of(effect), Properties(out));
    } else if (action == kFnOfxImageEffectActionGetClipComponents) {
        answer_clip_components(face, in, out);
    } else if (action == kOfxImageEffectActionRender) {
        return render(Instance::of(effect), Properties(in));
    } else {
        return kOfxStatReplyDefault;
    }
    return kOfxStatOK;
}

}  // namespace

OfxStatus act(const Face& face, const char* action, const void* handle, OfxPropertySetHandle in,
              OfxPropertySetHandle out) noexcept {
    try {
        // The standard passes the handle as const, and takes it as not.
        const auto effect = static_cast<OfxImageEffectHandle>(const_cast<void*>(handle));
        return dispatch(face, action ? action : "", effect, in, out);
    } catch (const ActionFailed& failed) {
        return failed.status;
    } catch (const std::bad_alloc&) {
        return kOfxStatErrMemory;
    } catch (...) {
        return kOfxStatFailed;
    }
}

}  // namespace cleanplate
