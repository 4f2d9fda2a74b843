// The render action.
#pragma once

#include "host/host.h"
#include "host/instance.h"

namespace cleanplate {

OfxStatus render(Instance& instance, const Properties& in);

}  // namespace cleanplate
