#include "worker/reach.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "system/errors.h"
#include "system/launch.h"
#include "worker/places.h"

namespace cleanplate {
namespace {

constexpr std::chrono::seconds kGreeting(30);
constexpr std::chrono::seconds kStart(180);
constexpr size_t kBirths = 5;
constexpr size_t kLastWords = 300;
constexpr size_t kMostIdle = 16;

// The device cannot be used on this machine.
struct Unusable {
    std::string sentence;
};

std::string sentence_of(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
    if (!text.empty() && text.back() != '.') text += '.';
    return text;
}

// The end of what a process said before it died, in a line that can be shown, without the stack that led there.
std::string last_words(const std::string& said) {
    std::string words;
    std::istringstream lines(said);
    for (std::string line; std::getline(lines, line);) {
        const bool stack = line.empty() || line[0] == ' ' || line[0] == '\t' || line.rfind("Traceback", 0) == 0 ||
                           line.rfind("Current thread", 0) == 0 || line.rfind("Extension modules", 0) == 0;
        if (!stack) words += (words.empty() ? "" : "; ") + line;
    }
    for (char& letter : words)
        if (letter < ' ' || letter > '~') letter = '?';
    return words.size() > kLastWords ? words.substr(words.size() - kLastWords) : words;
}

std::string without_digits(std::string words) {
    words.erase(std::remove_if(words.begin(), words.end(), [](char c) { return c >= '0' && c <= '9'; }), words.end());
    return words;
}

// A greeted connection; none where there is no worker, or one that makes room for another. `ours` says that we have
// just started the worker, so that one of another version is there to stay.
std::unique_ptr<Connection> greet(const std::string& device, const std::string& release, const Patience& patience,
                                  bool ours = false) {
    auto stream = os::connect(meeting_place(device), patience);
    if (!stream) return nullptr;
    Wire wire(std::move(stream));
    try {
        wire.send(kHello,
                  Value(Value::Map{{"release", Value(release)},
                                   {"build", Value("current")},
                                   {"pid", Value(os::process_id())},
                                   {"name", Value("OpenFX")}}),
                  patience);
        const auto answer = wire.receive(patience, Clock::now() + kGreeting);
        if (!answer)
            throw UserError("The worker for " + device +
                            " does not answer; stop it with 'cleanplate worker stop' or "
                            "end its process.");
        if (answer->code == kRefused && !answer->fields.at("retired").truth())
            throw UserError(sentence_of(answer->fields.at("sentence").text()));
        if (answer->code != kWelcome) return nullptr;
        return std::make_unique<Connection>(std::move(wire), device, answer->fields.at("log").text());
    } catch (const ConnectionLost&) {
        return nullptr;
    } catch (const OtherVersion& other) {
        if (!ours) return nullptr;
        throw UserError("The worker for " + device + " speaks protocol " + std::to_string(other.version) +
                        ", this plug-in protocol 1: install the plug-in and Cleanplate in the same version.");
    }
}

std::unique_ptr<Connection> connect_or_start(const std::string& device, const Patience& patience) {
    Launch launch;
    try {
        launch = read_launch();
    } catch (const UserError&) {
        // A worker that runs already does not need it.
        if (auto connection = greet(device, "", patience)) return connection;
        throw;
    }
    if (auto connection = greet(device, launch.release, patience)) return connection;
    const Descriptor lock = lock_folder(patience);
    const auto limit = Clock::now() + kStart;
    bool ours = false;
    for (std::set<std::string> causes;;) {
        if (auto connection = greet(device, launch.release, patience, ours)) return connection;
        if (Clock::now() > limit) throw UserError("The worker for " + device + " cannot be reached.");
        const Birth birth = start_worker(launch, device, lock, patience);
        if (birth.word == "unusable") throw Unusable{sentence_of(birth.rest)};
        if (birth.word == "error") throw UserError(sentence_of(birth.rest));
        ours = birth.word == "ready";
        if (ours) continue;
        // Somebody may have killed it by mistake; what comes the same way twice is no mistake.
        const std::string words = last_words(birth.rest);
        if (!causes.insert(without_digits(words)).second || causes.size() == kBirths)
            throw UserError(
                "The worker for " + device + " ended while it started" +
                (words.empty() ? " without a word, as one that is killed when memory runs out" : ": " + words) +
                "; 'cleanplate doctor' says more.");
    }
}

}  // namespace

std::unique_ptr<Connection> Connections::take(const std::string& device, const Patience& patience) {
    const std::string resolved = resolve_device(device);
    for (;;) {
        std::unique_ptr<Connection> found;
        {
            const std::lock_guard<std::mutex> guard(lock_);
            const auto it = std::find_if(idle_.begin(), idle_.end(), [&](const auto& c) { return c->asked == device; });
            if (it == idle_.end()) break;
            found = std::move(*it);
            idle_.erase(it);
        }
        if (found->refresh()) return found;
    }
    std::unique_ptr<Connection> made;
    try {
        made = connect_or_start(resolved, patience);
    } catch (const Unusable& unusable) {
        if (device != "auto" || resolved == "cpu") throw UserError(unusable.sentence);
        made = connect_or_start("cpu", patience);
    }
    made->asked = device;
    return made;
}

void Connections::give(std::unique_ptr<Connection> connection) {
    if (!connection || !connection->refresh()) return;
    const std::lock_guard<std::mutex> guard(lock_);
    if (idle_.size() < kMostIdle) idle_.push_back(std::move(connection));
}

void Connections::close() {
    std::vector<std::unique_ptr<Connection>> closing;
    const std::lock_guard<std::mutex> guard(lock_);
    closing.swap(idle_);
}

}  // namespace cleanplate
