#include "posix/flavour.h"

#include <crt_externs.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/descriptor.h"

namespace cleanplate::os {

const int kSendFlags = MSG_DONTWAIT;
const int kReceiveFlags = MSG_DONTWAIT;
// A descriptor that another thread has just opened and not marked yet stays here as well.
const short kSpawnFlags = POSIX_SPAWN_CLOEXEC_DEFAULT;

int open_socket() noexcept {
    const int number = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (number < 0) return -1;
    const int on = 1;
    keep(number);
    if (::fcntl(number, F_SETFL, O_NONBLOCK) == 0 &&
        ::setsockopt(number, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) == 0)
        return number;
    close(number);
    return -1;
}

bool open_pipe(int (&ends)[2]) noexcept {
    if (::pipe(ends) != 0) return false;
    for (const int end : ends) keep(end);
    return true;
}

void keep(int descriptor) noexcept { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

std::optional<uid_t> peer_of(int socket) noexcept {
    uid_t user = 0;
    gid_t group = 0;
    if (::getpeereid(socket, &user, &group) != 0) return std::nullopt;
    return user;
}

char** environment() noexcept { return *_NSGetEnviron(); }

void inherit(posix_spawn_file_actions_t& actions, int descriptor) noexcept {
    ::posix_spawn_file_actions_addinherit_np(&actions, descriptor);
}

const timespec& modified(const struct stat& status) noexcept { return status.st_mtimespec; }

}  // namespace cleanplate::os
