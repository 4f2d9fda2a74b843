// A node in the host's graph: its parameters and clips. Holds nothing that decides pixels.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "host/abi.h"
#include "host/face.h"
#include "worker/msgpack.h"

namespace cleanplate {

class Instance {
public:
    Instance(const Face& face, OfxImageEffectHandle effect);

    // The instance behind a handle that the host passes to an action. Throws ActionFailed.
    static Instance& of(OfxImageEffectHandle effect);

    const Face& face() const { return face_; }
    OfxImageEffectHandle effect() const { return effect_; }
    OfxImageClipHandle input(size_t index) const { return inputs_[index]; }
    OfxImageClipHandle output() const { return output_; }
    bool connected(size_t index) const;

    // A parameter's value at a time, as the worker takes it: a text, number or truth value.
    Value value(size_t index, double time) const;
    std::string text(const char* name, double time) const;

    // Whether any input is read from a file.
    bool reads_files(double time) const;

    // Enables the parameters that have a meaning now, and shows those of files once there are some.
    void update_enabled() const;

    void show(const std::string& sentence);
    void clear_message();

    // What the read-only parameters are to say once the host lets a parameter be set: not while it renders.
    void remember_status(const std::string& sentence);
    void remember_weights(const std::string& sentence);
    void update_status();

    // The right to show a bar, which one render at a time has; false if another one has it.
    bool take_progress() { return !in_progress_.exchange(true); }
    void give_progress() { in_progress_ = false; }

private:
    void set_state(size_t index, const char* property, bool state) const;
    std::string word(const char* name) const;

    const Face& face_;
    OfxImageEffectHandle effect_;
    std::vector<OfxImageClipHandle> inputs_;
    OfxImageClipHandle output_ = nullptr;
    std::vector<OfxParamHandle> params_;
    std::mutex lock_;
    bool shown_ = false;
    std::atomic<bool> in_progress_{false};
    // By the names of the parameters that are to hold them; taken out when they were shown.
    std::map<std::string, std::string> to_show_;
};

}  // namespace cleanplate
