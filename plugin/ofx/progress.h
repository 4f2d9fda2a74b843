// A bar in the host while a frame waits long for what is no frame: a worker that starts, weights that load.
#pragma once

#include <string>

#include "instance.h"
#include "patience.h"

namespace cleanplate {

// Used by one render; its bar, if it came to one, is gone when this goes. An instance has one bar at a time.
class Progress {
public:
    explicit Progress(Instance& instance) : instance_(instance) {}
    ~Progress() { end(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

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
