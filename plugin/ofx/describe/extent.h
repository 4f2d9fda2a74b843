// Which pixels, frames and components a node takes and gives.
#pragma once

#include "host/host.h"
#include "host/instance.h"

namespace cleanplate {

OfxStatus answer_definition(const Instance& instance, const Properties& in, const Properties& out);
OfxStatus answer_interest(const Instance& instance, const Properties& in, const Properties& out);
OfxStatus answer_frames(const Instance& instance, const Properties& in, const Properties& out);
OfxStatus answer_preferences(const Instance& instance, const Properties& out);

}  // namespace cleanplate
