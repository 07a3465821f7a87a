#include "distributed/collectives/transfers.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace loglog {
namespace {

/// Waits between looks: none for as long as a message between idle cores takes, then the core is offered to others,
/// then left to them. A wait of milliseconds is not made noticeably longer by the sleep.
class Patience {
  public:
    void pause() {
        const auto waited = std::chrono::steady_clock::now() - begin_;
        if (waited < std::chrono::microseconds{30}) { return; }
        if (waited < std::chrono::milliseconds{1}) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::microseconds{waited < std::chrono::milliseconds{20} ? 20 : 100});
        }
    }

  private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

Transfer Transfers::add(std::unique_ptr<Operation> operation) {
    const Transfer transfer{++last_};
    const auto [what, group, bytes] = operation->description();
    const OperationLog::Scope scope{log_, what, group, bytes};
    const std::int64_t number = log_ == nullptr ? 0 : log_->count();
    if (!operation->advance()) { under_way_.push_back({transfer, std::move(operation), number}); }
    return transfer;
}

void Transfers::wait(Transfer transfer) {
    const auto find = [&] { return std::ranges::find(under_way_, transfer, &UnderWay::transfer); };
    const auto found = find();
    if (found == under_way_.end()) { return; }

    const auto [what, group, bytes] = found->operation->description();
    const OperationLog::Scope scope{log_, what, group, bytes, found->number};
    Patience patience;
    progress();
    while (find() != under_way_.end()) {
        patience.pause();
        progress();
    }
}

void Transfers::progress() {
    std::erase_if(under_way_, [](UnderWay& one) { return one.operation->advance(); });
}

}  // namespace loglog
