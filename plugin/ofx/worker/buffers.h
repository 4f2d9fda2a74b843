// Shared memory that goes to and fro over one connection; plugin/worker/protocol/buffers.py is the other end.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "worker/shared_memory.h"

namespace cleanplate {

// Numbers of buffers whose pixels nobody looks at any more; filled from any thread.
class Returned {
public:
    void add(uint32_t number);
    std::vector<uint32_t> take();

private:
    std::mutex lock_;
    std::vector<uint32_t> numbers_;
};

// Pixels of the worker; handed back when this goes.
class Lease {
public:
    Lease(std::shared_ptr<Mapping> memory, uint32_t number, std::shared_ptr<Returned> returned);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    const char* bytes() const { return memory_->bytes(); }
    size_t size() const { return memory_->size(); }

private:
    std::shared_ptr<Mapping> memory_;
    uint32_t number_;
    std::shared_ptr<Returned> returned_;
};

// The buffers that the worker fills.
class Incoming {
public:
    // The memory of a buffer that a message names. Throws ConnectionLost where that breaks the rules.
    std::shared_ptr<Lease> open(uint32_t number, uint64_t size, const std::vector<Descriptor>& descriptors);

    // The worker will not use a buffer again. Throws ConnectionLost for one that is not here.
    void forget(uint32_t number);

    // Numbers to send Release for.
    std::vector<uint32_t> releases();

private:
    std::map<uint32_t, std::shared_ptr<Mapping>> known_;
    std::map<uint32_t, bool> leased_;
    std::shared_ptr<Returned> returned_ = std::make_shared<Returned>();
};

// A buffer that goes to the worker.
struct Parcel {
    uint32_t number;
    os::SharedMemory shared;
    std::shared_ptr<Mapping> memory;
    bool announced = false;
};

// The buffers that this side fills.
class Outgoing {
public:
    // A buffer of at least `size` bytes that may be overwritten; with number 0 it is for once.
    std::shared_ptr<Parcel> take(size_t size);

    // The worker is done with a buffer. Throws ConnectionLost if it has none of this number.
    void released(uint32_t number);

    // Numbers to send Forget for: more buffers are free than are worth keeping.
    std::vector<uint32_t> surplus();

private:
    uint32_t last_ = 0;
    std::vector<std::shared_ptr<Parcel>> free_;
    std::map<uint32_t, std::shared_ptr<Parcel>> away_;
};

}  // namespace cleanplate
