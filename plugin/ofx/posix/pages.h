// Descriptors and pages of memory as POSIX has them.
#pragma once

#include <unistd.h>

#include <cstddef>

#include "system/descriptor.h"

namespace cleanplate::os {

inline int number_of(const Descriptor& descriptor) { return static_cast<int>(descriptor.number()); }

// A size rounded up to whole pages, at least one.
inline size_t whole_pages(size_t size) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    return size ? (size + page - 1) / page * page : page;
}

}  // namespace cleanplate::os
