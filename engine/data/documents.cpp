#include "engine/data/documents.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>
#include <tuple>

#include "engine/base/error.hpp"
#include "engine/data/parallel.hpp"
#include "engine/data/staging_folder.hpp"
#include "engine/tokenizer/unicode.hpp"

namespace loglog {

namespace {

enum class FileKind { text, binary, not_utf8, empty };

struct ScannedFile {
    FileKind kind = FileKind::text;
    std::vector<Document> documents;
};

[[noreturn]] void fail_reading(const std::string& path) {
    throw InputError{path + ": cannot read: " + std::strerror(errno)};
}

using FileDescriptor = UniqueHandle<FileDescriptorTraits>;

FileDescriptor open_for_reading(const std::string& path) {
    FileDescriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) { fail_reading(path); }
    return file;
}

// Up to `size` bytes from `offset`; fewer at the end of the file.
std::string read_at(const std::string& path, int file, std::uint64_t offset, std::uint64_t size) {
    std::string text(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        const ssize_t count = pread(file, text.data() + done, size - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) { continue; }
        if (count < 0) { fail_reading(path); }
        if (count == 0) { break; }
        done += static_cast<std::size_t>(count);
    }
    text.resize(done);
    return text;
}

std::string read_whole(const std::string& path) {
    const auto file = open_for_reading(path);
    struct stat status {};
    if (fstat(file.get(), &status) != 0) { fail_reading(path); }
    return read_at(path, file.get(), 0, static_cast<std::uint64_t>(status.st_size));
}

FileKind kind_of(std::string_view text) noexcept {
    if (text.empty()) { return FileKind::empty; }
    if (std::memchr(text.data(), 0, text.size()) != nullptr) { return FileKind::binary; }
    return is_utf8(text) ? FileKind::text : FileKind::not_utf8;
}

std::vector<Document> cut(std::string_view text, const std::string& separator, std::size_t file) {
    std::vector<Document> documents;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t found = separator.empty() ? std::string_view::npos : text.find(separator, begin);
        const std::size_t end = std::min(found, text.size());
        if (end > begin) {
            documents.push_back({content_hash(text.substr(begin, end - begin)), file, begin, end - begin});
        }
        begin = end + separator.size();
        if (found == std::string_view::npos) { break; }
    }
    return documents;
}

void report_dropped(const std::string& path, FileKind kind, ScannedFiles& result) {
    const auto drop = [&](std::uint64_t& count, const char* reason) {
        ++count;
        result.report.push_back(std::string{reason} + '\t' + path);
    };
    switch (kind) {
        case FileKind::text:
            break;
        case FileKind::binary:
            drop(result.dropped.binary, "binary");
            break;
        case FileKind::not_utf8:
            drop(result.dropped.not_utf8, "not-utf8");
            break;
        case FileKind::empty:
            drop(result.dropped.empty, "empty");
            break;
    }
}

void drop_duplicates(const std::vector<std::string>& files, ScannedFiles& result) {
    std::vector<Document> kept;
    for (const Document& document : result.documents) {
        if (kept.empty() || kept.back().hash != document.hash) {
            kept.push_back(document);
            continue;
        }
        ++result.dropped.duplicate;
        std::string line = "duplicate\t" + files[document.file];
        if (document.offset > 0) { line += " (at byte " + std::to_string(document.offset) + ')'; }
        result.report.push_back(line + "\tof " + files[kept.back().file]);
    }
    result.documents = std::move(kept);
}

}  // namespace

ScannedFiles scan_files(const std::vector<std::string>& files, const std::string& separator, unsigned threads,
                        const std::function<void(std::uint64_t)>& progress) {
    std::vector<ScannedFile> scanned(files.size());
    std::mutex mutex;
    std::uint64_t bytes_read = 0;
    parallel_for(files.size(), threads, [&](unsigned, std::size_t index) {
        const std::string text = read_whole(files[index]);
        scanned[index].kind = kind_of(text);
        if (scanned[index].kind == FileKind::text) { scanned[index].documents = cut(text, separator, index); }
        const std::lock_guard lock{mutex};
        bytes_read += text.size();
        if (progress) { progress(bytes_read); }
    });

    ScannedFiles result;
    for (std::size_t index = 0; index < files.size(); ++index) {
        report_dropped(files[index], scanned[index].kind, result);
        const auto& documents = scanned[index].documents;
        result.documents.insert(result.documents.end(), documents.begin(), documents.end());
    }
    std::sort(result.documents.begin(), result.documents.end(), [](const Document& a, const Document& b) {
        return std::tie(a.hash, a.file, a.offset) < std::tie(b.hash, b.file, b.offset);
    });
    drop_duplicates(files, result);
    return result;
}

std::string read_document(const std::vector<std::string>& files, const Document& document) {
    const std::string& path = files[document.file];
    const auto file = open_for_reading(path);
    std::string text = read_at(path, file.get(), document.offset, document.size);
    if (content_hash(text) != document.hash) {
        throw Error{path + ": the file changed while the data set was built; run the command again"};
    }
    return text;
}

}  // namespace loglog
