// A named pipe; memory is passed by its name, behind the message that it belongs to.
#include <algorithm>

#include "system/errors.h"
#include "system/system.h"
#include "windows/handles.h"
#include "windows/sections.h"

namespace cleanplate::os {
namespace {

constexpr std::chrono::seconds kGreeting(30);
constexpr size_t kChunk = 1 << 16;

// Reading or writing that goes on while this side does something else.
struct Transfer {
    Transfer() : event(descriptor_of(::CreateEventW(nullptr, TRUE, FALSE, nullptr))), bytes(kChunk, '\0') {
        overlapped.hEvent = event ? handle_of(event) : nullptr;
    }
    Descriptor event;
    std::string bytes;
    OVERLAPPED overlapped{};
    bool pending = false;
};

class Pipe : public Stream {
public:
    explicit Pipe(Descriptor pipe) : pipe_(std::move(pipe)) {}
    ~Pipe() override;

    size_t send(const char* bytes, size_t size, const SharedMemory* memory) override;
    bool receive(std::string& bytes) override;
    Descriptor take_memory(const char* name) override;
    bool wait(Event event, std::chrono::milliseconds time) override;

private:
    bool begun(Transfer& transfer, BOOL done);
    bool ended(Transfer& transfer, DWORD& count);
    void read_ahead();

    Descriptor pipe_;
    Transfer reading_, writing_;
    bool gone_ = false;
};

// The system writes into the buffers until it has confirmed that it does not any more.
Pipe::~Pipe() {
    for (Transfer* transfer : {&reading_, &writing_}) {
        DWORD count = 0;
        if (!transfer->pending) continue;
        ::CancelIoEx(handle_of(pipe_), &transfer->overlapped);
        ::GetOverlappedResult(handle_of(pipe_), &transfer->overlapped, &count, TRUE);
    }
}

bool Pipe::begun(Transfer& transfer, BOOL done) {
    transfer.pending = done || ::GetLastError() == ERROR_IO_PENDING;
    if (!transfer.pending) gone_ = true;
    return transfer.pending;
}

// Whether a transfer is over; it may have found that the peer is gone.
bool Pipe::ended(Transfer& transfer, DWORD& count) {
    count = 0;
    if (!transfer.pending) return true;
    if (!::GetOverlappedResult(handle_of(pipe_), &transfer.overlapped, &count, FALSE)) {
        if (::GetLastError() == ERROR_IO_INCOMPLETE) return false;
        gone_ = true;
    }
    transfer.pending = false;
    return true;
}

size_t Pipe::send(const char* bytes, size_t size, const SharedMemory*) {
    DWORD count = 0;
    if (!ended(writing_, count)) return 0;
    const size_t part = std::min(size, kChunk);
    writing_.bytes.assign(bytes, part);
    if (gone_ || !begun(writing_, ::WriteFile(handle_of(pipe_), writing_.bytes.data(), static_cast<DWORD>(part),
                                              nullptr, &writing_.overlapped)))
        throw ConnectionLost("it ended");
    return part;
}

void Pipe::read_ahead() {
    if (!reading_.pending && !gone_)
        begun(reading_, ::ReadFile(handle_of(pipe_), reading_.bytes.data(), static_cast<DWORD>(kChunk), nullptr,
                                   &reading_.overlapped));
}

bool Pipe::receive(std::string& bytes) {
    DWORD count = 0;
    read_ahead();
    if (ended(reading_, count)) bytes.append(reading_.bytes.data(), count);
    return !gone_ || count;
}

Descriptor Pipe::take_memory(const char* name) {
    return descriptor_of(::OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, section_name(name).c_str()));
}

bool Pipe::wait(Event event, std::chrono::milliseconds time) {
    if (event == Event::readable) read_ahead();
    const Transfer& transfer = event == Event::readable ? reading_ : writing_;
    if (!transfer.pending) return true;
    const DWORD found = ::WaitForSingleObject(handle_of(transfer.event), static_cast<DWORD>(time.count()));
    if (found == WAIT_FAILED) throw ConnectionLost("its connection cannot be waited for");
    return found == WAIT_OBJECT_0;
}

bool of_same_user(const Descriptor& pipe) {
    ULONG server = 0;
    if (!::GetNamedPipeServerProcessId(handle_of(pipe), &server)) return false;
    const Descriptor process = descriptor_of(::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, server));
    const std::string own = user_of(::GetCurrentProcess());
    return process && !own.empty() && user_of(handle_of(process)) == own;
}

}  // namespace

std::string listening_place(const std::string& name) {
    return "\\\\.\\pipe\\cleanplate-" + user_of(::GetCurrentProcess()) + "-" + name;
}

std::unique_ptr<Stream> connect(const std::string& place, const Patience& patience) {
    // Whoever listens learns who we are and cannot act in our name.
    constexpr DWORD flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
    const auto limit = Clock::now() + kGreeting;
    for (;;) {
        Descriptor pipe = descriptor_of(::CreateFileW(wide(place).c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                                      OPEN_EXISTING, flags, nullptr));
        if (pipe) {
            if (!of_same_user(pipe)) throw UserError("The worker's pipe " + place + " belongs to another user.");
            return std::make_unique<Pipe>(std::move(pipe));
        }
        const DWORD error = ::GetLastError();
        if (error == ERROR_ACCESS_DENIED) throw UserError("The worker's pipe " + place + " cannot be opened.");
        if (error != ERROR_PIPE_BUSY || Clock::now() > limit) return nullptr;
        patience.sleep(std::chrono::milliseconds(10));
    }
}

}  // namespace cleanplate::os
