#include "worker/wire.h"

#include "system/errors.h"

namespace cleanplate {
namespace {

constexpr char kMagic[] = "CPWK";
constexpr unsigned kVersion = 1;
constexpr size_t kHeader = 16;
constexpr size_t kMaxPayload = 1 << 20;
constexpr std::chrono::seconds kStuck(30);

void put_little(std::string& out, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i);
}

uint32_t little(const std::string& bytes, size_t at, int count) {
    uint32_t value = 0;
    for (int i = count - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

}  // namespace

void Wire::send(int code, const Value& fields, const Patience& patience, const os::SharedMemory* memory) {
    if (broken_) throw ConnectionLost("its connection was cut off");
    std::string payload;
    fields.pack(payload);
    if (payload.size() > kMaxPayload) throw UserError("The parameters of the node are too long for the worker.");
    std::string data(kMagic, 4);
    put_little(data, kVersion, 2);
    put_little(data, static_cast<uint32_t>(code), 2);
    put_little(data, static_cast<uint32_t>(payload.size()), 4);
    put_little(data, memory != nullptr, 2);
    put_little(data, 0, 2);
    data += payload;
    if (memory) data += memory->name;
    const auto writable = [this](auto time) { return stream_->wait(os::Event::writable, time); };
    broken_ = true;
    for (size_t sent = 0; sent < data.size();) {
        const size_t count = stream_->send(data.data() + sent, data.size() - sent, sent ? nullptr : memory);
        sent += count;
        if (count) continue;
        try {
            if (!patience.wait_for(writable, Clock::now() + kStuck)) throw ConnectionLost("it does not listen");
        } catch (const Cancelled&) {
            broken_ = sent > 0;
            throw;
        }
    }
    broken_ = false;
}

std::optional<Message> Wire::receive(const Patience& patience, Clock::time_point until) {
    const auto readable = [this](auto time) { return stream_->wait(os::Event::readable, time); };
    for (;;) {
        if (auto message = parse()) return message;
        // A message has one time limit in all, however it trickles in.
        if (!bytes_.empty() && begun_ == Clock::time_point{}) begun_ = Clock::now();
        const auto limit = bytes_.empty() ? until : begun_ + kStuck;
        if (!patience.wait_for(readable, limit)) {
            if (bytes_.empty()) return std::nullopt;
            throw ConnectionLost("it stopped within a message");
        }
        if (!stream_->receive(bytes_)) throw ConnectionLost("it ended");
    }
}

std::optional<Message> Wire::parse() {
    if (bytes_.size() < kHeader) return std::nullopt;
    if (bytes_.compare(0, 4, kMagic) != 0 || little(bytes_, 14, 2) != 0)
        throw ConnectionLost("it sent what is no message");
    const auto version = static_cast<int>(little(bytes_, 4, 2));
    if (version != static_cast<int>(kVersion)) throw OtherVersion{version};
    const size_t length = little(bytes_, 8, 4), count = little(bytes_, 12, 2);
    if (length > kMaxPayload || count > os::kMostMemories) throw ConnectionLost("it sent a message that is too long");
    const size_t end = kHeader + length + count * os::kMemoryName;
    if (bytes_.size() < end) return std::nullopt;
    std::vector<Descriptor> descriptors;
    for (size_t i = 0; i < count; ++i) {
        descriptors.push_back(stream_->take_memory(bytes_.data() + kHeader + length + i * os::kMemoryName));
        if (!descriptors.back()) throw ConnectionLost("it did not send the descriptors it announced");
    }
    Message message{static_cast<int>(little(bytes_, 6, 2)), unpack(bytes_.substr(kHeader, length)),
                    std::move(descriptors)};
    bytes_.erase(0, end);
    begun_ = Clock::time_point{};
    return message;
}

}  // namespace cleanplate
