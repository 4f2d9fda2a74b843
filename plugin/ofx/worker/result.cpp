#include "worker/result.h"

#include <cmath>
#include <cstdio>

#include "system/errors.h"

namespace cleanplate {
namespace {

constexpr size_t kMostPasses = 4096;
constexpr int64_t kFarthest = int64_t{1} << 24, kWidest = int64_t{1} << 20, kLargest = int64_t{1} << 36;

// Of one thing in the status line.
constexpr size_t kLongest = 100;

PassImage read_image(const Value& image, int width, int height, size_t size) {
    PassImage pass;
    pass.name = image.at("name").text(128);
    pass.offset = static_cast<size_t>(image.at("offset").integer(0, kLargest));
    pass.channels = static_cast<int>(image.at("channels").integer(1, 64));
    if (image.at("width").integer(0, kWidest) != width || image.at("height").integer(0, kWidest) != height)
        throw ConnectionLost("it sent a pass of another size than the frame");
    const auto bytes = sizeof(float) * static_cast<uint64_t>(pass.channels) * static_cast<uint64_t>(width) *
                       static_cast<uint64_t>(height);
    if (pass.offset % sizeof(float) || bytes > size || pass.offset > size - bytes)
        throw ConnectionLost("it sent a pass that does not lie within its memory");
    return pass;
}

std::string status_of(const Value& fields) {
    std::string status;
    const auto add = [&](const std::string& text) { status += (status.empty() ? "" : ", ") + text; };
    // What every frame has comes first; what else there is says how good it is.
    for (const char* name : {"device", "precision"})
        for (const auto& [key, value] : fields.at("info").map())
            if (key == name) add(value.shown() + (key == "precision" ? " precision" : ""));
    for (const auto& [key, value] : fields.at("info").map()) {
        // A list of all classes is for the passes' metadata.
        const std::string shown = value.shown();
        if (key != "device" && key != "precision" && key != "milliseconds" && shown.size() <= kLongest)
            add(key + " " + shown);
    }
    char time[40];
    std::snprintf(time, sizeof time, "%.0f ms", fields.at("milliseconds").number());
    add(time);
    for (const Value& note : fields.at("notes").list(64)) status += "; " + note.text(4096);
    return status;
}

std::string weights_of(const Value& fields) {
    std::string all;
    const Value* weights = fields.find("weights");
    if (!weights) return all;
    for (const Value& one : weights->list(8)) {
        const auto text = [&](const char* name) { return one.at(name).text(4096); };
        all += (all.empty() ? "" : "; ") + text("name") + " (" + text("network") + "), " + text("state") + ", sha256 " +
               text("sha256").substr(0, 12) + ", " + text("licence") + ": " + text("use") + ", " + text("path");
    }
    return all;
}

}  // namespace

const PassImage* Result::pass(const std::string& name) const {
    for (const PassImage& one : passes)
        if (one.name == name) return &one;
    return nullptr;
}

const float* Result::row(const PassImage& one, int line) const {
    const auto pixel = static_cast<size_t>(line) * static_cast<size_t>(width) * static_cast<size_t>(one.channels);
    return reinterpret_cast<const float*>(pixels->bytes() + one.offset) + pixel;
}

std::shared_ptr<const Result> read_result(const Value& fields, std::shared_ptr<Lease> pixels) {
    auto result = std::make_shared<Result>();
    const Value& window = fields.at("window");
    result->x = static_cast<int>(window.at("x").integer(-kFarthest, kFarthest));
    result->y = static_cast<int>(window.at("y").integer(-kFarthest, kFarthest));
    result->width = static_cast<int>(window.at("width").integer(0, kWidest));
    result->height = static_cast<int>(window.at("height").integer(0, kWidest));
    for (const Value& image : fields.at("images").list(kMostPasses))
        result->passes.push_back(read_image(image, result->width, result->height, pixels->size()));
    result->status = status_of(fields);
    result->weights = weights_of(fields);
    result->pixels = std::move(pixels);
    return result;
}

}  // namespace cleanplate
