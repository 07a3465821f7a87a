#pragma once

#include <utility>

namespace loglog {

/// Move-only owner of a foreign handle. `Traits` gives `Native`, `null()` and a noexcept `close(Native)`.
template <class Traits>
class UniqueHandle {
  public:
    using Native = typename Traits::Native;

    UniqueHandle() noexcept = default;
    explicit UniqueHandle(Native native) noexcept : native_{native} {}
    UniqueHandle(UniqueHandle&& other) noexcept : native_{other.release()} {}
    UniqueHandle& operator=(UniqueHandle&& other) noexcept {
        if (this != &other) { reset(other.release()); }
        return *this;
    }
    UniqueHandle(const UniqueHandle&) = delete;
    UniqueHandle& operator=(const UniqueHandle&) = delete;
    ~UniqueHandle() { reset(Traits::null()); }

    Native get() const noexcept { return native_; }
    explicit operator bool() const noexcept { return native_ != Traits::null(); }

    Native release() noexcept { return std::exchange(native_, Traits::null()); }
    void reset(Native native) noexcept {
        const Native old = std::exchange(native_, native);
        if (old != Traits::null()) { Traits::close(old); }
    }

  private:
    Native native_ = Traits::null();
};

}  // namespace loglog
