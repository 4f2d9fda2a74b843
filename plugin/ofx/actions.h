// The actions that a host calls on a node.
#pragma once

#include "host/abi.h"
#include "host/face.h"

namespace cleanplate {

// Answers an action; nothing is thrown out of here.
OfxStatus act(const Face& face, const char* action, const void* handle, OfxPropertySetHandle in,
              OfxPropertySetHandle out) noexcept;

}  // namespace cleanplate
