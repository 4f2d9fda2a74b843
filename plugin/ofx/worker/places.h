// Where the worker of a device is to be found; the same rules as plugin/worker/protocol/paths.py.
#pragma once

#include <string>

namespace cleanplate {

// The device that a name means: `auto` is the first GPU if the machine seems to have one. Throws UserError.
std::string resolve_device(const std::string& name);

// Where the worker of a device listens. Throws UserError.
std::string meeting_place(const std::string& device);

// A file's name as the worker, which has a folder of its own, understands it; other names are left alone.
std::string whole_path(const std::string& name);

}  // namespace cleanplate
