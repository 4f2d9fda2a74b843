// The images that a render is to fill, and how they get the pixels of passes.
#pragma once

#include <string>
#include <vector>

#include "host/clip.h"
#include "host/host.h"
#include "host/instance.h"
#include "worker/result.h"

namespace cleanplate {

// What one image of the output is to hold.
struct TargetImage {
    std::string plane;   // "" for the colours
    std::string colour;  // the pass whose channels are copied
    std::string alpha;   // the pass that becomes alpha where that has none, or ""
};

// The planes that the host asked for; the colours where it asks for none. Throws UserError for a plane of no pass.
std::vector<TargetImage> targets_of(const Instance& instance, const Properties& in, double time);

// Fills the wanted part of an image, black where the result has no pixels. Throws UserError where it lacks a pass.
void fill(const ClipImage& image, const Area& wanted, const Area& format, const Result& result,
          const TargetImage& target);

}  // namespace cleanplate
