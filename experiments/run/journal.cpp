#include "experiments/run/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "db/files/publish.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/journal_line.hpp"

namespace loglog {
namespace {

/// Bytes of `text` up to and including the last line that is whole, if only the last line is damaged.
std::size_t whole_size(std::string_view text) {
    const std::size_t last_newline = text.rfind('\n');
    if (last_newline == std::string_view::npos) { return 0; }
    if (last_newline + 1 < text.size()) { return last_newline + 1; }
    const std::size_t before = last_newline == 0 ? std::string_view::npos : text.rfind('\n', last_newline - 1);
    const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
    return detail::is_whole(text.substr(start, last_newline - start)) ? text.size() : start;
}

int open_descriptor(const std::filesystem::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_WRONLY | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        if (errno == EEXIST) { throw InputError{path.string() + " exists already"}; }
        throw Error{system_failure(path, "opening", errno)};
    }
    return descriptor;
}

}  // namespace

JournalWriter::JournalWriter(std::filesystem::path path, int descriptor, std::int64_t size)
    : path_{std::move(path)}, descriptor_{descriptor}, size_{size} {}

JournalWriter::JournalWriter(JournalWriter&& other) noexcept
    : path_{std::move(other.path_)}, descriptor_{std::exchange(other.descriptor_, -1)}, size_{other.size_} {}

JournalWriter& JournalWriter::operator=(JournalWriter&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(size_, other.size_);
    return *this;
}

JournalWriter::~JournalWriter() {
    if (descriptor_ >= 0) { ::close(descriptor_); }
}

JournalWriter JournalWriter::create(const std::filesystem::path& path) {
    return {path, open_descriptor(path, O_CREAT | O_EXCL), 0};
}

JournalWriter JournalWriter::append(const std::filesystem::path& path) {
    const std::string text = read_file(path);
    const auto size = static_cast<std::int64_t>(whole_size(text));
    JournalWriter writer{path, open_descriptor(path, 0), size};
    if (size < static_cast<std::int64_t>(text.size()) && ::ftruncate(writer.descriptor_, size) != 0) {
        throw Error{system_failure(path, "cutting a torn last line off", errno)};
    }
    return writer;
}

void JournalWriter::append_line() {
    detail::append_checksum(text_);
    ssize_t written = 0;
    do { written = ::write(descriptor_, text_.data(), text_.size()); } while (written < 0 && errno == EINTR);
    if (written == static_cast<ssize_t>(text_.size())) {
        size_ += written;
        return;
    }
    // A short write means that the disk filled up within the line.
    const int reason = written < 0 ? errno : ENOSPC;
    const bool restored = written <= 0 || ::ftruncate(descriptor_, size_) == 0;
    throw Error{system_failure(path_, restored ? "writing" : "writing (a torn last line was left)", reason)};
}

template <class Line>
void JournalWriter::write_line(const Line& line) {
    text_.clear();
    detail::append_text(text_, line);
    append_line();
}

void JournalWriter::write(const OpenedLine& line) { write_line(line); }
void JournalWriter::write(const ResumedLine& line) { write_line(line); }
void JournalWriter::write(const StepLine& line) { write_line(line); }
void JournalWriter::write(const EvalLine& line) { write_line(line); }
void JournalWriter::write(const CheckpointLine& line) { write_line(line); }
void JournalWriter::write(const ClosedLine& line) { write_line(line); }

void JournalWriter::sync() {
    if (::fdatasync(descriptor_) != 0) { throw Error{system_failure(path_, "writing to disk", errno)}; }
}

Journal read_journal(const std::filesystem::path& path) {
    const std::string text = read_file(path);
    Journal journal;
    const std::size_t usable = whole_size(text);
    journal.torn_bytes = static_cast<std::int64_t>(text.size() - usable);
    std::string_view rest = std::string_view{text}.substr(0, usable);
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const std::size_t end = rest.find('\n');
        const std::string_view line = rest.substr(0, end);
        const auto damaged = [&](const std::string& why) {
            return Error{path.string() + ":" + std::to_string(number) + ": damaged line: " + why};
        };
        if (!detail::is_whole(line)) { throw damaged("its checksum does not match"); }
        try {
            journal.lines.push_back(detail::parse_line(line));
        } catch (const Error& error) { throw damaged(error.what()); }
        rest.remove_prefix(end + 1);
    }
    return journal;
}

}  // namespace loglog
