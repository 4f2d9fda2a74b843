#include "host/instance.h"

#include <cstdio>
#include <cstring>

#include "host/host.h"
#include "system/errors.h"

namespace cleanplate {

Instance::Instance(const Face& face, OfxImageEffectHandle effect) : face_(face), effect_(effect) {
    for (size_t i = 0; i < face.input_count; ++i) {
        OfxImageClipHandle clip = nullptr;
        if (suites.effect->clipGetHandle(effect, face.inputs[i].name, &clip, nullptr) != kOfxStatOK) clip = nullptr;
        inputs_.push_back(clip);
    }
    if (suites.effect->clipGetHandle(effect, kOfxImageEffectOutputClipName, &output_, nullptr) != kOfxStatOK)
        throw ActionFailed{kOfxStatFailed};
    OfxParamSetHandle set = nullptr;
    if (suites.effect->getParamSet(effect, &set) != kOfxStatOK) throw ActionFailed{kOfxStatFailed};
    for (size_t i = 0; i < face.parameter_count; ++i) {
        OfxParamHandle param = nullptr;
        if (suites.parameter->paramGetHandle(set, face.parameters[i].name, &param, nullptr) != kOfxStatOK)
            throw ActionFailed{kOfxStatFailed};
        params_.push_back(param);
    }
}

Instance& Instance::of(OfxImageEffectHandle effect) {
    auto* instance = static_cast<Instance*>(properties_of(effect).pointer(kOfxPropInstanceData));
    if (!instance) throw ActionFailed{kOfxStatErrBadHandle};
    return *instance;
}

bool Instance::connected(size_t index) const {
    OfxPropertySetHandle handle = nullptr;
    if (!inputs_[index] || suites.effect->clipGetPropertySet(inputs_[index], &handle) != kOfxStatOK) return false;
    return Properties(handle).integer(kOfxImageClipPropConnected) == 1;
}

Value Instance::value(size_t index, double time) const {
    const Parameter& parameter = face_.parameters[index];
    const auto get = suites.parameter->paramGetValueAtTime;
    const auto failed = [&](OfxStatus status) {
        if (status != kOfxStatOK)
            throw UserError(std::string("The host does not tell the value of '") + parameter.name + "'.");
    };
    if (parameter.kind == Kind::number) {
        double number = parameter.number;
        failed(get(params_[index], time, &number));
        return Value(number);
    }
    if (parameter.kind == Kind::text) {
        const char* text = nullptr;
        failed(get(params_[index], time, &text));
        return Value(std::string(text ? text : ""));
    }
    int number = static_cast<int>(parameter.number);
    failed(get(params_[index], time, &number));
    if (parameter.kind == Kind::truth) return Value(number != 0);
    if (parameter.kind == Kind::integer) return Value(static_cast<int64_t>(number));
    if (number < 0 || static_cast<size_t>(number) >= parameter.choice_count)
        throw UserError(std::string("The parameter '") + parameter.name + "' has no choice " + std::to_string(number) +
                        ".");
    return Value(std::string(parameter.choices[number]));
}

std::string Instance::text(const char* name, double time) const {
    for (size_t i = 0; i < face_.parameter_count; ++i) {
        if (std::strcmp(face_.parameters[i].name, name) != 0) continue;
        return value(i, time).own_text();
    }
    return "";
}

// A value as the conditions of the face spell it.
std::string Instance::word(const char* name) const {
    for (size_t i = 0; i < face_.parameter_count; ++i) {
        const Parameter& parameter = face_.parameters[i];
        if (std::strcmp(parameter.name, name) != 0) continue;
        char text[32];
        if (parameter.kind == Kind::number) {
            double number = 0;
            suites.parameter->paramGetValue(params_[i], &number);
            std::snprintf(text, sizeof text, "%g", number);
            return text;
        }
        if (parameter.kind == Kind::text) {
            const char* found = nullptr;
            suites.parameter->paramGetValue(params_[i], &found);
            return found ? found : "";
        }
        int number = 0;
        suites.parameter->paramGetValue(params_[i], &number);
        if (parameter.kind == Kind::choice) {
            const bool known = number >= 0 && static_cast<size_t>(number) < parameter.choice_count;
            return known ? parameter.choices[number] : "";
        }
        return std::to_string(number);
    }
    return "";
}

bool Instance::reads_files(double time) const {
    for (size_t i = 0; i < face_.input_count; ++i)
        if (*face_.inputs[i].file && !text(face_.inputs[i].file, time).empty()) return true;
    return false;
}

void Instance::set_state(size_t index, const char* property, bool state) const {
    OfxPropertySetHandle handle = nullptr;
    if (suites.parameter->paramGetPropertySet(params_[index], &handle) != kOfxStatOK) return;
    // Render clones are made in render threads, where nothing should be touched without need.
    const Properties properties(handle);
    if (properties.integer(property, 0, !state) != state) properties.set(property, state);
}

void Instance::update_enabled() const {
    const bool files = reads_files(0);
    for (size_t i = 0; i < face_.parameter_count; ++i) {
        const Parameter& parameter = face_.parameters[i];
        if (parameter.of_files) set_state(i, kOfxParamPropSecret, !files);
        if (!parameter.condition_count) continue;
        bool enabled = true;
        for (size_t c = 0; c < parameter.condition_count; ++c) {
            const Condition& condition = parameter.conditions[c];
            const std::string now = word(condition.parameter);
            bool met = false;
            for (size_t v = 0; v < condition.count; ++v) met = met || now == condition.values[v];
            enabled = enabled && met;
        }
        set_state(i, kOfxParamPropEnabled, enabled);
    }
}

void Instance::show(const std::string& sentence) {
    const std::lock_guard<std::mutex> guard(lock_);
    shown_ = true;
    show_error(effect_, sentence);
}

void Instance::clear_message() {
    const std::lock_guard<std::mutex> guard(lock_);
    if (shown_) clear_error(effect_);
    shown_ = false;
}

void Instance::remember_status(const std::string& sentence) {
    const std::lock_guard<std::mutex> guard(lock_);
    to_show_[kStatus] = sentence;
}

void Instance::remember_weights(const std::string& sentence) {
    const std::lock_guard<std::mutex> guard(lock_);
    to_show_[kWeightsInfo] = sentence;
}

void Instance::update_status() {
    std::map<std::string, std::string> to_show;
    {
        const std::lock_guard<std::mutex> guard(lock_);
        to_show.swap(to_show_);
    }
    OfxParamSetHandle set = nullptr;
    if (to_show.empty() || suites.effect->getParamSet(effect_, &set) != kOfxStatOK) return;
    for (const auto& [name, sentence] : to_show) {
        OfxParamHandle param = nullptr;
        if (suites.parameter->paramGetHandle(set, name.c_str(), &param, nullptr) == kOfxStatOK)
            suites.parameter->paramSetValue(param, sentence.c_str());
    }
}

}  // namespace cleanplate
