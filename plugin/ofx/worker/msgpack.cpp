#include "worker/msgpack.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "system/errors.h"

namespace cleanplate {
namespace {

constexpr int kDeepest = 8;
constexpr size_t kMostEntries = 4096;
constexpr size_t kLongestText = 4 * 65536;

[[noreturn]] void wrong(const char* what) { throw ConnectionLost(std::string("it sent ") + what); }

void put(std::string& out, uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

void put_head(std::string& out, int small, size_t small_limit, int wide, size_t length) {
    if (small >= 0 && length < small_limit) {
        out += static_cast<char>(small | static_cast<int>(length));
    } else {
        out += static_cast<char>(wide);
        put(out, length, 4);
    }
}

bool valid_utf8(const std::string& text) {
    for (size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const int extra = byte < 0x80                   ? 0
                          : byte >= 0xC2 && byte < 0xE0 ? 1
                          : byte >= 0xE0 && byte < 0xF0 ? 2
                          : byte >= 0xF0 && byte < 0xF5 ? 3
                                                        : -1;
        if (extra < 0 || text.size() - i <= static_cast<size_t>(extra)) return false;
        for (int k = 1; k <= extra; ++k)
            if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
        i += 1 + extra;
    }
    return true;
}

std::string printable(std::string text) {
    for (char& letter : text)
        if (letter < ' ' || letter > '~') letter = '?';
    return text.substr(0, 200);
}

class Reader {
public:
    explicit Reader(const std::string& bytes) : bytes_(bytes) {}

    Value whole() {
        Value value = next(0);
        if (at_ != bytes_.size()) wrong("more than a message holds");
        return value;
    }

private:
    uint64_t take(int bytes) {
        if (bytes_.size() - at_ < static_cast<size_t>(bytes)) wrong("a message that ends too early");
        uint64_t value = 0;
        for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(bytes_[at_++]);
        return value;
    }

    std::string take_bytes(uint64_t length) {
        if (length > kLongestText || bytes_.size() - at_ < length) wrong("a text that is too long");
        std::string text = bytes_.substr(at_, length);
        at_ += length;
        return text;
    }

    Value text(uint64_t length) {
        std::string text = take_bytes(length);
        if (!valid_utf8(text)) wrong("a text that is not UTF-8");
        return Value(std::move(text));
    }

    Value list(uint64_t count, int depth) {
        if (count > kMostEntries) wrong("a list that is too long");
        Value::List list;
        for (uint64_t i = 0; i < count; ++i) list.push_back(next(depth + 1));
        return Value(std::move(list));
    }

    Value map(uint64_t count, int depth) {
        if (count > kMostEntries) wrong("a map that is too long");
        Value::Map map;
        for (uint64_t i = 0; i < count; ++i) {
            Value key = next(depth + 1);
            if (!key.is_text()) wrong("a map whose keys are no texts");
            for (const auto& entry : map)
                if (entry.first == key.text(kLongestText)) wrong("a map with a key that stands twice");
            std::string name = key.text(kLongestText);
            map.emplace_back(std::move(name), next(depth + 1));
        }
        return Value(std::move(map));
    }

    Value unsigned_integer(uint64_t value) {
        if (value > static_cast<uint64_t>(INT64_MAX)) wrong("a number that is too large");
        return Value(static_cast<int64_t>(value));
    }

    Value next(int depth) {
        if (depth > kDeepest) wrong("a message that is nested too deeply");
        const auto tag = static_cast<unsigned>(take(1));
        if (tag < 0x80) return Value(static_cast<int64_t>(tag));
        if (tag < 0x90) return map(tag & 0x0F, depth);
        if (tag < 0xA0) return list(tag & 0x0F, depth);
        if (tag < 0xC0) return text(tag & 0x1F);
        if (tag >= 0xE0) return Value(static_cast<int64_t>(static_cast<int8_t>(tag)));
        switch (tag) {
            case 0xC2: return Value(false);
            case 0xC3: return Value(true);
            case 0xC4: return Value::binary(take_bytes(take(1)));
            case 0xC5: return Value::binary(take_bytes(take(2)));
            case 0xC6: return Value::binary(take_bytes(take(4)));
            case 0xCA: {
                const auto bits = static_cast<uint32_t>(take(4));
                float number;
                std::memcpy(&number, &bits, sizeof number);
                return Value(static_cast<double>(number));
            }
            case 0xCB: {
                const uint64_t bits = take(8);
                double number;
                std::memcpy(&number, &bits, sizeof number);
                return Value(number);
            }
            case 0xCC: return unsigned_integer(take(1));
            case 0xCD: return unsigned_integer(take(2));
            case 0xCE: return unsigned_integer(take(4));
            case 0xCF: return unsigned_integer(take(8));
            case 0xD0: return Value(static_cast<int64_t>(static_cast<int8_t>(take(1))));
            case 0xD1: return Value(static_cast<int64_t>(static_cast<int16_t>(take(2))));
            case 0xD2: return Value(static_cast<int64_t>(static_cast<int32_t>(take(4))));
            case 0xD3: return Value(static_cast<int64_t>(take(8)));
            case 0xD9: return text(take(1));
            case 0xDA: return text(take(2));
            case 0xDB: return text(take(4));
            case 0xDC: return list(take(2), depth);
            case 0xDD: return list(take(4), depth);
            case 0xDE: return map(take(2), depth);
            case 0xDF: return map(take(4), depth);
            default: wrong("a type that messages do not hold");
        }
    }

    const std::string& bytes_;
    size_t at_ = 0;
};

}  // namespace

Value Value::binary(std::string bytes) {
    Value value(std::move(bytes));
    value.type_ = Type::binary;
    return value;
}

int64_t Value::integer(int64_t low, int64_t high) const {
    if (type_ != Type::integer || integer_ < low || integer_ > high) wrong("a number that cannot be");
    return integer_;
}

double Value::number() const {
    const double found = type_ == Type::integer ? static_cast<double>(integer_) : number_;
    if ((type_ != Type::integer && type_ != Type::number) || !std::isfinite(found)) wrong("a number that cannot be");
    return found;
}

bool Value::truth() const {
    if (type_ != Type::truth) wrong("something else than true or false");
    return integer_ != 0;
}

const std::string& Value::text(size_t longest) const {
    if (type_ != Type::text || text_.size() > 4 * longest) wrong("something else than a text");
    return text_;
}

const Value::List& Value::list(size_t longest) const {
    if (type_ != Type::list || list_.size() > longest) wrong("something else than a list");
    return list_;
}

const Value::Map& Value::map() const {
    if (type_ != Type::map) wrong("something else than a map");
    return map_;
}

const Value* Value::find(const char* key) const {
    for (const auto& entry : map())
        if (entry.first == key) return &entry.second;
    return nullptr;
}

const Value& Value::at(const char* key) const {
    const Value* found = find(key);
    if (!found) wrong("a message that lacks a field");
    return *found;
}

std::string Value::shown() const {
    char text[40];
    if (type_ == Type::text) return text_;
    if (type_ == Type::number) {
        std::snprintf(text, sizeof text, "%g", number_);
        return text;
    }
    if (type_ == Type::truth) return integer_ ? "on" : "off";
    return std::to_string(integer(INT64_MIN, INT64_MAX));
}

void Value::pack(std::string& out) const {
    switch (type_) {
        case Type::truth: out += static_cast<char>(integer_ ? 0xC3 : 0xC2); break;
        case Type::integer:
            out += static_cast<char>(0xD3);
            put(out, static_cast<uint64_t>(integer_), 8);
            break;
        case Type::number: {
            if (!std::isfinite(number_)) throw UserError("A number that the host gave is infinite or none.");
            uint64_t bits;
            std::memcpy(&bits, &number_, sizeof bits);
            out += static_cast<char>(0xCB);
            put(out, bits, 8);
            break;
        }
        case Type::text:
            if (!valid_utf8(text_))
                throw UserError("The text '" + printable(text_) +
                                "' is not UTF-8: correct the parameter, or rename the file.");
            put_head(out, 0xA0, 32, 0xDB, text_.size());
            out += text_;
            break;
        case Type::binary:
            put_head(out, -1, 0, 0xC6, text_.size());
            out += text_;
            break;
        case Type::list:
            put_head(out, 0x90, 16, 0xDD, list_.size());
            for (const Value& entry : list_) entry.pack(out);
            break;
        case Type::map:
            put_head(out, 0x80, 16, 0xDF, map_.size());
            for (const auto& entry : map_) {
                Value(entry.first).pack(out);
                entry.second.pack(out);
            }
            break;
    }
}

Value unpack(const std::string& bytes) { return Reader(bytes).whole(); }

}  // namespace cleanplate
