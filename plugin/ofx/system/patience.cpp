#include "system/patience.h"

#include <algorithm>
#include <thread>

#include "system/errors.h"

namespace cleanplate {
namespace {

// A host that cancels wants its thread back within a tenth of a second.
constexpr std::chrono::milliseconds kLookAgain(25);

}  // namespace

Patience Patience::brief() {
    return Patience([until = Clock::now() + 2 * kLookAgain] { return Clock::now() > until; });
}

void Patience::check() const {
    if (aborted_ && aborted_()) throw Cancelled{};
}

bool Patience::wait_for(const std::function<bool(std::chrono::milliseconds)>& ready, Clock::time_point until) const {
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
        if (ready(std::clamp(left, std::chrono::milliseconds(0), kLookAgain))) return true;
        check();
        if (Clock::now() >= until) return false;
    }
}

void Patience::sleep(std::chrono::milliseconds time) const {
    check();
    std::this_thread::sleep_for(std::min(time, kLookAgain));
    check();
}

}  // namespace cleanplate
