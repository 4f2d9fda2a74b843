#include "worker/buffers.h"

#include <algorithm>

#include "system/errors.h"

namespace cleanplate {
namespace {

constexpr size_t kKeptFree = 3;
constexpr size_t kMostAway = 24;
constexpr size_t kMostKnown = 256;
constexpr uint64_t kLargest = uint64_t{1} << 36;

}  // namespace

void Returned::add(uint32_t number) {
    const std::lock_guard<std::mutex> guard(lock_);
    numbers_.push_back(number);
}

std::vector<uint32_t> Returned::take() {
    const std::lock_guard<std::mutex> guard(lock_);
    return std::exchange(numbers_, {});
}

Lease::Lease(std::shared_ptr<Mapping> memory, uint32_t number, std::shared_ptr<Returned> returned)
    : memory_(std::move(memory)), number_(number), returned_(std::move(returned)) {}

Lease::~Lease() {
    if (number_) returned_->add(number_);
}

std::shared_ptr<Lease> Incoming::open(uint32_t number, uint64_t size, const std::vector<Descriptor>& descriptors) {
    const auto known = number ? known_.find(number) : known_.end();
    if (number && leased_[number]) throw ConnectionLost("it sent a buffer that is still looked at");
    if (descriptors.size() != (known == known_.end() ? 1u : 0u))
        throw ConnectionLost("it sent a buffer without its memory");
    if (known != known_.end()) {
        if (known->second->size() != size) throw ConnectionLost("it sent a buffer that changed its size");
        leased_[number] = true;
        return std::make_shared<Lease>(known->second, number, returned_);
    }
    if (!size || size > kLargest || known_.size() >= kMostKnown) throw ConnectionLost("it sent too large a buffer");
    auto memory = open_memory(descriptors[0], size);
    if (number) {
        known_[number] = memory;
        leased_[number] = true;
    }
    return std::make_shared<Lease>(std::move(memory), number, returned_);
}

void Incoming::forget(uint32_t number) {
    if (leased_[number] || !known_.erase(number)) throw ConnectionLost("it takes back a buffer that is in use");
    leased_.erase(number);
}

std::vector<uint32_t> Incoming::releases() {
    std::vector<uint32_t> numbers = returned_->take();
    for (const uint32_t number : numbers) leased_[number] = false;
    return numbers;
}

std::shared_ptr<Parcel> Outgoing::take(size_t size) {
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
        const size_t has = (*it)->memory->size();
        if (has >= size && has <= 2 * size + 65536 && (best == free_.end() || has < (*best)->memory->size())) best = it;
    }
    std::shared_ptr<Parcel> parcel;
    if (best != free_.end()) {
        parcel = *best;
        free_.erase(best);
    } else {
        NewMemory made = create_mapped(size);
        const uint32_t number = os::kKeepUntilReleased || away_.size() < kMostAway ? ++last_ : 0;
        parcel = std::make_shared<Parcel>(Parcel{number, std::move(made.memory), std::move(made.mapping)});
    }
    if (parcel->number) away_[parcel->number] = parcel;
    return parcel;
}

void Outgoing::released(uint32_t number) {
    const auto it = away_.find(number);
    if (it == away_.end()) throw ConnectionLost("it gave back a buffer that it does not have");
    free_.push_back(it->second);
    away_.erase(it);
}

std::vector<uint32_t> Outgoing::surplus() {
    std::vector<uint32_t> numbers;
    for (; free_.size() > kKeptFree; free_.erase(free_.begin())) numbers.push_back(free_.front()->number);
    return numbers;
}

}  // namespace cleanplate
