// Starting the worker process.
#pragma once

#include <string>

#include "system/descriptor.h"
#include "system/patience.h"

namespace cleanplate {

// How the worker is started.
struct Launch {
    std::string python;
    std::string folder;
    std::string release;
};

// What the bundle says about that. Throws UserError where it is not there.
Launch read_launch();

// The lock of the runtime folder, which whoever starts a worker holds. Throws Cancelled, UserError.
Descriptor lock_folder(const Patience& patience);

// What a worker said when it started: `ready PID`, `unusable SENTENCE`, `error SENTENCE`. Where the word is empty it
// died, and the rest is all it said.
struct Birth {
    std::string word;
    std::string rest;
};

// Starts a worker. When the host gives up meanwhile, the worker goes on starting for whoever comes next. Throws
// Cancelled.
Birth start_worker(const Launch& launch, const std::string& device, const Descriptor& lock, const Patience& patience);

}  // namespace cleanplate
