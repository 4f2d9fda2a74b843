#include "worker/shared_memory.h"

#include <new>

#include "system/errors.h"

namespace cleanplate {

Mapping::Mapping(const Descriptor& memory, size_t size) : address_(os::map(memory, size)), size_(size) {
    if (!address_) throw std::bad_alloc();
}

Mapping::~Mapping() { os::unmap(address_, size_); }

NewMemory create_mapped(size_t size) {
    os::SharedMemory memory = os::create_memory(size);
    auto mapping = std::make_shared<Mapping>(memory.descriptor, memory.size);
    return {std::move(memory), std::move(mapping)};
}

std::shared_ptr<Mapping> open_memory(const Descriptor& descriptor, size_t size) {
    const auto has = os::fixed_size(descriptor);
    if (!has) throw ConnectionLost("it sent memory that is not sealed");
    if (size == 0 || size > *has) throw ConnectionLost("it sent less memory than it said");
    try {
        return std::make_shared<Mapping>(descriptor, size);
    } catch (const std::bad_alloc&) {
        throw ConnectionLost("it sent memory that cannot be mapped");
    }
}

}  // namespace cleanplate
