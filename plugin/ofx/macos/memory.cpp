// Shared memory on macOS: POSIX shared memory whose name is taken away at once. The kernel sizes it once and never
// again (a second ftruncate fails), so that nobody can pull it away from under a reader.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "posix/pages.h"
#include "system/system.h"

namespace cleanplate::os {
namespace {

Descriptor open_new() {
    for (int attempt = 0; attempt < 16; ++attempt) {
        char name[32];  // more than 30 characters are too many for macOS
        std::snprintf(name, sizeof name, "/cleanplate-%08x%08x", ::arc4random(), ::arc4random());
        Descriptor descriptor(::shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
        if (descriptor) {
            ::shm_unlink(name);
            return descriptor;
        }
        if (errno != EEXIST && errno != EINTR) break;
    }
    throw std::bad_alloc();
}

}  // namespace

SharedMemory create_memory(size_t size) {
    size = whole_pages(size);
    Descriptor descriptor = open_new();
    if (::ftruncate(number_of(descriptor), static_cast<off_t>(size)) != 0) throw std::bad_alloc();
    return {std::move(descriptor), "", size};
}

std::optional<size_t> fixed_size(const Descriptor& memory) noexcept {
    struct stat status{};
    // Of all that can be passed, only shared memory has no type; a file could be cut off while it is read.
    if (::fstat(number_of(memory), &status) != 0 || (status.st_mode & S_IFMT) != 0 || status.st_size <= 0)
        return std::nullopt;
    return static_cast<size_t>(status.st_size);
}

}  // namespace cleanplate::os
