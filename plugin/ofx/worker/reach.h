// Reaching the worker of a device, and the connections to it that this process keeps.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker/connection.h"

namespace cleanplate {

class Connections {
public:
    // A connection that nobody else uses; starts the worker where there is none. `device` is as the user named it.
    // Throws UserError, Cancelled.
    std::unique_ptr<Connection> take(const std::string& device, const Patience& patience);

    // Keeps a connection for the next frame.
    void give(std::unique_ptr<Connection> connection);

    void close();

private:
    std::mutex lock_;
    std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace cleanplate
