// Memory that is shared with the worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "system/system.h"

namespace cleanplate {

// Mapped memory, unmapped when this goes.
class Mapping {
public:
    Mapping(const Descriptor& memory, size_t size);  // throws std::bad_alloc
    ~Mapping();
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    size_t size() const { return size_; }
    char* bytes() const { return static_cast<char*>(address_); }

private:
    void* address_;
    size_t size_;
};

struct NewMemory {
    os::SharedMemory memory;
    std::shared_ptr<Mapping> mapping;
};

// New memory of at least `size` bytes that nobody can resize. Throws std::bad_alloc.
NewMemory create_mapped(size_t size);

// The first `size` bytes of what the worker passed. Throws ConnectionLost unless reading it is safe.
std::shared_ptr<Mapping> open_memory(const Descriptor& descriptor, size_t size);

}  // namespace cleanplate
