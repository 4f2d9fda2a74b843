// The passes of one frame, as the worker handed them over.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/buffers.h"
#include "worker/msgpack.h"

namespace cleanplate {

struct PassImage {
    std::string name;
    size_t offset;
    int channels;
};

struct Result {
    std::shared_ptr<Lease> pixels;
    std::vector<PassImage> passes;
    // The window of all passes: x and y of the top left pixel from the top left of the format, y downwards.
    int x, y, width, height;
    std::string status;
    // Which weights, from where, their hash and their terms.
    std::string weights;

    const PassImage* pass(const std::string& name) const;
    size_t bytes() const { return pixels->size(); }

    // The leftmost pixel of a row, counted from the top.
    const float* row(const PassImage& pass, int y) const;
};

// Reads a Result message whose buffer is open. Throws ConnectionLost where it contradicts itself.
std::shared_ptr<const Result> read_result(const Value& fields, std::shared_ptr<Lease> pixels);

}  // namespace cleanplate
