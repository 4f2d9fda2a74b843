// What the host learns of a node before there is an instance of it.
#pragma once

#include "abi.h"
#include "face.h"

namespace cleanplate {

// The read-only text parameter that says how the last frame was made.
constexpr const char* kStatus = "status";

void describe(const Face& face, OfxImageEffectHandle effect);
void describe_in_context(const Face& face, OfxImageEffectHandle effect);

}  // namespace cleanplate
