#include "worker/places.h"

#include <cctype>
#include <cstdlib>

#include "system/errors.h"
#include "system/system.h"

namespace cleanplate {
namespace {

std::string setting(const char* name, const char* fallback = "") {
    const char* value = std::getenv(name);
    return value ? value : fallback;
}

bool gpu_in_sight() {
    std::string visible = setting("CUDA_VISIBLE_DEVICES", "0");
    while (!visible.empty() && std::isspace(static_cast<unsigned char>(visible.back()))) visible.pop_back();
    while (!visible.empty() && std::isspace(static_cast<unsigned char>(visible.front()))) visible.erase(0, 1);
    if (visible.empty() || visible == "-1" || visible == "NoDevFiles") return false;
    return os::gpu_in_sight();
}

// The number of `cuda:N`, or -1 for what is no such name.
int gpu_number(const std::string& name) {
    if (name.compare(0, 5, "cuda:") != 0) return -1;
    const std::string digits = name.substr(5);
    const bool number = !digits.empty() && digits.size() <= 2 && digits.find_first_not_of("0123456789") == digits.npos;
    return number && (digits[0] != '0' || digits.size() == 1) ? std::atoi(digits.c_str()) : -1;
}

// The name a device has whoever asks: the physical GPU, since CUDA_VISIBLE_DEVICES renumbers them.
std::string slot(const std::string& device) {
    const int index = gpu_number(device);
    if (index < 0) return device;
    if (!std::getenv("CUDA_VISIBLE_DEVICES")) return "cuda-" + std::to_string(index);
    std::string chosen = setting("CUDA_VISIBLE_DEVICES") + ",";
    std::string physical = "none-" + std::to_string(index);
    for (int i = 0; i <= index && !chosen.empty(); ++i) {
        const size_t comma = chosen.find(',');
        if (i == index) physical = chosen.substr(0, comma);
        chosen.erase(0, comma + 1);
    }
    const char* blank = " \t\r\n";
    physical.erase(0, physical.find_first_not_of(blank));
    physical.erase(physical.find_last_not_of(blank) + 1);
    for (char& c : physical)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
    return "cuda-" + physical.substr(0, 40);
}

}  // namespace

std::string resolve_device(const std::string& name) {
    if (name == "auto" || name.empty()) return gpu_in_sight() ? "cuda:0" : "cpu";
    if (name != "cpu" && gpu_number(name) < 0)
        throw UserError("There is no device '" + name + "': 'device' is auto, cpu, cuda:0, cuda:1 and so on.");
    return name;
}

std::string meeting_place(const std::string& device) { return os::listening_place("worker-" + slot(device)); }

std::string whole_path(const std::string& name) {
    if (name.compare(0, 2, "~/") == 0 && !setting("HOME").empty()) return setting("HOME") + name.substr(1);
    const bool file = os::has_folder(name) || (!name.empty() && os::exists(name));
    return file ? os::absolute(name) : name;
}

}  // namespace cleanplate
