#include "host/clip.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "system/errors.h"

namespace cleanplate {
namespace {

constexpr double kFarthestFrame = 1e6;
constexpr int kFarthestPixel = 1 << 24;

Area area_of(double x1, double y1, double x2, double y2) {
    const double far = kFarthestPixel;
    // Rounding errors of the host's own scaling must not add a row.
    const auto down = [&](double v) { return static_cast<int>(std::floor(std::clamp(v, -far, far) + 1e-4)); };
    const auto up = [&](double v) { return static_cast<int>(std::ceil(std::clamp(v, -far, far) - 1e-4)); };
    return {down(x1), down(y1), up(x2), up(y2)};
}

bool contains(const OfxRectD& outer, const OfxRectD& inner) {
    return outer.x1 <= inner.x1 && outer.y1 <= inner.y1 && outer.x2 >= inner.x2 && outer.y2 >= inner.y2;
}

size_t occurrences(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
    return count;
}

int channels_of(const std::string& components) {
    if (components == kOfxImageComponentRGBA) return 4;
    if (components == kOfxImageComponentRGB) return 3;
    if (components == kOfxImageComponentAlpha) return 1;
    if (components == kNatronOfxImageComponentXY) return 2;
    return static_cast<int>(occurrences(components, kNatronOfxImageComponentsPlaneChannel));
}

}  // namespace

FrameRange frames_of(const Instance& instance, size_t input) {
    OfxPropertySetHandle handle = nullptr;
    double first = 0, last = 0;
    if (suites.effect->clipGetPropertySet(instance.input(input), &handle) == kOfxStatOK) {
        first = Properties(handle).number(kOfxImageEffectPropFrameRange, 0);
        last = Properties(handle).number(kOfxImageEffectPropFrameRange, 1);
    }
    const auto sensible = [&] { return std::abs(first) <= kFarthestFrame && std::abs(last) <= kFarthestFrame; };
    if (!sensible() && suites.timeline) suites.timeline->getTimeBounds(instance.effect(), &first, &last);
    if (!sensible()) first = last = 0;
    return {static_cast<int>(std::floor(first)), static_cast<int>(std::ceil(std::max(first, last)))};
}

Area Area::intersect(const Area& other) const {
    return {std::max(x1, other.x1), std::max(y1, other.y1), std::min(x2, other.x2), std::min(y2, other.y2)};
}

bool project_of(const Instance& instance, OfxRectD& found) {
    const Properties effect = properties_of(instance.effect());
    found.x1 = effect.number(kOfxImageEffectPropProjectOffset, 0);
    found.y1 = effect.number(kOfxImageEffectPropProjectOffset, 1);
    found.x2 = found.x1 + effect.number(kOfxImageEffectPropProjectSize, 0);
    found.y2 = found.y1 + effect.number(kOfxImageEffectPropProjectSize, 1);
    return found.x2 > found.x1 && found.y2 > found.y1;
}

Area format_of(const Instance& instance, size_t input, double time, double scale_x, double scale_y) {
    OfxPropertySetHandle handle = nullptr;
    double aspect = 1;
    const bool connected = instance.connected(input);
    const OfxImageClipHandle clip_of_format = connected ? instance.input(input) : instance.output();
    if (suites.effect->clipGetPropertySet(clip_of_format, &handle) == kOfxStatOK) {
        const Properties clip(handle);
        aspect = clip.number(kOfxImagePropPixelAspectRatio, 0, 1);
        if (!(aspect > 0)) aspect = 1;
        if (suites.natron && connected) {
            const Area area{clip.integer(kOfxImageClipPropFormat, 0), clip.integer(kOfxImageClipPropFormat, 1),
                            clip.integer(kOfxImageClipPropFormat, 2), clip.integer(kOfxImageClipPropFormat, 3)};
            if (!area.empty())
                return area_of(area.x1 * scale_x, area.y1 * scale_y, area.x2 * scale_x, area.y2 * scale_y);
        }
    }
    OfxRectD shown{}, project{};
    const bool has_project = project_of(instance, project);
    if (!connected && has_project) {
        shown = project;
    } else if (suites.effect->clipGetRegionOfDefinition(clip_of_format, time, &shown) != kOfxStatOK) {
        throw ActionFailed{kOfxStatFailed};
    }
    // Pictures with overscan belong to the format of the project.
    if (has_project && contains(shown, project)) shown = project;
    return area_of(shown.x1 / aspect * scale_x, shown.y1 * scale_y, shown.x2 / aspect * scale_x, shown.y2 * scale_y);
}

ClipImage::ClipImage(OfxImageClipHandle clip, double time, const std::string& plane) {
    const OfxStatus status = plane.empty()
                                 ? suites.effect->clipGetImage(clip, time, nullptr, &handle_)
                                 : suites.planes->clipGetImagePlane(clip, time, plane.c_str(), nullptr, &handle_);
    if (status != kOfxStatOK || !handle_) throw ActionFailed{kOfxStatFailed};
    const Properties image(handle_);
    const std::string components = image.text(kOfxImageEffectPropComponents);
    channels_ = channels_of(components);
    if (channels_ == 0 && !plane.empty()) channels_ = channels_of(plane);
    area_ = {image.integer(kOfxImagePropBounds, 0), image.integer(kOfxImagePropBounds, 1),
             image.integer(kOfxImagePropBounds, 2), image.integer(kOfxImagePropBounds, 3)};
    pixel_aspect_ = image.number(kOfxImagePropPixelAspectRatio, 0, 1);
    const std::string field = image.text(kOfxImagePropField, 0, kOfxImageFieldNone);
    whole_frame_ = field == kOfxImageFieldNone || field == kOfxImageFieldBoth;
    // Natron's is a hash of all that the picture comes from, if it knows; what others do is not known.
    if (suites.natron) identifier_ = image.text(kOfxImagePropUniqueIdentifier);
    if (identifier_ == kNatronNameless) identifier_.clear();
    data_ = static_cast<char*>(image.pointer(kOfxImagePropData));
    row_bytes_ = image.integer(kOfxImagePropRowBytes);
    const bool floats = image.text(kOfxImageEffectPropPixelDepth, 0, kOfxBitDepthFloat) == kOfxBitDepthFloat;
    const auto wide = static_cast<std::ptrdiff_t>(area_.width()) * channels_ * static_cast<int>(sizeof(float));
    const bool rows_fit = area_.height() <= 1 || std::abs(row_bytes_) >= wide;
    const bool sane = area_.width() <= kFarthestPixel && area_.height() <= kFarthestPixel;
    if (floats && channels_ > 0 && (area_.empty() || data_) && rows_fit && sane) return;
    suites.effect->clipReleaseImage(handle_);
    throw ActionFailed{kOfxStatErrUnsupported};
}

ClipImage::~ClipImage() { suites.effect->clipReleaseImage(handle_); }

float* ClipImage::row(int y) const {
    return reinterpret_cast<float*>(data_ + static_cast<std::ptrdiff_t>(y - area_.y1) * row_bytes_);
}

}  // namespace cleanplate
