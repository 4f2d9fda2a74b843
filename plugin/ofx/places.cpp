#include "places.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "errors.h"

namespace cleanplate {
namespace {

constexpr size_t kLongestSocket = 95;

std::string setting(const char* name, const char* fallback = "") {
    const char* value = std::getenv(name);
    return value ? value : fallback;
}

bool gpu_in_sight() {
    std::string visible = setting("CUDA_VISIBLE_DEVICES", "0");
    while (!visible.empty() && std::isspace(static_cast<unsigned char>(visible.back()))) visible.pop_back();
    while (!visible.empty() && std::isspace(static_cast<unsigned char>(visible.front()))) visible.erase(0, 1);
    if (visible.empty() || visible == "-1" || visible == "NoDevFiles") return false;
    bool found = ::access("/dev/dxg", F_OK) == 0;
    if (DIR* devices = ::opendir("/dev")) {
        while (const dirent* entry = ::readdir(devices))
            found = found || (std::strncmp(entry->d_name, "nvidia", 6) == 0 &&
                              std::isdigit(static_cast<unsigned char>(entry->d_name[6])));
        ::closedir(devices);
    }
    return found;
}

// The number of `cuda:N`, or -1 for what is no such name.
int gpu_number(const std::string& name) {
    if (name.compare(0, 5, "cuda:") != 0) return -1;
    const std::string digits = name.substr(5);
    const bool number = !digits.empty() && digits.size() <= 2 && digits.find_first_not_of("0123456789") == digits.npos;
    return number && (digits[0] != '0' || digits.size() == 1) ? std::atoi(digits.c_str()) : -1;
}

// The name a device has whoever asks: the physical GPU, since CUDA_VISIBLE_DEVICES renumbers them.
std::string slot(const std::string& device) {
    const int index = gpu_number(device);
    if (index < 0) return device;
    if (!std::getenv("CUDA_VISIBLE_DEVICES")) return "cuda-" + std::to_string(index);
    std::string chosen = setting("CUDA_VISIBLE_DEVICES") + ",";
    std::string physical = "none-" + std::to_string(index);
    for (int i = 0; i <= index && !chosen.empty(); ++i) {
        const size_t comma = chosen.find(',');
        if (i == index) physical = chosen.substr(0, comma);
        chosen.erase(0, comma + 1);
    }
    const char* blank = " \t\r\n";
    physical.erase(0, physical.find_first_not_of(blank));
    physical.erase(physical.find_last_not_of(blank) + 1);
    for (char& c : physical)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
    return "cuda-" + physical.substr(0, 40);
}

void make_folder(const std::string& path, bool with_parents) {
    if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return;
    const size_t slash = path.find_last_of('/');
    if (with_parents && errno == ENOENT && slash != path.npos && slash > 0) {
        make_folder(path.substr(0, slash), true);
        if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return;
    }
    throw UserError("The folder " + path + " for the worker's socket cannot be used: " + std::strerror(errno) + ".");
}

std::string absolute(const std::string& path) {
    if (!path.empty() && path[0] == '/') return path;
    char here[PATH_MAX];
    return ::getcwd(here, sizeof here) ? std::string(here) + "/" + path : path;
}

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

std::string resolve_device(const std::string& name) {
    if (name == "auto" || name.empty()) return gpu_in_sight() ? "cuda:0" : "cpu";
    if (name != "cpu" && gpu_number(name) < 0)
        throw UserError("There is no device '" + name + "': 'device' is auto, cpu, cuda:0, cuda:1 and so on.");
    return name;
}

std::string runtime_folder() {
    const std::string chosen = setting("CLEANPLATE_RUNTIME"), session = setting("XDG_RUNTIME_DIR");
    std::string folder = "/tmp/cleanplate-" + std::to_string(::getuid());
    if (!chosen.empty()) {
        folder = absolute(chosen);
    } else if (!session.empty() && ::access(session.c_str(), W_OK | X_OK) == 0) {
        folder = session + "/cleanplate";
    }
    make_folder(folder, !chosen.empty());
    struct stat status {};
    if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::getuid())
        throw UserError("The folder " + folder + " does not belong to you, so the worker's socket cannot be there; "
                        "remove it.");
    if ((status.st_mode & 077) && ::chmod(folder.c_str(), 0700) != 0)
        throw UserError("The folder " + folder + " for the worker's socket can be entered by others; remove it.");
    return folder;
}

std::string socket_path(const std::string& device) {
    const std::string path = runtime_folder() + "/worker-" + slot(device) + ".sock";
    if (path.size() > kLongestSocket)
        throw UserError("The path " + path + " is too long for a socket: set CLEANPLATE_RUNTIME to a shorter folder.");
    return path;
}

std::string whole_path(const std::string& name) {
    if (name.compare(0, 2, "~/") == 0 && !setting("HOME").empty()) return setting("HOME") + name.substr(1);
    const bool file = name.find('/') != name.npos || (!name.empty() && ::access(name.c_str(), F_OK) == 0);
    return file ? absolute(name) : name;
}

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
        throw UserError("The worker cannot be started: " + launch.python + " is not there; run 'make plugin' in the "
                        "folder where Cleanplate is now.");
    return launch;
}

}  // namespace cleanplate
