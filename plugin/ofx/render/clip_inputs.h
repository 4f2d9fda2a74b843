// The inputs of one frame's job: pixels and digests of clips, fetched in the thread of the render action.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/clip.h"
#include "host/instance.h"
#include "render/dependency.h"
#include "render/digest.h"
#include "system/patience.h"
#include "worker/connection.h"

namespace cleanplate {

class ClipInputs {
public:
    ClipInputs(const Instance& instance, double time, double scale_x, double scale_y, const Patience& patience);

    // The connected inputs that are not read from files, with their frames.
    Value::Map spans() const;
    int frame() const { return frame_; }

    // Answers the worker's questions. Missing frames are answered too; throws what ends the job.
    void answer_need(const Value& need, Connection& connection);
    void answer_identity(const Value& need, Connection& connection);

    // Whether what a result was computed from is still the same.
    bool unchanged(const std::vector<Dependency>& dependencies);

    const std::vector<Dependency>& dependencies() const { return dependencies_; }

private:
    struct FormattedImage {
        std::unique_ptr<ClipImage> image;
        Area format{};
    };

    size_t input_of(const Value& need) const;
    double time_of(int frame) const { return frame == frame_ ? time_ : frame; }
    FormattedImage fetch(size_t input, int frame);
    void require_whole(const ClipImage& image, size_t input) const;
    std::string digest(size_t input, int frame);
    std::string chain(size_t input, const Frames& frames);
    std::string space_of(size_t input) const;
    void hand_over(const Value& need, size_t input, const FormattedImage& picture, int frame, Connection& connection);

    const Instance& instance_;
    double time_;
    int frame_;
    double scale_x_, scale_y_;
    const Patience& patience_;
    std::string space_;
    std::vector<bool> used_;
    std::map<std::pair<size_t, int>, std::string> digests_;
    std::map<size_t, FormattedImage> current_;
    std::vector<Dependency> dependencies_;
};

}  // namespace cleanplate
