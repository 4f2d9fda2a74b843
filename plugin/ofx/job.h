// One frame asked of the worker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connection.h"
#include "footage.h"
#include "reach.h"
#include "result.h"

namespace cleanplate {

struct Job {
    std::string node;
    int frame;
    std::string device;
    Value::Map params;
    bool interactive;
    std::vector<std::string> passes;
};

// Asks for a frame, again if the worker dies, and answers its questions meanwhile. `note` gets sentences for the user.
// Throws UserError, Cancelled and what `footage` throws.
std::shared_ptr<const Result> run_job(const Job& job, Footage& footage, Connections& connections,
                                      const Patience& patience, const std::function<void(const std::string&)>& note);

}  // namespace cleanplate
