#include "patience.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "errors.h"

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

bool Patience::wait_for(int descriptor, short events, Clock::time_point until) const {
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
        const auto step = std::clamp(left, std::chrono::milliseconds(0), kLookAgain);
        pollfd entry{descriptor, events, 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(step.count()));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) throw ConnectionLost("its connection cannot be waited for");
        check();
        if (Clock::now() >= until) return false;
    }
}

void Patience::sleep(std::chrono::milliseconds time) const {
    check();
    ::poll(nullptr, 0, static_cast<int>(std::min(time, kLookAgain).count()));
    check();
}

}  // namespace cleanplate
