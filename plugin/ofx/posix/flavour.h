// What Linux and macOS call differently.
#pragma once

#include <spawn.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <optional>

namespace cleanplate::os {

// A stream socket that never waits, is not inherited, and sends no signal when its peer has gone; -1 if there is none.
int open_socket() noexcept;

// Both ends of a pipe that is not inherited.
bool open_pipe(int (&ends)[2]) noexcept;

extern const int kSendFlags, kReceiveFlags;

// Sees to it that a descriptor that arrived is not inherited.
void keep(int descriptor) noexcept;

std::optional<uid_t> peer_of(int socket) noexcept;

char** environment() noexcept;

// Has a child inherit a descriptor, and with kSpawnFlags as few others as the system can tell.
void inherit(posix_spawn_file_actions_t& actions, int descriptor) noexcept;
extern const short kSpawnFlags;

const timespec& modified(const struct stat& status) noexcept;

}  // namespace cleanplate::os
