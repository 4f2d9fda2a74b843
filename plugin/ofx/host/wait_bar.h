// A bar in the host while a frame waits long for what is no frame: a worker that starts, weights that load.
#pragma once

#include <string>

#include "host/instance.h"
#include "system/patience.h"

namespace cleanplate {

// Used by one render; its bar, if it came to one, is gone when this goes. An instance has one bar at a time.
class WaitBar {
public:
    explicit WaitBar(Instance& instance) : instance_(instance) {}
    ~WaitBar() { end(); }
    WaitBar(const WaitBar&) = delete;
    WaitBar& operator=(const WaitBar&) = delete;

    // From now on a wait has this name; a bar comes only if it lasts.
    void begin(const std::string& label);

    // To be called again and again while waiting; never waits itself, and takes no answer of the host for a wish.
    void look();

    // The wait is over.
    void end();

private:
    Instance& instance_;
    std::string label_;
    Clock::time_point since_{}, updated_{};
    bool shown_ = false;
};

}  // namespace cleanplate
