#include "describe/describe_params.h"

#include <cstring>
#include <string>

#include "host/host.h"

namespace cleanplate {
namespace {

constexpr const char* kPage = "Controls";
// Groups that most shots never need.
constexpr const char* kClosed[] = {"Input", "Advanced"};

const char* type_of(Kind kind) {
    switch (kind) {
        case Kind::number: return kOfxParamTypeDouble;
        case Kind::integer: return kOfxParamTypeInteger;
        case Kind::truth: return kOfxParamTypeBoolean;
        case Kind::choice: return kOfxParamTypeChoice;
        case Kind::text: break;
    }
    return kOfxParamTypeString;
}

std::string group_name(const char* group) { return std::string("group") + group; }

Properties define(OfxParamSetHandle set, const char* type, const char* name, const char* label, const char* hint) {
    OfxPropertySetHandle handle = nullptr;
    if (suites.parameter->paramDefine(set, type, name, &handle) != kOfxStatOK) return Properties(nullptr);
    const Properties properties(handle);
    properties.set(kOfxPropLabel, label);
    properties.set(kOfxPropShortLabel, label);
    properties.set(kOfxPropLongLabel, label);
    if (*hint) properties.set(kOfxParamPropHint, hint);
    return properties;
}

template <typename Number>
void describe_range(const Properties& properties, const Parameter& parameter) {
    properties.set(kOfxParamPropDefault, static_cast<Number>(parameter.number));
    properties.set(kOfxParamPropMin, static_cast<Number>(parameter.low));
    properties.set(kOfxParamPropMax, static_cast<Number>(parameter.high));
    properties.set(kOfxParamPropDisplayMin, static_cast<Number>(parameter.display_low));
    properties.set(kOfxParamPropDisplayMax, static_cast<Number>(parameter.display_high));
}

void describe_param(const Parameter& parameter, OfxParamSetHandle set) {
    const Properties properties = define(set, type_of(parameter.kind), parameter.name, parameter.label, parameter.hint);
    if (!properties.handle()) return;
    properties.set(kOfxParamPropScriptName, parameter.name);
    properties.set(kOfxParamPropParent, group_name(parameter.group));
    properties.set(kOfxParamPropAnimates, parameter.animates);
    properties.set(kOfxParamPropEvaluateOnChange, parameter.changes_pixels);
    properties.set(kOfxParamPropSecret, parameter.of_files);
    switch (parameter.kind) {
        case Kind::number: describe_range<double>(properties, parameter); break;
        case Kind::integer: describe_range<int>(properties, parameter); break;
        case Kind::truth: properties.set(kOfxParamPropDefault, static_cast<int>(parameter.number)); break;
        case Kind::choice:
            for (size_t i = 0; i < parameter.choice_count; ++i)
                properties.set(kOfxParamPropChoiceOption, parameter.choices[i], static_cast<int>(i));
            properties.set(kOfxParamPropDefault, static_cast<int>(parameter.number));
            break;
        case Kind::text:
            // Not a file path even for files: Natron would put the current frame's number in place of ####.
            properties.set(kOfxParamPropStringMode, kOfxParamStringIsSingleLine);
            properties.set(kOfxParamPropDefault, parameter.text);
            break;
    }
}

void describe_read_only(OfxParamSetHandle set, const char* name, const char* label, const char* hint) {
    const Properties properties = define(set, kOfxParamTypeString, name, label, hint);
    if (!properties.handle()) return;
    properties.set(kOfxParamPropStringMode, kOfxParamStringIsSingleLine);
    properties.set(kOfxParamPropDefault, "");
    properties.set(kOfxParamPropEnabled, false);
    properties.set(kOfxParamPropAnimates, false);
    properties.set(kOfxParamPropPersistent, false);
    properties.set(kOfxParamPropEvaluateOnChange, false);
    properties.set(kOfxParamPropPluginMayWrite, true);
    properties.set(kOfxParamPropCanUndo, false);
}

void describe_status(OfxParamSetHandle set) {
    describe_read_only(set, kStatus, "Status",
                       "How the last frame was made: device, precision, effective quality, and the milliseconds it "
                       "took. A host lets a node write this only when something is edited: press Update to see it.");
    describe_read_only(set, kWeightsInfo, "Weights in use",
                       "The weights that the last frame was made with: their name and network, whether they came with "
                       "the software, were imported or are a file, the beginning of their sha256, their licence and "
                       "what it means for commercial work, and the file.");
    define(set, kOfxParamTypePushButton, kUpdateStatus, "Update",
           "Shows how the last frame was made, and with which weights.");
}

}  // namespace

void describe_params(const Face& face, OfxParamSetHandle set) {
    const Properties page = define(set, kOfxParamTypePage, kPage, kPage, "");
    int children = 0;
    for (size_t g = 0; g < face.group_count; ++g) {
        const std::string name = group_name(face.groups[g]);
        const Properties group = define(set, kOfxParamTypeGroup, name.c_str(), face.groups[g], "");
        bool open = true;
        for (const char* closed : kClosed) open = open && std::strcmp(closed, face.groups[g]) != 0;
        if (group.handle()) group.set(kOfxParamPropGroupOpen, open);
        if (page.handle()) page.set(kOfxParamPropPageChild, name, children++);
        for (size_t i = 0; i < face.parameter_count; ++i) {
            if (std::strcmp(face.parameters[i].group, face.groups[g]) != 0) continue;
            describe_param(face.parameters[i], set);
            if (page.handle()) page.set(kOfxParamPropPageChild, face.parameters[i].name, children++);
        }
    }
    describe_status(set);
    for (const char* name : {kStatus, kWeightsInfo, kUpdateStatus})
        if (page.handle()) page.set(kOfxParamPropPageChild, name, children++);
}

}  // namespace cleanplate
