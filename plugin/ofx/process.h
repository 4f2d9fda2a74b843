// What all nodes of this process share: connections to workers, and results.
#pragma once

#include "cache.h"
#include "reach.h"

namespace cleanplate {

// Called once per node's Load and Unload; the last one to leave closes what is open.
void enter_process();
void leave_process();

// Gives back the memory that is only kept to save time.
void purge_process();

Connections& connections();
Cache& cache();

}  // namespace cleanplate
