// Handles and texts as Windows has them.
#pragma once

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#define NOMINMAX
#include <windows.h>

#include <string>

#include "system/descriptor.h"

namespace cleanplate::os {

inline HANDLE handle_of(const Descriptor& descriptor) { return reinterpret_cast<HANDLE>(descriptor.number()); }

// Takes over a handle; Windows says that there is none in two ways.
inline Descriptor descriptor_of(HANDLE handle) {
    return Descriptor(handle ? reinterpret_cast<std::intptr_t>(handle) : -1);
}

// Names come from hosts in UTF-8.
std::wstring wide(const std::string& text);
std::string narrow(const std::wstring& text);

// The security identifier of the user whose process it is, as text; "" if the system does not tell.
std::string user_of(HANDLE process);

}  // namespace cleanplate::os
