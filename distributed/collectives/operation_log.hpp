#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace loglog {

/// What a rank is doing, kept where another thread can read it: the last communication, and since when.
class OperationLog {
  public:
    struct Entry {
        std::string operation;    ///< "all-reduce of 1048576 bytes in the tensor group"
        std::int64_t number = 0;  ///< of this operation, from 1
        double seconds = 0;       ///< since it began or ended
        bool waiting = false;     ///< in the operation, rather than computing after it
    };

    /// Marks the begin of an operation now and its end when destroyed. `what` and `group` must be string literals.
    /// Without a log nothing happens.
    class Scope {
      public:
        /// The operation is counted.
        Scope(OperationLog* log, const char* what, const char* group, std::int64_t bytes) noexcept;
        /// An operation that was counted before as `number` is waited for.
        Scope(OperationLog* log, const char* what, const char* group, std::int64_t bytes, std::int64_t number) noexcept;
        ~Scope();
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        OperationLog* log_;
    };

    OperationLog();

    Entry last() const;
    /// In operations, in all: what communication costs beyond what computing hides.
    double waited_seconds() const noexcept { return 1e-9 * static_cast<double>(waited_ns_.load()); }
    /// Operations so far.
    std::int64_t count() const noexcept { return count_; }

  private:
    std::atomic<const char*> what_{"start"};
    std::atomic<const char*> group_{""};
    std::atomic<std::int64_t> bytes_{0};
    std::atomic<std::int64_t> number_{0};
    std::atomic<std::int64_t> count_{0};
    std::atomic<std::int64_t> changed_ns_{0};  // steady clock
    std::atomic<std::int64_t> waited_ns_{0};
    std::atomic<bool> waiting_{false};
};

}  // namespace loglog
