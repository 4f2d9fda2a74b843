// What the operating system gives a number to (a file descriptor, on Windows a handle); closed when this goes.
#pragma once

#include <cstdint>
#include <utility>

namespace cleanplate {

namespace os {
void close(std::intptr_t number) noexcept;
}

class Descriptor {
public:
    explicit Descriptor(std::intptr_t number = -1) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() {
        if (*this) os::close(number_);
    }

    std::intptr_t number() const { return number_; }
    explicit operator bool() const { return number_ != -1; }

private:
    std::intptr_t number_;
};

}  // namespace cleanplate
