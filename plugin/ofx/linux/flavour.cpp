#include "posix/flavour.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

extern char** environ;

namespace cleanplate::os {

const int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
const int kReceiveFlags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
const short kSpawnFlags = 0;

int open_socket() noexcept { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

bool open_pipe(int (&ends)[2]) noexcept { return ::pipe2(ends, O_CLOEXEC) == 0; }

void keep(int) noexcept {}  // kReceiveFlags said so.

std::optional<uid_t> peer_of(int socket) noexcept {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
    return peer.uid;
}

char** environment() noexcept { return environ; }

// Onto itself, which takes the close-on-exec flag away.
void inherit(posix_spawn_file_actions_t& actions, int descriptor) noexcept {
    ::posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor);
}

const timespec& modified(const struct stat& status) noexcept { return status.st_mtim; }

}  // namespace cleanplate::os
