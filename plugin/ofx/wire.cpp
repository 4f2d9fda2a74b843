#include "wire.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "errors.h"

namespace cleanplate {
namespace {

constexpr char kMagic[] = "CPWK";
constexpr unsigned kVersion = 1;
constexpr size_t kHeader = 16;
constexpr size_t kMaxPayload = 1 << 20;
constexpr size_t kMaxDescriptors = 4;
constexpr std::chrono::seconds kStuck(30);

void put_little(std::string& out, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i);
}

uint32_t little(const std::string& bytes, size_t at, int count) {
    uint32_t value = 0;
    for (int i = count - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

union Control {
    cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * kMaxDescriptors)];
};

}  // namespace

void Wire::send(int code, const Value& fields, const Patience& patience, int descriptor) {
    if (broken_) throw ConnectionLost("its connection was cut off");
    std::string payload;
    fields.pack(payload);
    if (payload.size() > kMaxPayload) throw UserError("The parameters of the node are too long for the worker.");
    std::string data(kMagic, 4);
    put_little(data, kVersion, 2);
    put_little(data, static_cast<uint32_t>(code), 2);
    put_little(data, static_cast<uint32_t>(payload.size()), 4);
    put_little(data, descriptor >= 0, 2);
    put_little(data, 0, 2);
    data += payload;
    broken_ = true;
    for (size_t sent = 0; sent < data.size();) {
        iovec part{data.data() + sent, data.size() - sent};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        Control control{};
        if (!sent && descriptor >= 0) {
            message.msg_control = control.space;
            message.msg_controllen = CMSG_SPACE(sizeof(int));
            cmsghdr* head = CMSG_FIRSTHDR(&message);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(sizeof(int));
            std::memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
        }
        const ssize_t count = ::sendmsg(socket_.number(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            sent += static_cast<size_t>(count);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            try {
                if (!patience.wait_for(socket_.number(), POLLOUT, Clock::now() + kStuck))
                    throw ConnectionLost("it does not listen");
            } catch (const Cancelled&) {
                broken_ = sent > 0;
                throw;
            }
        } else if (errno != EINTR) {
            throw ConnectionLost("it ended");
        }
    }
    broken_ = false;
}

std::optional<Message> Wire::receive(const Patience& patience, Clock::time_point until) {
    for (;;) {
        if (auto message = parse()) return message;
        const auto limit = bytes_.empty() ? until : Clock::now() + kStuck;
        if (!patience.wait_for(socket_.number(), POLLIN, limit)) {
            if (bytes_.empty()) return std::nullopt;
            throw ConnectionLost("it stopped within a message");
        }
        if (!read_some()) throw ConnectionLost("it ended");
    }
}

// Whether the connection is still there.
bool Wire::read_some() {
    char chunk[1 << 16];
    iovec part{chunk, sizeof chunk};
    Control control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.space;
    message.msg_controllen = sizeof control.space;
    const ssize_t count = ::recvmsg(socket_.number(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        const size_t found = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < found; ++i) {
            int number;
            std::memcpy(&number, CMSG_DATA(head) + i * sizeof number, sizeof number);
            descriptors_.emplace_back(number);
        }
    }
    if (descriptors_.size() > kMaxDescriptors || (message.msg_flags & MSG_CTRUNC))
        throw ConnectionLost("it sent more descriptors than a message may carry");
    bytes_.append(chunk, static_cast<size_t>(count));
    return count > 0;
}

std::optional<Message> Wire::parse() {
    if (bytes_.size() < kHeader) return std::nullopt;
    if (bytes_.compare(0, 4, kMagic) != 0 || little(bytes_, 14, 2) != 0)
        throw ConnectionLost("it sent what is no message");
    const auto version = static_cast<int>(little(bytes_, 4, 2));
    if (version != static_cast<int>(kVersion)) throw OtherVersion{version};
    const size_t length = little(bytes_, 8, 4), count = little(bytes_, 12, 2);
    if (length > kMaxPayload || count > kMaxDescriptors) throw ConnectionLost("it sent a message that is too long");
    if (bytes_.size() < kHeader + length) return std::nullopt;
    if (descriptors_.size() < count) throw ConnectionLost("it did not send the descriptors it announced");
    Message message{static_cast<int>(little(bytes_, 6, 2)), unpack(bytes_.substr(kHeader, length)), {}};
    for (size_t i = 0; i < count; ++i) {
        message.descriptors.push_back(std::move(descriptors_.front()));
        descriptors_.pop_front();
    }
    bytes_.erase(0, kHeader + length);
    return message;
}

}  // namespace cleanplate
