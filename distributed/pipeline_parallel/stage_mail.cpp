#include "distributed/pipeline_parallel/stage_mail.hpp"

#include <chrono>

#include "engine/base/error.hpp"

namespace loglog {

StageMail::StageMail(Group& group, Backing backing, std::size_t ahead)
    : group_{&group}, backing_{backing}, receives_(ahead), sends_(static_cast<std::size_t>(group.size()) + 1) {}

void StageMail::start(std::size_t message_bytes) {
    waiting_ = 0;
    expected_ = 0;
    received_ = 0;
    sent_ = 0;
    message_bytes_ = message_bytes;
    for (auto* ring : {&receives_, &sends_}) {
        for (auto& buffer : *ring) { buffer.transfer.reset(); }
    }
}

void StageMail::wait(Transfer transfer) {
    using Clock = std::chrono::steady_clock;
    const auto before = Clock::now();
    group_->wait(transfer);
    waiting_ += std::chrono::duration<double>(Clock::now() - before).count();
}

void StageMail::finish(Buffer& buffer) {
    if (buffer.transfer) { wait(*buffer.transfer); }
    buffer.transfer.reset();
    if (buffer.memory.bytes() < message_bytes_) { buffer.memory = Storage{backing_, message_bytes_}; }
}

void StageMail::expect(MailAddress from) {
    LOGLOG_ASSERT(expected_ - received_ < receives_.size());
    auto& buffer = receives_[expected_++ % receives_.size()];
    finish(buffer);
    buffer.transfer = group_->start_receive(from.stage, from.tag, message(buffer));
}

std::span<std::byte> StageMail::receive() {
    LOGLOG_ASSERT(received_ < expected_);
    auto& buffer = receives_[received_++ % receives_.size()];
    finish(buffer);
    return message(buffer);
}

Transfer StageMail::send(MailAddress to, std::span<const std::byte> message) {
    return group_->start_send(to.stage, to.tag, message);
}

std::span<std::byte> StageMail::copy_buffer() {
    auto& buffer = sends_[sent_ % sends_.size()];
    finish(buffer);
    return message(buffer);
}

void StageMail::send_copy(MailAddress to) {
    auto& buffer = sends_[sent_++ % sends_.size()];
    buffer.transfer = send(to, message(buffer));
}

void StageMail::finish() {
    for (auto& buffer : sends_) { finish(buffer); }
}

}  // namespace loglog
