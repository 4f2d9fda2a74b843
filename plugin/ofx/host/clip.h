// Clips of an instance, and images of them.
#pragma once

#include <string>

#include "host/host.h"
#include "host/instance.h"

namespace cleanplate {

struct FrameRange {
    int first, last;
};

// The frames of an input; where the host knows no bounds, those of its time line.
FrameRange frames_of(const Instance& instance, size_t input);

// Pixels in an image's own coordinates, y upwards, the right and upper ends excluded.
struct Area {
    int x1, y1, x2, y2;

    int width() const { return x2 > x1 ? x2 - x1 : 0; }
    int height() const { return y2 > y1 ? y2 - y1 : 0; }
    bool empty() const { return !width() || !height(); }
    Area intersect(const Area& other) const;
};

// The project's rectangle in canonical coordinates; false where the host does not tell, as for Natron's render clones.
bool project_of(const Instance& instance, OfxRectD& found);

// The format that an input's pixels belong to: EXR's display window. Of what is not connected it is the project's.
Area format_of(const Instance& instance, size_t input, double time, double scale_x, double scale_y);

// An image that the host lent; given back when this goes.
class ClipImage {
public:
    // Throws ActionFailed unless the host gives an image of floats. `plane` is empty for the colours.
    ClipImage(OfxImageClipHandle clip, double time, const std::string& plane = "");
    ~ClipImage();
    ClipImage(const ClipImage&) = delete;
    ClipImage& operator=(const ClipImage&) = delete;

    const Area& area() const { return area_; }
    int channels() const { return channels_; }
    double pixel_aspect() const { return pixel_aspect_; }
    bool whole_frame() const { return whole_frame_; }

    // What the host calls these pixels; "" where two pictures may have the same name.
    const std::string& identifier() const { return identifier_; }

    // The leftmost pixel of a row.
    float* row(int y) const;

private:
    OfxPropertySetHandle handle_ = nullptr;
    Area area_{};
    int channels_ = 0;
    double pixel_aspect_ = 1;
    bool whole_frame_ = true;
    std::string identifier_;
    char* data_ = nullptr;
    std::ptrdiff_t row_bytes_ = 0;
};

}  // namespace cleanplate
