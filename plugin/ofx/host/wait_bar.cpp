#include "host/wait_bar.h"

#include <cmath>

#include "host/host.h"

namespace cleanplate {
namespace {

// Shorter waits are not worth a bar, and a bar not a call more often than this.
constexpr std::chrono::milliseconds kLong(1000), kBetween(200);
// Nobody knows how long it takes: after this time the bar is at two thirds, and it never comes to its end by itself.
constexpr std::chrono::duration<double> kUsual(15.0);

}  // namespace

void WaitBar::begin(const std::string& label) {
    end();
    label_ = label;
    since_ = Clock::now();
}

void WaitBar::look() {
    if (label_.empty() || !suites.progress) return;
    const auto now = Clock::now();
    if (!shown_) {
        if (now - since_ < kLong || !instance_.take_progress()) return;
        shown_ = true;
        suites.progress->progressStart(instance_.effect(), label_.c_str());
    } else if (now - updated_ < kBetween) {
        return;
    }
    updated_ = now;
    // Natron's window says no to the first updates from a render thread though nobody cancelled: abort() alone is
    // asked.
    suites.progress->progressUpdate(instance_.effect(), 1 - std::exp(-((now - since_) / kUsual)));
}

void WaitBar::end() {
    label_.clear();
    if (!shown_) return;
    shown_ = false;
    suites.progress->progressEnd(instance_.effect());
    instance_.give_progress();
}

}  // namespace cleanplate
