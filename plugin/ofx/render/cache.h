// Results of the last frames, so that one answer of the worker serves every plane and output of a frame.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "render/dependency.h"
#include "worker/result.h"

namespace cleanplate {

struct CachedResult {
    std::string key;
    std::vector<Dependency> dependencies;
    std::shared_ptr<const Result> result;
};

class Cache {
public:
    // The results of a key, last used first; whether their footage is unchanged is for the caller to see.
    std::vector<CachedResult> find(const std::string& key);

    void keep(CachedResult entry);
    void clear();

private:
    std::mutex lock_;
    std::list<CachedResult> entries_;
};

}  // namespace cleanplate
