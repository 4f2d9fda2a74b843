#include <sys/mman.h>

#include "posix/pages.h"
#include "system/system.h"

namespace cleanplate::os {

const size_t kMemoryName = 0;
const bool kKeepUntilReleased = false;

void close(std::intptr_t number) noexcept { ::close(static_cast<int>(number)); }

void* map(const Descriptor& memory, size_t size) noexcept {
    void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, number_of(memory), 0);
    return address == MAP_FAILED ? nullptr : address;
}

void unmap(void* address, size_t size) noexcept { ::munmap(address, size); }

}  // namespace cleanplate::os
