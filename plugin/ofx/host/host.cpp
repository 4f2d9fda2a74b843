#include "host/host.h"

#include <atomic>

#include "system/errors.h"

namespace cleanplate {

Suites suites;

namespace {

std::atomic<OfxHost*> the_host{nullptr};

template <typename Suite>
const Suite* fetch(OfxHost* host, const char* name, int version) {
    return static_cast<const Suite*>(host->fetchSuite(host->host, name, version));
}

// Hosts take a message for a printf format, and Natron passes garbage for its arguments.
std::string without_percent(const std::string& sentence) {
    std::string plain;
    for (char c : sentence) plain += c == '%' ? std::string("%%") : std::string(1, c);
    return plain;
}

}  // namespace

void set_host(OfxHost* host) noexcept { the_host = host; }

void forget_suites() { suites = Suites(); }

void fetch_suites() {
    // Other nodes may be rendering already.
    if (suites.property) return;
    OfxHost* host = the_host;
    if (!host || !host->fetchSuite) throw ActionFailed{kOfxStatErrMissingHostFeature};
    Suites found;
    found.host = host->host;
    found.property = fetch<OfxPropertySuiteV1>(host, kOfxPropertySuite, 1);
    found.effect = fetch<OfxImageEffectSuiteV1>(host, kOfxImageEffectSuite, 1);
    found.parameter = fetch<OfxParameterSuiteV1>(host, kOfxParameterSuite, 1);
    if (!found.property || !found.effect || !found.parameter) throw ActionFailed{kOfxStatErrMissingHostFeature};
    found.message = fetch<OfxMessageSuiteV1>(host, kOfxMessageSuite, 1);
    found.persistent = fetch<OfxMessageSuiteV2>(host, kOfxMessageSuite, 2);
    found.timeline = fetch<OfxTimeLineSuiteV1>(host, kOfxTimeLineSuite, 1);
    found.progress = fetch<OfxProgressSuiteV1>(host, kOfxProgressSuite, 1);
    found.planes = fetch<FnOfxImageEffectPlaneSuiteV1>(host, kFnOfxImageEffectPlaneSuite, 1);
    suites = found;
    const Properties properties(found.host);
    suites.natron = properties.text(kOfxPropName).rfind(kNatronHostName, 0) == 0 ||
                    (found.planes && properties.integer(kNatronOfxHostIsNatron) == 1);
}

void Properties::set(const char* name, const char* value, int index) const {
    suites.property->propSetString(handle_, name, index, value);
}

void Properties::set(const char* name, double value, int index) const {
    suites.property->propSetDouble(handle_, name, index, value);
}

void Properties::set(const char* name, int value, int index) const {
    suites.property->propSetInt(handle_, name, index, value);
}

void Properties::set_pointer(const char* name, void* value) const {
    suites.property->propSetPointer(handle_, name, 0, value);
}

std::string Properties::text(const char* name, int index, const char* fallback) const {
    char* value = nullptr;
    const bool found = suites.property->propGetString(handle_, name, index, &value) == kOfxStatOK && value;
    return found ? value : fallback;
}

int Properties::integer(const char* name, int index, int fallback) const {
    int value = fallback;
    return suites.property->propGetInt(handle_, name, index, &value) == kOfxStatOK ? value : fallback;
}

double Properties::number(const char* name, int index, double fallback) const {
    double value = fallback;
    return suites.property->propGetDouble(handle_, name, index, &value) == kOfxStatOK ? value : fallback;
}

void* Properties::pointer(const char* name) const {
    void* value = nullptr;
    return suites.property->propGetPointer(handle_, name, 0, &value) == kOfxStatOK ? value : nullptr;
}

int Properties::count(const char* name) const {
    int count = 0;
    return suites.property->propGetDimension(handle_, name, &count) == kOfxStatOK ? count : 0;
}

Properties properties_of(OfxImageEffectHandle effect) {
    OfxPropertySetHandle handle = nullptr;
    if (suites.effect->getPropertySet(effect, &handle) != kOfxStatOK) throw ActionFailed{kOfxStatErrBadHandle};
    return Properties(handle);
}

void show_error(OfxImageEffectHandle effect, const std::string& sentence) {
    const std::string plain = without_percent(sentence);
    if (suites.persistent) {
        suites.persistent->setPersistentMessage(effect, kOfxMessageError, "cleanplate", plain.c_str());
    } else if (suites.message) {
        suites.message->message(effect, kOfxMessageError, "cleanplate", plain.c_str());
    }
}

void clear_error(OfxImageEffectHandle effect) {
    if (suites.persistent) suites.persistent->clearPersistentMessage(effect);
}

}  // namespace cleanplate
