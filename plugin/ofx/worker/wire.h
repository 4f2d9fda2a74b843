// Framed messages and memory over a local stream; plugin/worker/protocol/wire.py is the other end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "system/patience.h"
#include "system/system.h"
#include "worker/msgpack.h"

namespace cleanplate {

struct Message {
    int code;
    Value fields;
    std::vector<Descriptor> descriptors;
};

// The peer speaks another version of the protocol.
struct OtherVersion {
    int version;
};

class Wire {
public:
    explicit Wire(std::unique_ptr<os::Stream> stream) : stream_(std::move(stream)) {}

    // Sends a message whole, and memory with it if there is any. Throws ConnectionLost, Cancelled.
    void send(int code, const Value& fields, const Patience& patience, const os::SharedMemory* memory = nullptr);

    // The next message; nothing if none has begun to arrive until then. Throws ConnectionLost, Cancelled, OtherVersion.
    std::optional<Message> receive(const Patience& patience, Clock::time_point until);

    // Whether a message was cut off halfway: nothing can be sent any more.
    bool broken() const { return broken_; }

private:
    std::optional<Message> parse();

    std::unique_ptr<os::Stream> stream_;
    std::string bytes_;
    // When the message that is being received began to arrive; the epoch while none has.
    Clock::time_point begun_{};
    bool broken_ = false;
};

}  // namespace cleanplate
