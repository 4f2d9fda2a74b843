#include "shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <new>

#include "errors.h"

namespace cleanplate {
namespace {

constexpr int kFixedSize = F_SEAL_SHRINK | F_SEAL_GROW;

}  // namespace

Mapping::Mapping(int descriptor, size_t size)
    : address_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)), size_(size) {
    if (address_ == MAP_FAILED) throw std::bad_alloc();
}

Mapping::~Mapping() { ::munmap(address_, size_); }

NewMemory create_memory(size_t size) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    size = (size + page - 1) / page * page;
    if (!size) size = page;
    Descriptor descriptor(::memfd_create("cleanplate", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!descriptor || ::ftruncate(descriptor.number(), static_cast<off_t>(size)) != 0 ||
        ::fcntl(descriptor.number(), F_ADD_SEALS, kFixedSize | F_SEAL_SEAL) != 0)
        throw std::bad_alloc();
    auto mapping = std::make_shared<Mapping>(descriptor.number(), size);
    return {std::move(descriptor), std::move(mapping)};
}

std::shared_ptr<Mapping> open_memory(const Descriptor& descriptor, size_t size) {
    struct stat status {};
    const int seals = ::fcntl(descriptor.number(), F_GET_SEALS);
    if (seals < 0 || (seals & kFixedSize) != kFixedSize || ::fstat(descriptor.number(), &status) != 0 ||
        !S_ISREG(status.st_mode))
        throw ConnectionLost("it sent memory that is not sealed");
    if (size == 0 || status.st_size < 0 || size > static_cast<size_t>(status.st_size))
        throw ConnectionLost("it sent less memory than it said");
    try {
        return std::make_shared<Mapping>(descriptor.number(), size);
    } catch (const std::bad_alloc&) {
        throw ConnectionLost("it sent memory that cannot be mapped");
    }
}

}  // namespace cleanplate
