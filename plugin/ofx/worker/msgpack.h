// msgpack, as far as the worker's protocol uses it: reading is strict and never believes a length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cleanplate {

// A value of a message.
class Value {
public:
    enum class Type { integer, number, truth, text, binary, list, map };
    using List = std::vector<Value>;
    using Map = std::vector<std::pair<std::string, Value>>;

    explicit Value(bool truth) : type_(Type::truth), integer_(truth) {}
    explicit Value(int64_t integer) : type_(Type::integer), integer_(integer) {}
    explicit Value(double number) : type_(Type::number), number_(number) {}
    explicit Value(std::string text) : type_(Type::text), text_(std::move(text)) {}
    explicit Value(List list) : type_(Type::list), list_(std::move(list)) {}
    explicit Value(Map map) : type_(Type::map), map_(std::move(map)) {}
    // Without this a literal would become a truth value.
    explicit Value(const char* text) : Value(std::string(text)) {}
    static Value binary(std::string bytes);

    Type type() const { return type_; }
    bool is_text() const { return type_ == Type::text; }

    // The text of our own value, however long; "" for other types.
    const std::string& own_text() const { return text_; }

    // These throw ConnectionLost where the value is of another type or out of the range.
    int64_t integer(int64_t low, int64_t high) const;
    double number() const;
    bool truth() const;
    const std::string& text(size_t longest = 16384) const;
    const List& list(size_t longest) const;
    const Map& map() const;
    const Value& at(const char* key) const;
    // The field, or nothing: newer workers send more fields.
    const Value* find(const char* key) const;

    // A number or a text as the status line shows it.
    std::string shown() const;

    // Throws UserError for what the worker would not take: text that is not UTF-8, numbers that are infinite or none.
    void pack(std::string& out) const;

private:
    Type type_;
    int64_t integer_ = 0;
    double number_ = 0;
    std::string text_;
    List list_;
    Map map_;
};

// The one value that `bytes` hold. Throws ConnectionLost unless they are exactly that.
Value unpack(const std::string& bytes);

}  // namespace cleanplate
