// Starting the worker process.
#pragma once

#include <string>

#include "descriptor.h"
#include "patience.h"
#include "places.h"

namespace cleanplate {

// The lock of the runtime folder, which whoever starts a worker holds. Throws Cancelled, UserError.
Descriptor lock_folder(const Patience& patience);

// Starts a worker and returns its first line: `ready PID`, `unusable SENTENCE`, `error SENTENCE`, or nothing if it
// died. When the host gives up meanwhile, the worker goes on starting for whoever comes next. Throws Cancelled.
std::string start_worker(const Launch& launch, const std::string& device, const Descriptor& lock,
                         const Patience& patience);

}  // namespace cleanplate
