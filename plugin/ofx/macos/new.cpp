// The operators of the C++ library export themselves, whatever the linker is told, and would take part in whose
// operators a host's process uses. These are hidden (-fvisibility-global-new-delete) and take their place.
#include <cstdlib>
#include <new>

namespace {

void* allocated(std::size_t size) {
    for (;;) {
        if (void* found = std::malloc(size ? size : 1)) return found;
        const std::new_handler handler = std::get_new_handler();
        if (!handler) throw std::bad_alloc();
        handler();
    }
}

void* allocated(std::size_t size, std::align_val_t alignment) {
    const std::size_t boundary = static_cast<std::size_t>(alignment);
    void* found = nullptr;
    if (::posix_memalign(&found, boundary < sizeof(void*) ? sizeof(void*) : boundary, size ? size : 1) != 0)
        throw std::bad_alloc();
    return found;
}

}  // namespace

void* operator new(std::size_t size) { return allocated(size); }
void* operator new[](std::size_t size) { return allocated(size); }
void* operator new(std::size_t size, std::align_val_t alignment) { return allocated(size, alignment); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return allocated(size, alignment); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
