// A digest of pixels: equal digests mean, for all that chance can do, equal pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cleanplate {

class Digest {
public:
    void add(const void* bytes, size_t size);
    void add(int64_t number) { add(&number, sizeof number); }
    void add(double number) { add(&number, sizeof number); }
    void add(const std::string& text);

    // 32 bytes.
    std::string bytes() const;

private:
    uint64_t lanes_[4] = {0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89};
};

}  // namespace cleanplate
