#include "render/render.h"

#include <algorithm>
#include <new>
#include <set>

#include "host/planes.h"
#include "host/wait_bar.h"
#include "render/clip_inputs.h"
#include "render/process.h"
#include "render/request.h"
#include "render/target_image.h"
#include "system/errors.h"
#include "system/system.h"
#include "worker/places.h"

namespace cleanplate {
namespace {

bool names_file(const Face& face, const std::string& parameter) {
    bool found = parameter == "weights";
    for (size_t i = 0; i < face.input_count; ++i) found = found || parameter == face.inputs[i].file;
    return found;
}

void require_inputs(const Instance& instance, double time) {
    const Face& face = instance.face();
    for (size_t i = 0; i < face.input_count; ++i) {
        const Input& input = face.inputs[i];
        const bool needed = i == 0 || !input.optional;
        if (!needed || instance.connected(i)) continue;
        if (*input.file && !instance.text(input.file, time).empty()) continue;
        throw UserError(std::string(face.label) + " needs the input " + input.name + " (" + input.label +
                        "): connect it" +
                        (*input.file ? std::string(", or name a file in '") + input.file + "'." : "."));
    }
}

class FrameRender {
public:
    FrameRender(Instance& instance, const Properties& in)
        : instance_(instance),
          time_(in.number(kOfxPropTime)),
          scale_x_(in.number(kOfxImageEffectPropRenderScale, 0, 1)),
          scale_y_(in.number(kOfxImageEffectPropRenderScale, 1, 1)),
          window_{in.integer(kOfxImageEffectPropRenderWindow, 0), in.integer(kOfxImageEffectPropRenderWindow, 1),
                  in.integer(kOfxImageEffectPropRenderWindow, 2), in.integer(kOfxImageEffectPropRenderWindow, 3)},
          field_(in.text(kOfxImageEffectPropFieldToRender, 0, kOfxImageFieldNone)),
          interactive_(in.integer(kOfxImageEffectPropInteractiveRenderStatus) == 1),
          bar_(instance),
          patience_([this] { return aborted(); }),
          targets_(targets_of(instance, in, time_)) {}

    void render() {
        const Face& face = instance_.face();
        if (field_ != kOfxImageFieldNone && field_ != kOfxImageFieldBoth && !field_.empty())
            throw UserError(std::string(face.label) +
                            " renders whole frames, not fields: set the project to progressive, or deinterlace first.");
        patience_.check();
        require_inputs(instance_, time_);
        const Area format = format_of(instance_, 0, time_, scale_x_, scale_y_);
        ClipInputs inputs(instance_, time_, scale_x_, scale_y_, patience_);
        const auto result = obtain(inputs);
        for (const TargetImage& target : targets_) {
            patience_.check();
            const ClipImage image(instance_.output(), time_, target.plane);
            fill(image, window_, format, *result, target);
        }
        instance_.remember_status(result->status);
        instance_.remember_weights(result->weights);
    }

private:
    FrameRequest request_of(const ClipInputs& inputs) const {
        const Face& face = instance_.face();
        FrameRequest request{face.id, inputs.frame(), instance_.text("device", time_), {}, interactive_, {}};
        for (size_t i = 0; i < face.parameter_count; ++i) {
            const Value value = instance_.value(i, time_);
            const bool file = value.is_text() && names_file(face, face.parameters[i].name);
            request.params.emplace_back(face.parameters[i].name, file ? Value(whole_path(value.own_text())) : value);
        }
        std::set<std::string> passes;
        for (const TargetImage& target : targets_) {
            passes.insert(target.colour);
            if (!target.alpha.empty()) passes.insert(target.alpha);
        }
        // Whoever wants one plane wants the others next.
        const bool planes = std::any_of(targets_.begin(), targets_.end(),
                                        [&](const TargetImage& t) { return pass_of_plane(face, t.plane) != nullptr; });
        for (size_t i = 0; planes && i < face.pass_count; ++i) passes.insert(face.passes[i].name);
        request.passes.assign(passes.begin(), passes.end());
        return request;
    }

    // What decides the pixels beside the footage, whichever pass is looked at.
    std::string key_of(const FrameRequest& request, const ClipInputs& inputs) const {
        Value::Map params;
        for (const auto& entry : request.params)
            if (entry.first != "output") params.push_back(entry);
        std::string key;
        Value(Value::Map{{"node", Value(request.node)},
                         {"time", Value(time_)},
                         {"scale", Value(scale_x_)},
                         {"params", Value(std::move(params))},
                         {"weights", Value(os::stamp(whole_path(instance_.text("weights", time_))))},
                         {"inputs", Value(inputs.spans())}})
            .pack(key);
        return key;
    }

    std::shared_ptr<const Result> obtain(ClipInputs& inputs) {
        const FrameRequest request = request_of(inputs);
        const std::string key = key_of(request, inputs);
        // What is read from files can change without a sign.
        const bool from_files = instance_.reads_files(time_);
        if (!from_files) {
            for (const CachedResult& known : cache().find(key)) {
                const auto has = [&](const std::string& pass) { return known.result->pass(pass) != nullptr; };
                if (std::all_of(request.passes.begin(), request.passes.end(), has) &&
                    inputs.unchanged(known.dependencies))
                    return known.result;
            }
        }
        auto result = request_frame(request, inputs, connections(), patience_, listener());
        bar_.end();
        if (!from_files) cache().keep({key, inputs.dependencies(), result});
        return result;
    }

    bool aborted() {
        bar_.look();
        return suites.effect->abort(instance_.effect()) != 0;
    }

    Listener listener() {
        return {[this] { bar_.begin("Cleanplate: starting the worker"); }, [this] { bar_.end(); },
                [this](const std::string& sentence) {
                    instance_.remember_status(sentence);
                    bar_.begin("Cleanplate: " + sentence);
                }};
    }

    Instance& instance_;
    double time_;
    double scale_x_, scale_y_;
    Area window_;
    std::string field_;
    bool interactive_;
    WaitBar bar_;
    Patience patience_;
    std::vector<TargetImage> targets_;
};

}  // namespace

OfxStatus render(Instance& instance, const Properties& in) {
    try {
        FrameRender(instance, in).render();
        instance.clear_message();
        return kOfxStatOK;
    } catch (const Cancelled&) {
        return kOfxStatOK;
    } catch (const UserError& error) {
        instance.show(error.what());
        return kOfxStatFailed;
    } catch (const std::bad_alloc&) {
        instance.show(std::string(instance.face().label) + " has no memory left for the frame; close other programs.");
        return kOfxStatErrMemory;
    } catch (const std::runtime_error& error) {
        instance.show(std::string(instance.face().label) + " failed: " + error.what() + ".");
        return kOfxStatFailed;
    } catch (const ActionFailed& failed) {
        // No image: the host has stopped, or its own message says why.
        return suites.effect->abort(instance.effect()) ? kOfxStatOK : failed.status;
    }
}

}  // namespace cleanplate
