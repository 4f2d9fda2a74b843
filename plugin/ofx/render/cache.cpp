#include "render/cache.h"

#include <algorithm>

namespace cleanplate {
namespace {

constexpr size_t kMostEntries = 8;
constexpr size_t kMostBytes = size_t{400} << 20;

}  // namespace

std::vector<CachedResult> Cache::find(const std::string& key) {
    const std::lock_guard<std::mutex> guard(lock_);
    std::vector<CachedResult> found;
    for (const CachedResult& entry : entries_)
        if (entry.key == key) found.push_back(entry);
    return found;
}

void Cache::keep(CachedResult entry) {
    std::list<CachedResult> dropped;
    const std::lock_guard<std::mutex> guard(lock_);
    // A frame has one result; other footage or more passes make the old one useless.
    for (auto it = entries_.begin(); it != entries_.end();) {
        const auto next = std::next(it);
        if (it->key == entry.key) dropped.splice(dropped.end(), entries_, it);
        it = next;
    }
    entries_.push_front(std::move(entry));
    size_t bytes = 0, count = 0;
    for (auto it = entries_.begin(); it != entries_.end();) {
        const auto next = std::next(it);
        bytes += it->result->bytes();
        if (++count > 1 && (count > kMostEntries || bytes > kMostBytes)) dropped.splice(dropped.end(), entries_, it);
        it = next;
    }
}

void Cache::clear() {
    const std::lock_guard<std::mutex> guard(lock_);
    entries_.clear();
}

}  // namespace cleanplate
