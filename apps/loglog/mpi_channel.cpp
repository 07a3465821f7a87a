#include "apps/loglog/mpi_channel.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <thread>

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int to_coordinator = 1;
constexpr int to_worker = 2;
constexpr std::chrono::milliseconds between_looks{2};

void send_text(const Communicator& world, int rank, int tag, const std::string& text) {
    world.send(rank, tag, std::as_bytes(std::span{text}));
}

std::string_view text_of(const Communicator::Received& received) {
    return {reinterpret_cast<const char*>(received.message.data()), received.message.size()};
}

}  // namespace

void MpiWorkerChannel::send(const WorkerMessage& message) { send_text(*world_, 0, to_coordinator, encode(message)); }

std::optional<CoordinatorMessage> MpiWorkerChannel::receive(std::chrono::milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    while (true) {
        if (const auto received = world_->try_receive(to_worker)) {
            return decode_coordinator_message(text_of(*received));
        }
        if (Clock::now() >= deadline) { return std::nullopt; }
        std::this_thread::sleep_for(between_looks);
    }
}

void MpiCoordinatorChannel::send(int worker, const CoordinatorMessage& message) {
    if (worker == 0) { return own_->send(0, message); }
    send_text(*world_, worker, to_worker, encode(message));
}

std::optional<CoordinatorChannel::Arrival> MpiCoordinatorChannel::receive(std::chrono::milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    const bool alone = world_->size() == 1;
    while (true) {
        if (!alone) {
            if (const auto received = world_->try_receive(to_coordinator)) {
                return Arrival{received->from, decode_worker_message(text_of(*received))};
            }
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        // Its own worker wakes this thread at once; the other ranks are looked for every few milliseconds.
        const auto nap = alone ? left : std::min(left, between_looks);
        if (auto arrival = own_->receive(std::max(nap, std::chrono::milliseconds{0}))) { return arrival; }
        if (Clock::now() >= deadline) { return std::nullopt; }
    }
}

}  // namespace loglog
