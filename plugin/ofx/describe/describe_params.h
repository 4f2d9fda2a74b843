// The parameters of a node, as the host is to show them.
#pragma once

#include "host/abi.h"
#include "host/face.h"

namespace cleanplate {

void describe_params(const Face& face, OfxParamSetHandle set);

}  // namespace cleanplate
