// The adapter's half of the Windows transport talks to a worker that this program plays itself. Prints "talked".
#include <stdio.h>

#include <cstring>
#include <thread>

#include "system/errors.h"
#include "windows/handles.h"
#include "windows/sections.h"
#include "worker/shared_memory.h"
#include "worker/wire.h"

using namespace cleanplate;

namespace {

constexpr size_t kSize = 100000, kLong = 900000;

#define CHECK(what)                                   \
    do {                                              \
        if (!(what)) {                                \
            printf("line %d: %s\n", __LINE__, #what); \
            fflush(stdout);                           \
            ::ExitProcess(1);                         \
        }                                             \
    } while (0)

template <typename Error, typename Action>
bool throws(Action action) {
    try {
        action();
    } catch (const Error&) {
        return true;
    } catch (...) {
    }
    return false;
}

std::string read(HANDLE pipe, size_t size) {
    std::string bytes(size, '\0');
    for (size_t got = 0; got < size;) {
        DWORD count = 0;
        CHECK(::ReadFile(pipe, bytes.data() + got, static_cast<DWORD>(size - got), &count, nullptr));
        got += count;
    }
    return bytes;
}

void write(HANDLE pipe, const std::string& bytes) {
    DWORD count = 0;
    CHECK(::WriteFile(pipe, bytes.data(), static_cast<DWORD>(bytes.size()), &count, nullptr) && count == bytes.size());
}

// A message as it stands on the wire, but for the names of its memories.
std::string message(const std::string& payload, int memories) {
    std::string bytes("CPWK\1\0\13\0", 8);
    for (const size_t number : {payload.size(), size_t{0}, static_cast<size_t>(memories), size_t{0}})
        for (const int shift : {0, 8}) bytes += static_cast<char>(number >> shift & 0xFF);
    return bytes + payload;
}

std::string read_message(HANDLE pipe) {
    const std::string header = read(pipe, 16);
    CHECK(header.compare(0, 4, "CPWK") == 0);
    uint32_t length = 0;
    std::memcpy(&length, header.data() + 8, sizeof length);
    return read(pipe, length + static_cast<size_t>(header[12]) * os::kMemoryName);
}

// Takes a message with memory, doubles its pixels into memory of its own, is slow to read a long message, announces
// memory that is not there, hangs up.
void play_worker(HANDLE pipe, HANDLE go_on) {
    CHECK(::ConnectNamedPipe(pipe, nullptr) || ::GetLastError() == ERROR_PIPE_CONNECTED);
    const std::string first = read_message(pipe);
    const std::wstring name = os::section_name(first.data() + first.size() - os::kMemoryName);
    const Descriptor theirs =
        os::descriptor_of(::OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, name.c_str()));
    CHECK(theirs);
    const auto from = open_memory(theirs, kSize);
    const os::SharedMemory own = os::create_memory(kSize);
    const Mapping to(own.descriptor, own.size);
    for (size_t i = 0; i < kSize; ++i) to.bytes()[i] = static_cast<char>(from->bytes()[i] * 2);
    const std::string answer = message("\x80", 1) + own.name;
    write(pipe, answer.substr(0, 20));
    ::Sleep(60);
    write(pipe, answer.substr(20));
    ::WaitForSingleObject(go_on, INFINITE);
    const std::string slow = read_message(pipe);
    CHECK(slow.size() > kLong && slow.back() == 'x');
    write(pipe, message("\x80", 1) + std::string(os::kMemoryName, '\7'));
    ::WaitForSingleObject(go_on, INFINITE);
    ::CloseHandle(pipe);
}

void converse(const std::string& place, HANDLE go_on) {
    const Patience patient(nullptr);
    auto stream = os::connect(place, patient);
    CHECK(stream);
    Wire wire(std::move(stream));

    const NewMemory sent = create_mapped(kSize);
    for (size_t i = 0; i < kSize; ++i) sent.mapping->bytes()[i] = static_cast<char>(i % 50);
    wire.send(6, Value(Value::Map{{"a", Value(int64_t{1})}}), patient, &sent.memory);
    const auto answer = wire.receive(patient, Clock::now() + std::chrono::seconds(20));
    CHECK(answer && answer->code == 11 && answer->descriptors.size() == 1);
    const auto pixels = open_memory(answer->descriptors[0], kSize);
    for (size_t i = 0; i < kSize; ++i) CHECK(pixels->bytes()[i] == static_cast<char>(i % 50 * 2));
    CHECK(throws<ConnectionLost>([&] { open_memory(answer->descriptors[0], 10 * kSize); }));

    // The host gives up while nothing comes; the next read finds what comes later.
    const auto before = Clock::now();
    CHECK(throws<Cancelled>([&] { wire.receive(Patience::brief(), Clock::now() + std::chrono::hours(1)); }));
    CHECK(Clock::now() - before < std::chrono::seconds(10));
    CHECK(!wire.receive(patient, Clock::now()));

    ::SetEvent(go_on);
    wire.send(4, Value(Value::Map{{"t", Value(std::string(kLong, 'x'))}}), patient);
    CHECK(throws<ConnectionLost>([&] { wire.receive(patient, Clock::now() + std::chrono::seconds(20)); }));
    ::SetEvent(go_on);
}

// Nobody reads: the host still gets its thread back, and nothing is written into freed memory afterwards.
void talk_to_the_deaf(const std::string& place) {
    const Descriptor pipe = os::descriptor_of(
        ::CreateNamedPipeW(os::wide(place).c_str(), PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, nullptr));
    CHECK(pipe);
    auto stream = os::connect(place, Patience(nullptr));
    CHECK(stream);
    Wire wire(std::move(stream));
    const Value long_one(Value::Map{{"t", Value(std::string(kLong, 'x'))}});
    CHECK(throws<Cancelled>([&] { wire.send(4, long_one, Patience::brief()); }));
    CHECK(wire.broken());
}

}  // namespace

int main() {
    const std::string place = os::listening_place("worker-test-" + std::to_string(os::process_id()));
    CHECK(!os::connect(place, Patience(nullptr)));
    const HANDLE go_on = ::CreateEventW(nullptr, FALSE, FALSE, nullptr);
    const HANDLE pipe =
        ::CreateNamedPipeW(os::wide(place).c_str(), PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, nullptr);
    CHECK(pipe != INVALID_HANDLE_VALUE);
    std::thread worker(play_worker, pipe, go_on);
    converse(place, go_on);
    worker.join();
    CHECK(!os::connect(place, Patience(nullptr)));
    talk_to_the_deaf(place);

    CHECK(os::exists("C:\\windows") && !os::exists("C:\\nowhere"));
    CHECK(os::has_folder("a\\b") && !os::has_folder("b"));
    CHECK(os::absolute("C:\\windows") == "C:\\windows" && os::absolute("\xC3\xA9.exr").find(":\\") == 1);
    CHECK(!os::stamp("C:\\windows").empty() && os::stamp("C:\\nowhere").empty() && os::stamp("").empty());
    printf("talked\n");
    return 0;
}
