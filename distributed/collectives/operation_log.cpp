#include "distributed/collectives/operation_log.hpp"

#include <chrono>

namespace loglog {
namespace {

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1}; }

}  // namespace

OperationLog::OperationLog() : changed_ns_{now_ns()} {}

OperationLog::Scope::Scope(OperationLog* log, const char* what, const char* group, std::int64_t bytes) noexcept
    : Scope{log, what, group, bytes, log == nullptr ? 0 : ++log->count_} {}

OperationLog::Scope::Scope(OperationLog* log, const char* what, const char* group, std::int64_t bytes,
                           std::int64_t number) noexcept
    : log_{log} {
    if (log_ == nullptr) { return; }
    log_->what_ = what;
    log_->group_ = group;
    log_->bytes_ = bytes;
    log_->number_ = number;
    log_->changed_ns_ = now_ns();
    log_->waiting_ = true;
}

OperationLog::Scope::~Scope() {
    if (log_ == nullptr) { return; }
    const auto now = now_ns();
    log_->waited_ns_ += now - log_->changed_ns_;
    log_->changed_ns_ = now;
    log_->waiting_ = false;
}

// The fields are read one by one: an entry may mix two neighbouring operations, which a reader that comes back a second
// later does not mind.
OperationLog::Entry OperationLog::last() const {
    Entry entry;
    entry.waiting = waiting_;
    entry.number = number_;
    entry.seconds = 1e-9 * static_cast<double>(now_ns() - changed_ns_);
    const std::string group{group_};
    entry.operation = what_.load();
    if (entry.number == 0) { return entry; }
    entry.operation += " of " + std::to_string(bytes_) + " bytes";
    if (!group.empty()) { entry.operation += " in the " + group + " group"; }
    return entry;
}

}  // namespace loglog
