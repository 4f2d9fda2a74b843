// Names of shared memory.
#pragma once

#include <string>

namespace cleanplate::os {

// The name of the section that the kMemoryName bytes of a message mean.
std::wstring section_name(const char* bytes);

}  // namespace cleanplate::os
