// What can go wrong on the way to a frame.
#pragma once

#include <stdexcept>
#include <string>

namespace cleanplate {

// Something the artist can mend; what() is one finished sentence.
struct UserError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The host does not want the frame any more.
struct Cancelled {};

// The worker's connection ended or carried nonsense; the frame may be asked for again.
struct ConnectionLost : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A status that an action returns to the host as it is.
struct ActionFailed {
    int status;
};

}  // namespace cleanplate
