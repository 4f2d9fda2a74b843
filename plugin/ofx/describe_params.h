// The parameters of a node, as the host is to show them.
#pragma once

#include "abi.h"
#include "face.h"

namespace cleanplate {

void describe_params(const Face& face, OfxParamSetHandle set);

}  // namespace cleanplate
