// What the host learns of a node before there is an instance of it.
#pragma once

#include <string>

#include "host/abi.h"
#include "host/face.h"

namespace cleanplate {

void describe(const Face& face, OfxImageEffectHandle effect);
void describe_in_context(const Face& face, OfxImageEffectHandle effect, const std::string& context);

}  // namespace cleanplate
