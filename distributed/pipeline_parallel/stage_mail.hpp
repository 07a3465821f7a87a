#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/parallel/group.hpp"
#include "engine/tensor/storage.hpp"

namespace loglog {

/// The other side of a message: a stage, and a tag that tells apart messages under way between two stages.
struct MailAddress {
    int stage;
    int tag;
};

/// The messages of one stage, all of the same size at a time: receives that are posted before they are needed, and
/// sends whose memory is kept until they ended. Allocates only when messages grow.
class StageMail {
  public:
    /// At most `ahead` receives are under way at once. send_copy() has as many sends under way as there are stages, and
    /// one more, before it waits for the first: a stage that runs ahead of its neighbour is not held up.
    StageMail(Group& group, Backing backing, std::size_t ahead);

    /// The size of the messages from now on; none is under way. Forgets the waiting time so far.
    void start(std::size_t message_bytes);

    /// Posts a receive.
    void expect(MailAddress from);
    /// Waits for the receive that was posted first. Its message stays until `ahead` further calls of `expect`.
    std::span<std::byte> receive();

    /// Sends memory that stays as it is until wait(transfer).
    Transfer send(MailAddress to, std::span<const std::byte> message);
    void wait(Transfer transfer);

    /// Memory for a message to be sent by send_copy(), after the earlier one that used it has gone.
    std::span<std::byte> copy_buffer();
    void send_copy(MailAddress to);

    /// Lets messages go on.
    void progress() { group_->progress(); }
    /// Waits for all that send_copy() sent.
    void finish();

    double waiting() const noexcept { return waiting_; }  ///< seconds since start()

  private:
    struct Buffer {
        Storage memory;
        std::optional<Transfer> transfer;
    };

    std::span<std::byte> message(Buffer& buffer) const { return {buffer.memory.data(), message_bytes_}; }
    void finish(Buffer& buffer);

    Group* group_;
    Backing backing_;
    std::size_t message_bytes_ = 0;
    std::vector<Buffer> receives_;  // a ring: posted and received in the same order
    std::vector<Buffer> sends_;     // a ring
    std::size_t expected_ = 0;
    std::size_t received_ = 0;
    std::size_t sent_ = 0;
    double waiting_ = 0;
};

}  // namespace loglog
