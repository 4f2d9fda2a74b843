// What all nodes of this process share: connections to workers, and results.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "render/cache.h"
#include "worker/reach.h"

namespace cleanplate {

// Called once per node's Load and Unload; the last one to leave closes what is open.
void enter_process();
void leave_process();

// Digests of pictures whose host gives them names, so that a long chain of earlier frames is read once.
class KnownDigests {
public:
    // The digest, or "". Nothing has the name "".
    std::string find(const std::string& name);
    void keep(const std::string& name, const std::string& digest);

private:
    std::mutex lock_;
    std::unordered_map<std::string, std::string> digests_;
};

// Gives back the memory that is only kept to save time.
void purge_process();

Connections& connections();
Cache& cache();
KnownDigests& known_digests();

}  // namespace cleanplate
