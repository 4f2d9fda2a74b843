// A Unix socket; memory is passed as descriptors beside its bytes.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <deque>

#include "posix/flavour.h"
#include "posix/pages.h"
#include "system/errors.h"
#include "system/system.h"

namespace cleanplate::os {
namespace {

constexpr std::chrono::seconds kGreeting(30);

union Control {
    cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * kMostMemories)];
};

class Socket : public Stream {
public:
    explicit Socket(Descriptor socket) : socket_(std::move(socket)) {}

    size_t send(const char* bytes, size_t size, const SharedMemory* memory) override;
    bool receive(std::string& bytes) override;
    Descriptor take_memory(const char* name) override;
    bool wait(Event event, std::chrono::milliseconds time) override;

private:
    void collect(msghdr& message);

    Descriptor socket_;
    std::deque<Descriptor> arrived_;
};

size_t Socket::send(const char* bytes, size_t size, const SharedMemory* memory) {
    iovec part{const_cast<char*>(bytes), size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    Control control{};
    if (memory) {
        const int descriptor = number_of(memory->descriptor);
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(sizeof(int));
        cmsghdr* head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
    }
    for (;;) {
        const ssize_t count = ::sendmsg(number_of(socket_), &message, kSendFlags);
        if (count > 0) return static_cast<size_t>(count);
        if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
        if (errno != EINTR) throw ConnectionLost("it ended");
    }
}

bool Socket::receive(std::string& bytes) {
    char chunk[1 << 16];
    iovec part{chunk, sizeof chunk};
    Control control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.space;
    message.msg_controllen = sizeof control.space;
    const ssize_t count = ::recvmsg(number_of(socket_), &message, kReceiveFlags);
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    collect(message);
    if (arrived_.size() > kMostMemories || (message.msg_flags & MSG_CTRUNC))
        throw ConnectionLost("it sent more descriptors than a message may carry");
    bytes.append(chunk, static_cast<size_t>(count));
    return count > 0;
}

void Socket::collect(msghdr& message) {
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        const size_t found = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < found; ++i) {
            int number;
            std::memcpy(&number, CMSG_DATA(head) + i * sizeof number, sizeof number);
            keep(number);
            arrived_.emplace_back(number);
        }
    }
}

Descriptor Socket::take_memory(const char*) {
    if (arrived_.empty()) return Descriptor();
    Descriptor first = std::move(arrived_.front());
    arrived_.pop_front();
    return first;
}

bool Socket::wait(Event event, std::chrono::milliseconds time) {
    pollfd entry{number_of(socket_), static_cast<short>(event == Event::readable ? POLLIN : POLLOUT), 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(time.count()));
    if (ready < 0 && errno != EINTR) throw ConnectionLost("its connection cannot be waited for");
    return ready > 0;
}

}  // namespace

std::unique_ptr<Stream> connect(const std::string& place, const Patience& patience) {
    Descriptor socket(open_socket());
    if (!socket) throw UserError("The worker cannot be reached: too many files are open.");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, place.c_str(), place.size() + 1);
    const auto limit = Clock::now() + kGreeting;
    while (::connect(number_of(socket), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        if (errno == EACCES) throw UserError("The worker's socket " + place + " cannot be opened.");
        if ((errno != EAGAIN && errno != EINTR) || Clock::now() > limit) return nullptr;
        patience.sleep(std::chrono::milliseconds(10));
    }
    const auto user = peer_of(number_of(socket));
    if (!user || (*user != ::getuid() && *user != 0))
        throw UserError("The worker's socket " + place + " belongs to another user.");
    return std::make_unique<Socket>(std::move(socket));
}

}  // namespace cleanplate::os
