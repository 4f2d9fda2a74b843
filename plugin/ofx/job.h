// One frame asked of the worker.
#pragma once

#include <functional>
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

// What is told while a frame is waited for.
struct Listener {
    std::function<void()> reaching;  // a worker is looked for, and started where there is none
    std::function<void()> reached;
    std::function<void(const std::string&)> note;  // a sentence of the worker for the user
};

// Asks for a frame, again if the worker dies, and answers its questions meanwhile.
// Throws UserError, Cancelled and what `footage` throws.
std::shared_ptr<const Result> run_job(const Job& job, Footage& footage, Connections& connections,
                                      const Patience& patience, const Listener& listener);

}  // namespace cleanplate
