// Shared memory on Windows: a section under a name that nobody can guess. Its size never changes.
#include "windows/handles.h"

#include <ntsecapi.h>

#include <new>

#include "system/system.h"
#include "windows/sections.h"

namespace cleanplate::os {
namespace {

constexpr size_t kPage = 4096;

}  // namespace

const size_t kMemoryName = 16;
const bool kKeepUntilReleased = true;

std::wstring section_name(const char* bytes) {
    std::wstring name = L"Local\\cleanplate-";
    for (size_t i = 0; i < kMemoryName; ++i)
        for (const int shift : {4, 0}) name += L"0123456789abcdef"[static_cast<unsigned char>(bytes[i]) >> shift & 15];
    return name;
}

SharedMemory create_memory(size_t size) {
    SharedMemory memory;
    memory.size = size ? (size + kPage - 1) / kPage * kPage : kPage;
    memory.name.resize(kMemoryName);
    if (!::RtlGenRandom(memory.name.data(), static_cast<ULONG>(kMemoryName))) throw std::bad_alloc();
    memory.descriptor = descriptor_of(::CreateFileMappingW(
        INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, static_cast<DWORD>(uint64_t{memory.size} >> 32),
        static_cast<DWORD>(memory.size), section_name(memory.name.data()).c_str()));
    if (!memory.descriptor || ::GetLastError() == ERROR_ALREADY_EXISTS) throw std::bad_alloc();
    return memory;
}

std::optional<size_t> fixed_size(const Descriptor& memory) noexcept {
    void* address = map(memory, 0);
    if (!address) return std::nullopt;
    MEMORY_BASIC_INFORMATION region{};
    const bool known = ::VirtualQuery(address, &region, sizeof region) != 0;
    unmap(address, 0);
    // Memory that is only reserved cannot be read.
    if (!known || region.State != MEM_COMMIT) return std::nullopt;
    return region.RegionSize;
}

void* map(const Descriptor& memory, size_t size) noexcept {
    return ::MapViewOfFile(handle_of(memory), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, size);
}

void unmap(void* address, size_t) noexcept { ::UnmapViewOfFile(address); }

}  // namespace cleanplate::os
