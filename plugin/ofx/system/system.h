// All that the adapter asks of the operating system. posix/ with linux/ or macos/ implements it, and windows/.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "system/descriptor.h"
#include "system/patience.h"

namespace cleanplate::os {

// Memory to share with another process. `name` is what a message must say of it, of kMemoryName bytes: nothing where
// the descriptor itself travels.
struct SharedMemory {
    Descriptor descriptor;
    std::string name;
    size_t size = 0;
};

extern const size_t kMemoryName;

// What was created is gone once nobody has its descriptor any more, though a message names it: keep it meanwhile.
extern const bool kKeepUntilReleased;

// New memory of at least `size` bytes that nobody can resize. Throws std::bad_alloc.
SharedMemory create_memory(size_t size);

// The bytes of memory that a peer passed; none unless it is memory that nobody can make smaller.
std::optional<size_t> fixed_size(const Descriptor& memory) noexcept;

// Where the first bytes of memory are now, to be read and written; null if they cannot be.
void* map(const Descriptor& memory, size_t size) noexcept;
void unmap(void* address, size_t size) noexcept;

enum class Event { readable, writable };

constexpr size_t kMostMemories = 4;

// A byte stream to the worker, along which memory is passed. One thread at a time; nothing but `wait` ever waits.
class Stream {
public:
    virtual ~Stream() = default;

    // How many bytes went off, 0 if there is no room now; memory goes along with the first. Throws ConnectionLost.
    virtual size_t send(const char* bytes, size_t size, const SharedMemory* memory) = 0;

    // Appends what has arrived; false when the stream has ended. Throws ConnectionLost.
    virtual bool receive(std::string& bytes) = 0;

    // The next memory that arrived, named in a message by kMemoryName bytes; none if there is none.
    virtual Descriptor take_memory(const char* name) = 0;

    // Whether it can be read or written within a time. Throws ConnectionLost.
    virtual bool wait(Event event, std::chrono::milliseconds time) = 0;
};

// Where the worker of this name listens. Throws UserError where that cannot be.
std::string listening_place(const std::string& name);

// A stream to whoever of the same user listens there; none where nobody does. Throws UserError, Cancelled.
std::unique_ptr<Stream> connect(const std::string& place, const Patience& patience);

int64_t process_id() noexcept;

// Whether the machine shows an NVIDIA GPU; looks at names only.
bool gpu_in_sight();

bool exists(const std::string& path);
bool has_folder(const std::string& path);  // names one, whether it is there or not
std::string absolute(const std::string& path);

// Tells a file from another of the same name; "" for what is no file.
std::string stamp(const std::string& path);

}  // namespace cleanplate::os
