// Where the worker of a device is to be found; the same rules as plugin/worker/paths.py.
#pragma once

#include <string>

namespace cleanplate {

// The device that a name means: `auto` is the first GPU if the machine seems to have one. Throws UserError.
std::string resolve_device(const std::string& name);

// The user's private folder for sockets, made if need be. Throws UserError if others can get at it.
std::string runtime_folder();

std::string socket_path(const std::string& device);

// A file's name as the worker, which has a folder of its own, understands it; other names are left alone.
std::string whole_path(const std::string& name);

// How the worker is started.
struct Launch {
    std::string python;
    std::string folder;
    std::string release;
};

// What the bundle says about that. Throws UserError where it is not there.
Launch read_launch();

}  // namespace cleanplate
