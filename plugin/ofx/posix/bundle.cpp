// What the bundle that this code was loaded from says about the worker.
#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <fstream>

#include "system/errors.h"
#include "system/launch.h"

namespace cleanplate {
namespace {

// The folder Contents of the bundle this code was loaded from.
std::string contents_folder() {
    Dl_info info{};
    char real[PATH_MAX];
    if (!::dladdr(reinterpret_cast<void*>(&contents_folder), &info) || !::realpath(info.dli_fname, real))
        throw UserError("The Cleanplate plug-in cannot tell where it was loaded from; install it again.");
    std::string path = real;
    for (int up = 0; up < 2; ++up) path.erase(path.find_last_of('/'));
    return path;
}

}  // namespace

Launch read_launch() {
    const std::string path = contents_folder() + "/Resources/worker.txt";
    std::ifstream file(path);
    Launch launch;
    for (std::string line; std::getline(file, line);) {
        const size_t equals = line.find('=');
        if (equals == line.npos) continue;
        const std::string key = line.substr(0, equals), value = line.substr(equals + 1);
        if (key == "python") launch.python = value;
        if (key == "folder") launch.folder = value;
        if (key == "release") launch.release = value;
    }
    if (launch.python.empty())
        throw UserError("The file " + path + " that says where the worker is, is missing; run 'make plugin' again.");
    if (::access(launch.python.c_str(), X_OK) != 0)
        throw UserError("The worker cannot be started: " + launch.python +
                        " is not there; run 'make plugin' in the "
                        "folder where Cleanplate is now.");
    return launch;
}

}  // namespace cleanplate
