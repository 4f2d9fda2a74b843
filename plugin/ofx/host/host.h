// The host: its suites, and property sets and messages through them.
#pragma once

#include <string>

#include "host/abi.h"
#include "host/extensions.h"

namespace cleanplate {

struct Suites {
    OfxPropertySetHandle host = nullptr;
    const OfxPropertySuiteV1* property = nullptr;
    const OfxImageEffectSuiteV1* effect = nullptr;
    const OfxParameterSuiteV1* parameter = nullptr;
    const OfxMessageSuiteV1* message = nullptr;
    const OfxMessageSuiteV2* persistent = nullptr;
    const OfxTimeLineSuiteV1* timeline = nullptr;
    const OfxProgressSuiteV1* progress = nullptr;
    const FnOfxImageEffectPlaneSuiteV1* planes = nullptr;
    bool natron = false;
};

// Filled by `fetch_suites`; read by everything else.
extern Suites suites;

void set_host(OfxHost* host) noexcept;

// Once per process, however many nodes are loaded. Throws ActionFailed where the host lacks what nothing works without.
void fetch_suites();
void forget_suites();

// A property set; reading what is not there gives the fallback.
class Properties {
public:
    explicit Properties(OfxPropertySetHandle handle) : handle_(handle) {}

    OfxPropertySetHandle handle() const { return handle_; }

    void set(const char* name, const char* value, int index = 0) const;
    void set(const char* name, const std::string& value, int index = 0) const { set(name, value.c_str(), index); }
    void set(const char* name, double value, int index = 0) const;
    void set(const char* name, int value, int index = 0) const;
    void set(const char* name, bool value) const { set(name, static_cast<int>(value)); }
    void set_pointer(const char* name, void* value) const;

    std::string text(const char* name, int index = 0, const char* fallback = "") const;
    int integer(const char* name, int index = 0, int fallback = 0) const;
    double number(const char* name, int index = 0, double fallback = 0) const;
    void* pointer(const char* name) const;
    int count(const char* name) const;

private:
    OfxPropertySetHandle handle_;
};

Properties properties_of(OfxImageEffectHandle effect);

// Shows a sentence on the node until it is cleared; where the host cannot, as a message.
void show_error(OfxImageEffectHandle effect, const std::string& sentence);
void clear_error(OfxImageEffectHandle effect);

}  // namespace cleanplate
