// Folders as POSIX has them.
#pragma once

#include <string>

namespace cleanplate::os {

// The user's private folder for sockets, made if need be. Throws UserError if others can get at it.
std::string runtime_folder();

}  // namespace cleanplate::os
