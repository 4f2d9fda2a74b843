#include "launch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "errors.h"

extern char** environ;

namespace cleanplate {
namespace {

constexpr std::chrono::seconds kStart(180);

// A Python worker needs none of what a host sets for its own Python, and much of it would break one.
bool scrubbed(const char* entry) {
    for (const char* name : {"PYTHONPATH=", "PYTHONHOME=", "PYTHONNOUSERSITE=", "PYTHONSTARTUP=", "LD_LIBRARY_PATH=",
                             "LD_PRELOAD=", "QT_", "NATRON"})
        if (std::strncmp(entry, name, std::strlen(name)) == 0) return true;
    return false;
}

// What the new process needs, made before the fork: after it, nothing may be allocated.
struct Command {
    std::vector<std::string> words;
    std::vector<char*> arguments, environment;
    std::string folder, failure;
};

Command command_of(const Launch& launch, const std::string& device, int lock) {
    Command command;
    command.words = {launch.python, "-m", "plugin.worker", "--device", device, "--lock", std::to_string(lock)};
    for (std::string& word : command.words) command.arguments.push_back(word.data());
    command.arguments.push_back(nullptr);
    for (char** entry = environ; *entry; ++entry)
        if (!scrubbed(*entry)) command.environment.push_back(*entry);
    command.environment.push_back(nullptr);
    command.folder = launch.folder;
    command.failure = "error the worker cannot be started: " + launch.python + " cannot be run\n";
    return command;
}

// In the new process; calls nothing but what is safe there.
[[noreturn]] void become(const Command& command, int output, int lock) {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(output, 1);
    ::dup2(null, 2);
    ::fcntl(lock, F_SETFD, 0);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (command.folder.empty() || ::chdir(command.folder.c_str()) == 0)
        ::execve(command.arguments[0], command.arguments.data(), command.environment.data());
    const ssize_t written = ::write(1, command.failure.data(), command.failure.size());
    ::_exit(written > 0 ? 1 : 2);
}

}  // namespace

Descriptor lock_folder(const Patience& patience) {
    const std::string folder = runtime_folder();
    Descriptor lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock) throw UserError("The folder " + folder + " for the worker's socket cannot be opened.");
    for (const auto limit = Clock::now() + kStart; ::flock(lock.number(), LOCK_EX | LOCK_NB) != 0;) {
        if (Clock::now() > limit)
            throw UserError("Another process has been starting a worker in " + folder + " for too long.");
        patience.sleep(std::chrono::milliseconds(20));
    }
    return lock;
}

std::string start_worker(const Launch& launch, const std::string& device, const Descriptor& lock,
                         const Patience& patience) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw UserError("The worker cannot be started: too many files are open.");
    const Descriptor reader(ends[0]);
    Descriptor writer(ends[1]);
    const Command command = command_of(launch, device, lock.number());
    // Twice, so that the host never has a child to wait for.
    const pid_t middle = ::fork();
    if (middle < 0) throw UserError("The worker cannot be started: there can be no more processes.");
    if (middle == 0) {
        ::setsid();
        const pid_t child = ::fork();
        if (child == 0) become(command, writer.number(), lock.number());
        ::_exit(child < 0);
    }
    writer = Descriptor();
    while (::waitpid(middle, nullptr, 0) < 0 && errno == EINTR) continue;

    std::string text;
    const auto limit = Clock::now() + kStart;
    while (text.find('\n') == text.npos) {
        char piece[512];
        if (!patience.wait_for(reader.number(), POLLIN, limit)) break;
        const ssize_t count = ::read(reader.number(), piece, sizeof piece);
        if (count == 0 || (count < 0 && errno != EINTR)) break;
        if (count > 0) text.append(piece, static_cast<size_t>(count));
    }
    return text.substr(0, text.find('\n'));
}

}  // namespace cleanplate
