// Waiting, without ever keeping the host waiting for long.
#pragma once

#include <chrono>
#include <functional>

namespace cleanplate {

using Clock = std::chrono::steady_clock;

// How long to wait: until the host gives up (`aborted`), or until a time has come.
class Patience {
public:
    explicit Patience(std::function<bool()> aborted) : aborted_(std::move(aborted)) {}

    // Patience for what must not take long: it ends, as if the host had given up, after a moment.
    static Patience brief();

    // Throws Cancelled once the host does not want the frame any more.
    void check() const;

    // Waits until something is ready; false when `until` came first. `ready` waits for it at most so long and says
    // whether it is. Throws Cancelled.
    bool wait_for(const std::function<bool(std::chrono::milliseconds)>& ready, Clock::time_point until) const;

    void sleep(std::chrono::milliseconds time) const;

private:
    std::function<bool()> aborted_;
};

}  // namespace cleanplate
