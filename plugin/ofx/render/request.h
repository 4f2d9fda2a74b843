// One frame asked of the worker.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "render/clip_inputs.h"
#include "worker/connection.h"
#include "worker/reach.h"
#include "worker/result.h"

namespace cleanplate {

struct FrameRequest {
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
// Throws UserError, Cancelled and what `inputs` throws.
std::shared_ptr<const Result> request_frame(const FrameRequest& request, ClipInputs& inputs, Connections& connections,
                                            const Patience& patience, const Listener& listener);

}  // namespace cleanplate
