#include "render/clip_inputs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "render/process.h"
#include "system/errors.h"

namespace cleanplate {
namespace {

constexpr int64_t kFirstFrame = -(int64_t{1} << 31), kLastFrame = (int64_t{1} << 31) - 1;
constexpr int64_t kLongestChain = 1000000;
// What the worker takes, as nodes/footage/window.py has it.
constexpr int64_t kFarthest = int64_t{1} << 24, kWidest = int64_t{1} << 20;
constexpr size_t kMostPicked = 4096;

Value::Map box_of(const Area& area, const Area& format) {
    // The worker counts rows from the top of the format downwards.
    return {{"x", Value(int64_t{area.x1 - format.x1})},
            {"y", Value(int64_t{format.y2 - area.y2})},
            {"width", Value(int64_t{area.width()})},
            {"height", Value(int64_t{area.height()})}};
}

bool beyond(const Area& area, const Area& format) {
    const int64_t x = int64_t{area.x1} - format.x1, y = int64_t{format.y2} - area.y2;
    const int64_t width = int64_t{area.x2} - area.x1, height = int64_t{area.y2} - area.y1;
    return std::max(width, height) > kWidest || std::max(std::abs(x), std::abs(y)) > kFarthest;
}

Value::List names_of(int channels) {
    static const char* const names[][4] = {{"A"}, {"X", "Y"}, {"R", "G", "B"}, {"R", "G", "B", "A"}};
    Value::List list;
    for (int c = 0; c < channels; ++c) list.emplace_back(channels <= 4 ? names[channels - 1][c] : "X");
    return list;
}

bool automatic(const std::string& space) { return space.empty() || space == "auto"; }

Value colour_of(const std::string& space) {
    Value::List unit_matrix;
    for (int i = 0; i < 9; ++i) unit_matrix.emplace_back(i % 4 == 0 ? 1.0 : 0.0);
    return Value(Value::Map{{"name", Value(automatic(space) ? "lin_rec709" : space)},
                            {"transfer", Value(automatic(space) ? "linear" : "named")},
                            {"to_rec709", Value(std::move(unit_matrix))},
                            {"ocio_config", Value("")}});
}

void add_header(Digest& digest, const ClipImage& image, const Area& format) {
    const Area& area = image.area();
    for (const int number :
         {area.x1, area.y1, area.x2, area.y2, format.x1, format.y1, format.x2, format.y2, image.channels()})
        digest.add(static_cast<int64_t>(number));
    digest.add(image.pixel_aspect());
}

// The name under which the digest of an image is remembered; "" where it cannot be. `header` holds all but the pixels.
// Whichever channel of a picture Natron takes for a mask, it is called the same.
std::string name_of(const Input& input, const ClipImage& image, const Digest& header) {
    return input.mask || image.identifier().empty() ? "" : image.identifier() + header.bytes();
}

}  // namespace

ClipInputs::ClipInputs(const Instance& instance, double time, double scale_x, double scale_y, const Patience& patience)
    : instance_(instance),
      time_(time),
      frame_(static_cast<int>(std::floor(time + 0.5))),
      scale_x_(scale_x),
      scale_y_(scale_y),
      patience_(patience),
      space_(instance.text("inputSpace", time)) {
    const Face& face = instance.face();
    for (size_t i = 0; i < face.input_count; ++i) {
        const bool from_file = *face.inputs[i].file && !instance.text(face.inputs[i].file, time).empty();
        used_.push_back(!from_file && instance.connected(i));
    }
}

Value::Map ClipInputs::spans() const {
    Value::Map spans;
    for (size_t i = 0; i < used_.size(); ++i) {
        if (!used_[i]) continue;
        const FrameRange range = frames_of(instance_, i);
        spans.emplace_back(instance_.face().inputs[i].name, Value(Value::Map{{"first", Value(int64_t{range.first})},
                                                                             {"last", Value(int64_t{range.last})}}));
    }
    return spans;
}

size_t ClipInputs::input_of(const Value& need) const {
    const std::string& name = need.at("input").text(128);
    for (size_t i = 0; i < used_.size(); ++i)
        if (used_[i] && name == instance_.face().inputs[i].name) return i;
    throw ConnectionLost("it asked for an input that is not connected");
}

ClipInputs::FormattedImage ClipInputs::fetch(size_t input, int frame) {
    patience_.check();
    const double time = time_of(frame);
    try {
        FormattedImage picture;
        picture.image = std::make_unique<ClipImage>(instance_.input(input), time);
        picture.format = format_of(instance_, input, time, scale_x_, scale_y_);
        require_whole(*picture.image, input);
        return picture;
    } catch (const ActionFailed&) {
        // A host gives no image either because there is none or because it has stopped rendering.
        patience_.check();
        return {};
    }
}

void ClipInputs::require_whole(const ClipImage& image, size_t input) const {
    if (!image.whole_frame())
        throw UserError(std::string(instance_.face().label) + " takes whole frames, but the input " +
                        instance_.face().inputs[input].name + " comes in fields: deinterlace it first.");
}

std::string ClipInputs::digest(size_t input, int frame) {
    const auto key = std::make_pair(input, frame);
    const auto known = digests_.find(key);
    if (known != digests_.end()) return known->second;
    FormattedImage picture = fetch(input, frame);
    Digest digest;
    if (picture.image) {
        const ClipImage& image = *picture.image;
        add_header(digest, image, picture.format);
        const std::string name = name_of(instance_.face().inputs[input], image, digest);
        std::string known_by_name = known_digests().find(name);
        if (known_by_name.empty()) {
            const size_t row = sizeof(float) * static_cast<size_t>(image.area().width() * image.channels());
            for (int y = image.area().y2 - 1; y >= image.area().y1; --y) digest.add(image.row(y), row);
            known_by_name = digest.bytes();
            known_digests().keep(name, known_by_name);
        }
        // The job will want the pixels of its own frame as well.
        if (frame == frame_) current_[input] = std::move(picture);
        return digests_[key] = known_by_name;
    }
    return digests_[key] = digest.bytes();
}

std::string ClipInputs::chain(size_t input, const Frames& frames) {
    Digest whole;
    for (const int frame : frames.picked) whole.add(digest(input, frame));
    if (frames.picked.empty())
        for (int frame = frames.first; frame <= frames.last; ++frame) whole.add(digest(input, frame));
    return whole.bytes();
}

// No file says what space a clip is in: a plate is in the source's unless another is named, a mask is numbers.
std::string ClipInputs::space_of(size_t input) const {
    const Input& entry = instance_.face().inputs[input];
    const std::string own = instance_.text(entry.space, time_);
    return entry.mask || !automatic(own) ? own : space_;
}

void ClipInputs::answer_need(const Value& need, Connection& connection) {
    const size_t input = input_of(need);
    const int frame = static_cast<int>(need.at("frame").integer(kFirstFrame, kLastFrame));
    FormattedImage picture;
    const auto held = frame == frame_ ? current_.find(input) : current_.end();
    if (held != current_.end()) {
        picture = std::move(held->second);
        current_.erase(held);
    } else {
        picture = fetch(input, frame);
    }
    if (picture.image) {
        hand_over(need, input, picture, frame, connection);
    } else {
        const Input& missing = instance_.face().inputs[input];
        const std::string sentence =
            "There is no frame " + std::to_string(frame) + " of the input " + missing.name +
            (missing.mask ? ", or the host was not told which of its channels is the mask." : ".");
        connection.send(kMissing,
                        {{"job", need.at("job")},
                         {"need", need.at("need")},
                         {"kind", Value("footage")},
                         {"sentence", Value(sentence)}},
                        patience_);
        digests_[{input, frame}] = Digest().bytes();
    }
    dependencies_.push_back({input, false, {{}, frame, frame}, digest(input, frame)});
}

void ClipInputs::hand_over(const Value& need, size_t input, const FormattedImage& picture, int frame,
                           Connection& connection) {
    const ClipImage& image = *picture.image;
    const Area& area = image.area();
    if (beyond(area, picture.format) || beyond(picture.format, picture.format))
        throw UserError("The picture of the input " + std::string(instance_.face().inputs[input].name) +
                        " is more than " + std::to_string(kWidest) + " pixels wide or high or farther than " +
                        std::to_string(kFarthest) + " from the origin; crop it.");
    const size_t row = sizeof(float) * static_cast<size_t>(area.width()) * static_cast<size_t>(image.channels());
    const auto parcel = connection.parcel(row * static_cast<size_t>(area.height()));
    Digest digest;
    add_header(digest, image, picture.format);
    const std::string name = name_of(instance_.face().inputs[input], image, digest);
    std::string known = known_digests().find(name);
    const bool unknown = known.empty();
    char* to = parcel->memory->bytes();
    for (int y = area.y2 - 1; y >= area.y1; --y, to += row) {
        std::memcpy(to, image.row(y), row);
        // While the row is at hand.
        if (unknown) digest.add(to, row);
    }
    if (unknown) known_digests().keep(name, known = digest.bytes());
    digests_[{input, frame}] = known;
    Value::Map pixels{{"name", Value("")},
                      {"offset", Value(int64_t{0})},
                      {"height", Value(int64_t{area.height()})},
                      {"width", Value(int64_t{area.width()})},
                      {"channels", Value(int64_t{image.channels()})}};
    Value::Map buffer{{"id", Value(int64_t{parcel->number})},
                      {"size", Value(static_cast<int64_t>(parcel->memory->size()))}};
    connection.send(kFrameAnswer,
                    {{"job", need.at("job")},
                     {"need", need.at("need")},
                     {"buffer", Value(std::move(buffer))},
                     {"image", Value(std::move(pixels))},
                     {"channels", Value(names_of(image.channels()))},
                     {"data_window", Value(box_of(area, picture.format))},
                     {"display_window", Value(box_of(picture.format, picture.format))},
                     {"pixel_aspect", Value(image.pixel_aspect())},
                     {"colour", colour_of(space_of(input))}},
                    *parcel, patience_);
}

void ClipInputs::answer_identity(const Value& need, Connection& connection) {
    const size_t input = input_of(need);
    const int64_t first = need.at("first").integer(kFirstFrame, kLastFrame);
    const int64_t last = need.at("last").integer(kFirstFrame, kLastFrame);
    Frames frames{{}, static_cast<int>(first), static_cast<int>(last)};
    if (const Value* picked = need.find("frames"))
        for (const Value& frame : picked->list(kMostPicked))
            frames.picked.push_back(static_cast<int>(frame.integer(kFirstFrame, kLastFrame)));
    if (frames.picked.empty() && last - first >= kLongestChain)
        throw ConnectionLost("it asked for more frames than there can be");
    const std::string found = chain(input, frames);
    dependencies_.push_back({input, true, std::move(frames), found});
    connection.send(kIdentityAnswer,
                    {{"job", need.at("job")}, {"need", need.at("need")}, {"digest", Value::binary(found)}}, patience_);
}

bool ClipInputs::unchanged(const std::vector<Dependency>& dependencies) {
    for (const Dependency& one : dependencies) {
        if (one.input >= used_.size() || !used_[one.input]) return false;
        const std::string now = one.chained ? chain(one.input, one.frames) : digest(one.input, one.frames.first);
        if (now != one.digest) return false;
    }
    return true;
}

}  // namespace cleanplate
