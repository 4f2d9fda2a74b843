// Framed messages and file descriptors over a local socket; plugin/worker/wire.py is the other end.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "descriptor.h"
#include "msgpack.h"
#include "patience.h"

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
    explicit Wire(Descriptor socket) : socket_(std::move(socket)) {}

    // Sends a message whole, and a descriptor with it unless that is negative. Throws ConnectionLost, Cancelled.
    void send(int code, const Value& fields, const Patience& patience, int descriptor = -1);

    // The next message; nothing if none has begun to arrive until then. Throws ConnectionLost, Cancelled, OtherVersion.
    std::optional<Message> receive(const Patience& patience, Clock::time_point until);

    // Whether a message was cut off halfway: nothing can be sent any more.
    bool broken() const { return broken_; }

private:
    std::optional<Message> parse();
    bool read_some();

    Descriptor socket_;
    std::string bytes_;
    std::deque<Descriptor> descriptors_;
    bool broken_ = false;
};

}  // namespace cleanplate
