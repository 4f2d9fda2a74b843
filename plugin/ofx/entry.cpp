// The two functions that a host looks for in the binary.
#include <array>
#include <utility>

#include "actions.h"
#include "face_count.h"
#include "host/host.h"

namespace cleanplate {
namespace {

constexpr unsigned kMajor = 1;

// A main entry is not told for which node it is called: each has one of its own.
template <int index>
OfxStatus main_entry(const char* action, const void* handle, OfxPropertySetHandle in, OfxPropertySetHandle out) {
    return act(faces[index], action, handle, in, out);
}

template <int... index>
OfxPlugin* plugins(std::integer_sequence<int, index...>) {
    static std::array<OfxPlugin, sizeof...(index)> table{
        OfxPlugin{kOfxImageEffectPluginApi, kOfxImageEffectPluginApiVersion, faces[index].plugin_id, kMajor,
                  faces[index].version, set_host, main_entry<index>}...};
    return table.data();
}

}  // namespace
}  // namespace cleanplate

extern "C" {

__attribute__((visibility("default"))) int OfxGetNumberOfPlugins(void) { return kFaceCount; }

__attribute__((visibility("default"))) OfxPlugin* OfxGetPlugin(int index) {
    if (index < 0 || index >= kFaceCount) return nullptr;
    return cleanplate::plugins(std::make_integer_sequence<int, kFaceCount>()) + index;
}

}  // extern "C"
