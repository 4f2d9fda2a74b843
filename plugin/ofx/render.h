// The render action.
#pragma once

#include "host.h"
#include "instance.h"

namespace cleanplate {

OfxStatus render(Instance& instance, const Properties& in);

}  // namespace cleanplate
