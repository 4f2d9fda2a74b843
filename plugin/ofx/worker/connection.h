// A greeted connection to a worker: one conversation at a time, in whichever thread has it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "worker/buffers.h"
#include "worker/wire.h"

namespace cleanplate {

// The messages of plugin/worker/protocol/messages.py.
enum Code : int {
    kHello = 1,
    kWelcome = 2,
    kRefused = 3,
    kRender = 4,
    kNeed = 5,
    kFrameAnswer = 6,
    kNeedIdentity = 7,
    kIdentityAnswer = 8,
    kMissing = 9,
    kStarted = 10,
    kResult = 11,
    kFailed = 12,
    kCancel = 13,
    kRelease = 14,
    kForget = 15,
    kNote = 16,
};

class Connection {
public:
    Connection(Wire wire, std::string device, std::string log)
        : wire_(std::move(wire)), device_(std::move(device)), log_(std::move(log)) {}

    // The device as the user named it.
    std::string asked;

    const std::string& device() const { return device_; }
    const std::string& log() const { return log_; }
    uint32_t next_job() { return ++last_job_; }

    void send(int code, Value::Map fields, const Patience& patience);

    // A message whose buffer lies in `parcel`.
    void send(int code, Value::Map fields, Parcel& parcel, const Patience& patience);

    // The next message that is not about buffers, until the host gives up. Throws ConnectionLost, Cancelled.
    Message receive(const Patience& patience);

    // Memory for pixels that go to the worker.
    std::shared_ptr<Parcel> parcel(size_t size) { return outgoing_.take(size); }

    // The pixels that a Result names.
    std::shared_ptr<Lease> open(const Value& buffer, const std::vector<Descriptor>& descriptors);

    // Takes what came in unasked and hands back what is not needed; false when the worker is gone.
    bool refresh();

private:
    void tidy(const Patience& patience);
    bool about_buffers(const Message& message);

    Wire wire_;
    std::string device_;
    std::string log_;
    Incoming incoming_;
    Outgoing outgoing_;
    uint32_t last_job_ = 0;
};

}  // namespace cleanplate
