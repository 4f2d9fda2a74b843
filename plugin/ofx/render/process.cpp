#include "render/process.h"

#include <memory>
#include <mutex>

#include "host/host.h"

namespace cleanplate {
namespace {

constexpr size_t kMostDigests = 50000;

struct Shared {
    Connections connections;
    Cache cache;
    KnownDigests known_digests;
};

std::mutex lock;
int loaded = 0;
std::unique_ptr<Shared> shared;

Shared& get() {
    const std::lock_guard<std::mutex> guard(lock);
    if (!shared) shared = std::make_unique<Shared>();
    return *shared;
}

}  // namespace

void enter_process() {
    const std::lock_guard<std::mutex> guard(lock);
    ++loaded;
}

void leave_process() {
    const std::lock_guard<std::mutex> guard(lock);
    if (--loaded > 0) return;
    shared.reset();
    forget_suites();
}

void purge_process() { get().cache.clear(); }

Connections& connections() { return get().connections; }

Cache& cache() { return get().cache; }

KnownDigests& known_digests() { return get().known_digests; }

std::string KnownDigests::find(const std::string& name) {
    const std::lock_guard<std::mutex> guard(lock_);
    const auto found = name.empty() ? digests_.end() : digests_.find(name);
    return found == digests_.end() ? "" : found->second;
}

void KnownDigests::keep(const std::string& name, const std::string& digest) {
    if (name.empty()) return;
    const std::lock_guard<std::mutex> guard(lock_);
    if (digests_.size() >= kMostDigests) digests_.clear();
    digests_[name] = digest;
}

}  // namespace cleanplate
