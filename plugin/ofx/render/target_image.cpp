#include "render/target_image.h"

#include <algorithm>
#include <cstring>

#include "host/planes.h"
#include "system/errors.h"

namespace cleanplate {
namespace {

const Pass* find_pass(const Face& face, const std::string& name) {
    for (size_t i = 0; i < face.pass_count; ++i)
        if (name == face.passes[i].name) return &face.passes[i];
    return nullptr;
}

TargetImage target_of(const Face& face, const std::string& plane, const std::string& output) {
    if (const Pass* pass = pass_of_plane(face, plane)) return {plane, pass->name, ""};
    const Pass* pass = find_pass(face, output);
    if (!pass) pass = &face.passes[0];
    const bool straight = std::strcmp(pass->channels, "RGB") == 0;
    return {has_planes() ? plane : "", pass->name, straight && find_pass(face, "alpha") ? "alpha" : ""};
}

// Copies one pixel's channels; what the image has beyond them is alpha of 1, a single channel goes everywhere.
void copy_row(float* to, int to_channels, const float* from, int from_channels, const float* alpha, int width) {
    if (to_channels == from_channels) {
        std::memcpy(to, from, sizeof(float) * static_cast<size_t>(width) * static_cast<size_t>(to_channels));
        return;
    }
    for (int x = 0; x < width; ++x, to += to_channels, from += from_channels) {
        const float opacity = alpha ? alpha[x] : 1.0f;
        for (int c = 0; c < to_channels; ++c)
            to[c] = from_channels == 1 ? from[0] : c < from_channels ? from[c] : opacity;
        if (to_channels == 1) to[0] = from_channels == 4 ? from[3] : opacity;
    }
}

}  // namespace

std::vector<TargetImage> targets_of(const Instance& instance, const Properties& in, double time) {
    std::vector<TargetImage> targets;
    const std::string output = instance.text("output", time);
    const int count = has_planes() ? in.count(kOfxImageEffectPropRenderPlanes) : 0;
    for (int i = 0; i < count; ++i)
        targets.push_back(target_of(instance.face(), in.text(kOfxImageEffectPropRenderPlanes, i), output));
    if (targets.empty()) targets.push_back(target_of(instance.face(), "", output));
    return targets;
}

void fill(const ClipImage& image, const Area& wanted, const Area& format, const Result& result,
          const TargetImage& target) {
    const PassImage* colour = result.pass(target.colour);
    const PassImage* alpha = target.alpha.empty() ? nullptr : result.pass(target.alpha);
    if (!colour || (alpha && alpha->channels != 1))
        throw UserError("The worker did not send the pass " + target.colour + ".");
    const Area have{format.x1 + result.x, format.y2 - result.y - result.height, format.x1 + result.x + result.width,
                    format.y2 - result.y};
    const Area window = image.area().intersect(wanted);
    const Area inside = window.intersect(have);
    const auto to_channels = static_cast<size_t>(image.channels());
    for (int y = window.y1; y < window.y2; ++y) {
        float* row = image.row(y);
        float* begin = row + static_cast<size_t>(window.x1 - image.area().x1) * to_channels;
        if (inside.empty() || y < inside.y1 || y >= inside.y2) {
            std::fill_n(begin, static_cast<size_t>(window.width()) * to_channels, 0.0f);
            continue;
        }
        std::fill_n(begin, static_cast<size_t>(inside.x1 - window.x1) * to_channels, 0.0f);
        const auto skipped = static_cast<size_t>(inside.x1 - have.x1);
        const int from_row = have.y2 - 1 - y;
        copy_row(row + static_cast<size_t>(inside.x1 - image.area().x1) * to_channels, image.channels(),
                 result.row(*colour, from_row) + skipped * static_cast<size_t>(colour->channels), colour->channels,
                 alpha ? result.row(*alpha, from_row) + skipped : nullptr, inside.width());
        std::fill_n(row + static_cast<size_t>(inside.x2 - image.area().x1) * to_channels,
                    static_cast<size_t>(window.x2 - inside.x2) * to_channels, 0.0f);
    }
}

}  // namespace cleanplate
