// What the host learns of a node before there is an instance of it.
#pragma once

#include <string>

#include "abi.h"
#include "face.h"

namespace cleanplate {

// The read-only texts that say how the last frame was made, and the button that brings them up to date.
constexpr const char* kStatus = "status";
constexpr const char* kWeightsInfo = "weightsInfo";
constexpr const char* kUpdateStatus = "updateStatus";

void describe(const Face& face, OfxImageEffectHandle effect);
void describe_in_context(const Face& face, OfxImageEffectHandle effect, const std::string& context);

}  // namespace cleanplate
