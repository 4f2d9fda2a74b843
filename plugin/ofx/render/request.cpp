#include "render/request.h"

#include "system/errors.h"

namespace cleanplate {
namespace {

// The worker may die so often with a frame under way, and so often before it began with it.
constexpr int kRestarts = 2;
constexpr int kBystanderRestarts = 10;
constexpr size_t kLongestParameter = 65536;

Value::Map message_of(const FrameRequest& request, const ClipInputs& inputs, uint32_t number) {
    for (const auto& [name, value] : request.params)
        if (value.own_text().size() > kLongestParameter)
            throw UserError("The parameter " + name + " is too long for the worker.");
    Value::List passes;
    for (const std::string& pass : request.passes) passes.emplace_back(pass);
    return {
        {"job", Value(int64_t{number})},          {"node", Value(request.node)},
        {"frame", Value(int64_t{request.frame})}, {"params", Value(request.params)},
        {"inputs", Value(inputs.spans())},        {"priority", Value(request.interactive ? "interactive" : "batch")},
        {"passes", Value(std::move(passes))}};
}

class Conversation {
public:
    Conversation(const FrameRequest& request, ClipInputs& inputs, Connection& connection, const Patience& patience,
                 const Listener& listener)
        : request_(request), inputs_(inputs), connection_(connection), patience_(patience), listener_(listener) {}

    bool started() const { return started_; }

    std::shared_ptr<const Result> hold() {
        number_ = connection_.next_job();
        connection_.send(kRender, message_of(request_, inputs_, number_), patience_);
        for (;;) {
            const Message message = connection_.receive(patience_);
            if (auto result = answer(message)) return result;
        }
    }

    // The worker need not go on.
    void give_up() {
        if (number_) connection_.send(kCancel, {{"job", Value(int64_t{number_})}}, Patience::brief());
    }

private:
    std::shared_ptr<const Result> answer(const Message& message) {
        const Value& fields = message.fields;
        const bool ours = message.code == kNote || fields.at("job").integer(0, 0xFFFFFFFF) == number_;
        switch (message.code) {
            case kResult: {
                auto pixels = connection_.open(fields.at("buffer"), message.descriptors);
                return ours ? read_result(fields, std::move(pixels)) : nullptr;
            }
            case kFailed:
                if (ours) fail(fields);
                break;
            case kNeed:
                if (ours) inputs_.answer_need(fields, connection_);
                break;
            case kNeedIdentity:
                if (ours) inputs_.answer_identity(fields, connection_);
                break;
            case kStarted: started_ = started_ || ours; break;
            case kNote: listener_.note(fields.at("sentence").text(4096)); break;
            default: throw ConnectionLost("it sent a message that is not for a client");
        }
        return nullptr;
    }

    [[noreturn]] static void fail(const Value& fields) {
        std::string sentence = fields.at("sentence").text(4096);
        // The worker cancels nothing by itself: it is about to end.
        if (fields.at("kind").text(64) == "cancelled") throw ConnectionLost("it gave up");
        throw UserError(sentence.empty() ? "The worker failed without a reason." : sentence);
    }

    const FrameRequest& request_;
    ClipInputs& inputs_;
    Connection& connection_;
    const Patience& patience_;
    const Listener& listener_;
    uint32_t number_ = 0;
    bool started_ = false;
};

}  // namespace

std::shared_ptr<const Result> request_frame(const FrameRequest& request, ClipInputs& inputs, Connections& connections,
                                            const Patience& patience, const Listener& listener) {
    for (int deaths = 0, bystander_deaths = 0;;) {
        listener.reaching();
        auto connection = connections.take(request.device, patience);
        listener.reached();
        Conversation conversation(request, inputs, *connection, patience, listener);
        try {
            auto result = conversation.hold();
            connections.give(std::move(connection));
            return result;
        } catch (const ConnectionLost& lost) {
            ++(conversation.started() ? deaths : bystander_deaths);
            if (deaths > kRestarts || bystander_deaths > kBystanderRestarts)
                throw UserError("The worker died " + std::to_string(deaths ? deaths : bystander_deaths) +
                                " times while it rendered frame " + std::to_string(request.frame) +
                                ", perhaps because memory ran out (" + lost.what() + "); its log is " +
                                connection->log() + ".");
        } catch (const OtherVersion&) {
            throw UserError("The worker changed its protocol; stop it with 'cleanplate worker stop'.");
        } catch (...) {
            try {
                conversation.give_up();
                connections.give(std::move(connection));
            } catch (...) {
                // The connection goes, and with it the job.
            }
            throw;
        }
    }
}

}  // namespace cleanplate
