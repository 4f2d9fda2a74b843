#include "process.h"

#include <memory>
#include <mutex>

namespace cleanplate {
namespace {

struct Shared {
    Connections connections;
    Cache cache;
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
    if (--loaded == 0) shared.reset();
}

void purge_process() { get().cache.clear(); }

Connections& connections() { return get().connections; }

Cache& cache() { return get().cache; }

}  // namespace cleanplate
