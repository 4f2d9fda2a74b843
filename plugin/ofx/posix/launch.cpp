#include "system/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "posix/flavour.h"
#include "posix/pages.h"
#include "posix/places.h"
#include "system/errors.h"

namespace cleanplate {
namespace {

constexpr std::chrono::seconds kStart(180);
constexpr size_t kMostWords = 1 << 16;

// A Python worker needs none of what a host sets for its own Python, and much of it would break one.
bool scrubbed(const char* entry) {
    for (const char* name :
         {"PYTHON", "LD_LIBRARY_PATH=", "LD_PRELOAD=", "DYLD_", "__PYVENV_LAUNCHER__=", "QT_", "NATRON"})
        if (std::strncmp(entry, name, std::strlen(name)) == 0) return true;
    return false;
}

// Runs a command in the background and is gone at once, so that the host never has a child to wait for.
constexpr const char* kShell = "/bin/sh";
constexpr const char* kScript = "{ cd \"$0\" && exec \"$@\"; } &";

// What posix_spawn is told; it spares the host a copy of its memory, and its libraries their handlers of forks.
class Setup {
public:
    Setup(int output, int lock) {
        ::posix_spawn_file_actions_init(&files_);
        ::posix_spawn_file_actions_addopen(&files_, 0, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_adddup2(&files_, output, 1);
        ::posix_spawn_file_actions_adddup2(&files_, output, 2);
        os::inherit(files_, lock);
        ::posix_spawnattr_init(&attributes_);
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setflags(&attributes_, static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                                    POSIX_SPAWN_SETSIGDEF | os::kSpawnFlags));
    }
    ~Setup() {
        ::posix_spawn_file_actions_destroy(&files_);
        ::posix_spawnattr_destroy(&attributes_);
    }
    Setup(const Setup&) = delete;
    Setup& operator=(const Setup&) = delete;

    bool run(std::vector<std::string> words) const {
        std::vector<char*> arguments, environment;
        for (std::string& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        for (char** entry = os::environment(); *entry; ++entry)
            if (!scrubbed(*entry)) environment.push_back(*entry);
        environment.push_back(nullptr);
        pid_t shell = 0;
        if (::posix_spawn(&shell, kShell, &files_, &attributes_, arguments.data(), environment.data()) != 0)
            return false;
        while (::waitpid(shell, nullptr, 0) < 0 && errno == EINTR) continue;
        return true;
    }

private:
    posix_spawn_file_actions_t files_;
    posix_spawnattr_t attributes_;
};

// What a line decides; nothing where a library wrote it.
Birth birth_of(const std::string& line) {
    for (const char* word : {"ready", "unusable", "error"})
        if (line.rfind(std::string(word) + ' ', 0) == 0) return {word, line.substr(std::strlen(word) + 1)};
    // After what a library wrote without an end of the line.
    const size_t ready = line.rfind("ready ");
    if (ready != line.npos && line.find_first_not_of("0123456789", ready + 6) == line.npos) return {"ready", ""};
    return {};
}

}  // namespace

Descriptor lock_folder(const Patience& patience) {
    const std::string folder = os::runtime_folder();
    Descriptor lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock) throw UserError("The folder " + folder + " for the worker's socket cannot be opened.");
    for (const auto limit = Clock::now() + kStart; ::flock(os::number_of(lock), LOCK_EX | LOCK_NB) != 0;) {
        if (Clock::now() > limit)
            throw UserError("Another process has been starting a worker in " + folder + " for too long.");
        patience.sleep(std::chrono::milliseconds(20));
    }
    return lock;
}

Birth start_worker(const Launch& launch, const std::string& device, const Descriptor& lock, const Patience& patience) {
    int ends[2];
    if (!os::open_pipe(ends)) throw UserError("The worker cannot be started: too many files are open.");
    const Descriptor reader(ends[0]);
    Descriptor writer(ends[1]);
    const Setup setup(os::number_of(writer), os::number_of(lock));
    if (!setup.run({kShell, "-c", kScript, launch.folder.empty() ? "/" : launch.folder, launch.python, "-m",
                    "plugin.worker", "--device", device, "--lock", std::to_string(lock.number())}))
        throw UserError("The worker cannot be started: there can be no more processes.");
    writer = Descriptor();

    const auto readable = [&reader](auto time) {
        pollfd entry{os::number_of(reader), POLLIN, 0};
        return ::poll(&entry, 1, static_cast<int>(time.count())) > 0;
    };
    std::string said;
    const auto limit = Clock::now() + kStart;
    for (size_t begin = 0;;) {
        char piece[512];
        if (!patience.wait_for(readable, limit)) break;
        const ssize_t count = ::read(os::number_of(reader), piece, sizeof piece);
        if (count == 0 || (count < 0 && errno != EINTR)) break;
        if (count > 0) said.append(piece, static_cast<size_t>(count));
        for (size_t end; (end = said.find('\n', begin)) != said.npos; begin = end + 1)
            if (Birth birth = birth_of(said.substr(begin, end - begin)); !birth.word.empty()) return birth;
        if (begin > kMostWords) said.erase(0, std::exchange(begin, 0));
    }
    return {"", said};
}

}  // namespace cleanplate
