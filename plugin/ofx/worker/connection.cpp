#include "worker/connection.h"

#include "system/errors.h"

namespace cleanplate {
namespace {

constexpr int64_t kLargestId = 0xFFFFFFFF;
constexpr int64_t kLargestBuffer = int64_t{1} << 36;
constexpr std::chrono::hours kForever(24 * 365);

uint32_t id_of(const Value& value, int64_t least = 1) {
    return static_cast<uint32_t>(value.integer(least, kLargestId));
}

}  // namespace

void Connection::send(int code, Value::Map fields, const Patience& patience) {
    tidy(patience);
    wire_.send(code, Value(std::move(fields)), patience);
}

void Connection::send(int code, Value::Map fields, Parcel& parcel, const Patience& patience) {
    tidy(patience);
    wire_.send(code, Value(std::move(fields)), patience, parcel.announced && parcel.number ? nullptr : &parcel.shared);
    parcel.announced = true;
}

Message Connection::receive(const Patience& patience) {
    for (;;) {
        // Whatever pours in, the host is heard.
        patience.check();
        auto message = wire_.receive(patience, Clock::now() + kForever);
        if (message && !about_buffers(*message)) return std::move(*message);
    }
}

std::shared_ptr<Lease> Connection::open(const Value& buffer, const std::vector<Descriptor>& descriptors) {
    return incoming_.open(id_of(buffer.at("id"), 0),
                          static_cast<uint64_t>(buffer.at("size").integer(0, kLargestBuffer)), descriptors);
}

bool Connection::refresh() {
    const Patience patience = Patience::brief();
    try {
        while (auto message = wire_.receive(patience, Clock::now())) {
            patience.check();
            // Answers to jobs that were given up; their pixels go straight back.
            if (!about_buffers(*message) && message->code == kResult)
                open(message->fields.at("buffer"), message->descriptors);
        }
        tidy(patience);
        return !wire_.broken();
    } catch (...) {
        return false;
    }
}

void Connection::tidy(const Patience& patience) {
    for (const uint32_t number : incoming_.releases())
        wire_.send(kRelease, Value(Value::Map{{"buffer", Value(int64_t{number})}}), patience);
    for (const uint32_t number : outgoing_.surplus())
        wire_.send(kForget, Value(Value::Map{{"buffer", Value(int64_t{number})}}), patience);
}

bool Connection::about_buffers(const Message& message) {
    if (!message.descriptors.empty() && message.code != kResult)
        throw ConnectionLost("it sent descriptors that nobody asked for");
    if (message.code == kRelease) {
        outgoing_.released(id_of(message.fields.at("buffer")));
    } else if (message.code == kForget) {
        incoming_.forget(id_of(message.fields.at("buffer")));
    } else {
        return false;
    }
    return true;
}

}  // namespace cleanplate
