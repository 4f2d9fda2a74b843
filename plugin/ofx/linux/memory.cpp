// Shared memory on Linux: a sealed memfd.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <new>

#include "posix/pages.h"
#include "system/system.h"

namespace cleanplate::os {
namespace {

constexpr int kFixedSize = F_SEAL_SHRINK | F_SEAL_GROW;

}  // namespace

SharedMemory create_memory(size_t size) {
    size = whole_pages(size);
    Descriptor descriptor(::memfd_create("cleanplate", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!descriptor || ::ftruncate(number_of(descriptor), static_cast<off_t>(size)) != 0 ||
        ::fcntl(number_of(descriptor), F_ADD_SEALS, kFixedSize | F_SEAL_SEAL) != 0)
        throw std::bad_alloc();
    return {std::move(descriptor), "", size};
}

std::optional<size_t> fixed_size(const Descriptor& memory) noexcept {
    struct stat status{};
    const int seals = ::fcntl(number_of(memory), F_GET_SEALS);
    if (seals < 0 || (seals & kFixedSize) != kFixedSize || ::fstat(number_of(memory), &status) != 0 ||
        !S_ISREG(status.st_mode) || status.st_size < 0)
        return std::nullopt;
    return static_cast<size_t>(status.st_size);
}

}  // namespace cleanplate::os
