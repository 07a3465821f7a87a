#pragma once

#include <stdexcept>
#include <string>

namespace loglog {

/// What a failure means to the person or script that started the program; see exit_code().
enum class ErrorKind {
    work,         ///< the work failed: exit 1
    input,        ///< wrong use or invalid input: exit 2
    interrupted,  ///< stopped by a signal or walltime, resumable: exit 75
};

/// Base of everything this program throws on purpose. The message says what failed, where, why, and what to do.
class Error : public std::runtime_error {
  public:
    explicit Error(const std::string& message, ErrorKind kind = ErrorKind::work)
        : std::runtime_error{message}, kind_{kind} {}

    ErrorKind kind() const noexcept { return kind_; }

  private:
    ErrorKind kind_;
};

/// Wrong use or invalid input: a bad file, key, flag or value.
class InputError : public Error {
  public:
    explicit InputError(const std::string& message) : Error{message, ErrorKind::input} {}
};

/// The program's exit status for an error of this kind.
constexpr int exit_code(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::work:
            return 1;
        case ErrorKind::input:
            return 2;
        case ErrorKind::interrupted:
            return 75;
    }
    return 1;
}

namespace detail {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

}  // namespace loglog

// For our own bugs, never for bad input. Compiled out of release builds.
#ifdef NDEBUG
#define LOGLOG_ASSERT(expression) static_cast<void>(0)
#else
#define LOGLOG_ASSERT(expression) \
    ((expression) ? static_cast<void>(0) : ::loglog::detail::assertion_failed(#expression, __FILE__, __LINE__))
#endif
