#include "render/digest.h"

#include <cstring>

namespace cleanplate {
namespace {

uint64_t stirred(uint64_t state, uint64_t word) {
    state ^= word * 0x9E3779B97F4A7C15;
    return (state << 29 | state >> 35) * 0xBF58476D1CE4E5B9;
}

}  // namespace

// Every step is one-to-one in the state and in the word, so that a single difference can never get lost.
void Digest::add(const void* bytes, size_t size) {
    const auto* at = static_cast<const unsigned char*>(bytes);
    uint64_t words[4], lanes[4];
    std::memcpy(lanes, lanes_, sizeof lanes);
    size_t left = size;
    // Copies of a fixed size become plain loads, and the lanes stay in registers.
    for (; left >= sizeof words; left -= sizeof words, at += sizeof words) {
        std::memcpy(words, at, sizeof words);
        for (int lane = 0; lane < 4; ++lane) lanes[lane] = stirred(lanes[lane], words[lane]);
    }
    if (left) {
        std::memset(words, 0, sizeof words);
        std::memcpy(words, at, left);
        for (int lane = 0; lane < 4; ++lane) lanes[lane] = stirred(lanes[lane], words[lane]);
    }
    lanes[0] = stirred(lanes[0], size);
    std::memcpy(lanes_, lanes, sizeof lanes);
}

void Digest::add(const std::string& text) { add(text.data(), text.size()); }

std::string Digest::bytes() const {
    uint64_t mixed[4];
    for (int lane = 0; lane < 4; ++lane) {
        mixed[lane] = lanes_[lane];
        for (int other = 1; other < 4; ++other) mixed[lane] = stirred(mixed[lane], lanes_[(lane + other) % 4]);
        mixed[lane] ^= mixed[lane] >> 31;
    }
    return std::string(reinterpret_cast<const char*>(mixed), sizeof mixed);
}

}  // namespace cleanplate
