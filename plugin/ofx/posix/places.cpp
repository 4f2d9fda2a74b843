#include "posix/places.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "posix/flavour.h"
#include "system/errors.h"
#include "system/system.h"

namespace cleanplate::os {
namespace {

constexpr size_t kLongestSocket = 95;

std::string setting(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
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

}  // namespace

std::string runtime_folder() {
    const std::string chosen = setting("CLEANPLATE_RUNTIME"), session = setting("XDG_RUNTIME_DIR");
    std::string folder = "/tmp/cleanplate-" + std::to_string(::getuid());
    if (!chosen.empty()) {
        folder = absolute(chosen);
    } else if (!session.empty() && ::access(session.c_str(), W_OK | X_OK) == 0) {
        folder = session + "/cleanplate";
    }
    struct stat status{};
    if (::lstat(folder.c_str(), &status) == 0 && S_ISLNK(status.st_mode))
        throw UserError("The folder " + folder + " is a link, and the worker's socket has to lie in a folder itself: " +
                        (chosen.empty() ? "remove the link, or " : "") + "set CLEANPLATE_RUNTIME to another folder.");
    make_folder(folder, !chosen.empty());
    if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::getuid())
        throw UserError("The folder " + folder +
                        " does not belong to you, so the worker's socket cannot be there; "
                        "remove it, or set CLEANPLATE_RUNTIME to a folder of your own.");
    if ((status.st_mode & 077) && ::chmod(folder.c_str(), 0700) != 0)
        throw UserError("The folder " + folder + " for the worker's socket can be entered by others; remove it.");
    return folder;
}

std::string listening_place(const std::string& name) {
    const std::string path = runtime_folder() + "/" + name + ".sock";
    if (path.size() > kLongestSocket)
        throw UserError("The path " + path + " is too long for a socket: set CLEANPLATE_RUNTIME to a shorter folder.");
    return path;
}

int64_t process_id() noexcept { return ::getpid(); }

bool gpu_in_sight() {
    bool found = ::access("/dev/dxg", F_OK) == 0;
    if (DIR* devices = ::opendir("/dev")) {
        while (const dirent* entry = ::readdir(devices))
            found = found || (std::strncmp(entry->d_name, "nvidia", 6) == 0 &&
                              std::isdigit(static_cast<unsigned char>(entry->d_name[6])));
        ::closedir(devices);
    }
    return found;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

bool has_folder(const std::string& path) { return path.find('/') != path.npos; }

std::string absolute(const std::string& path) {
    if (!path.empty() && path[0] == '/') return path;
    char here[PATH_MAX];
    return ::getcwd(here, sizeof here) ? std::string(here) + "/" + path : path;
}

std::string stamp(const std::string& path) {
    struct stat status{};
    if (path.empty() || ::stat(path.c_str(), &status) != 0) return "";
    const timespec& time = modified(status);
    return std::to_string(status.st_size) + " " + std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec) +
           " " + std::to_string(status.st_ino);
}

}  // namespace cleanplate::os
