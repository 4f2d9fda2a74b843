// The worker's Python is written for Linux and macOS: on Windows the adapter only meets one that runs already.
#include "system/launch.h"

#include "system/errors.h"

namespace cleanplate {
namespace {

[[noreturn]] void refuse() {
    throw UserError(
        "Cleanplate's worker does not run on Windows yet: render this node on Linux, in a host or with "
        "'cleanplate render'.");
}

}  // namespace

Launch read_launch() { refuse(); }

Descriptor lock_folder(const Patience&) { refuse(); }

Birth start_worker(const Launch&, const std::string&, const Descriptor&, const Patience&) { refuse(); }

}  // namespace cleanplate
