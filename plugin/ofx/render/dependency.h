// The footage that a result was computed from.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace cleanplate {

// Frames that are asked for together: picked ones, or all of a range.
struct Frames {
    std::vector<int> picked;
    int first, last;
};

// What a result was computed from: a frame, or a chain of frames, and the digest.
struct Dependency {
    size_t input;
    bool chained;
    Frames frames;
    std::string digest;
};

}  // namespace cleanplate
