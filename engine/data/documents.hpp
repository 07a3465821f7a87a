#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/data/content_hash.hpp"
#include "engine/data/manifest.hpp"

namespace loglog {

/// A document: some bytes of a file, all of them unless files are cut at a separator.
struct Document {
    ContentHash hash;
    std::size_t file;      ///< index into the list of files
    std::uint64_t offset;  ///< bytes
    std::uint64_t size;    ///< bytes, > 0
};

struct ScannedFiles {
    std::vector<Document> documents;  ///< distinct, by ascending hash; of equal ones the first by file and offset
    DroppedFiles dropped;
    std::vector<std::string> report;  ///< one line per dropped file or document: reason, tab, path
};

/// Reads every file once: leaves out binary (a NUL byte), non-UTF-8 and empty files, cuts the rest at `separator` (not
/// at all if that is empty), and drops documents whose bytes occurred before. The result does not depend on `threads`.
///
/// progress   called with bytes read so far, from any thread, one at a time
/// Throws InputError for a file that cannot be read.
ScannedFiles scan_files(const std::vector<std::string>& files, const std::string& separator, unsigned threads,
                        const std::function<void(std::uint64_t)>& progress);

/// The text of a document. Throws Error when the file has changed since it was scanned.
std::string read_document(const std::vector<std::string>& files, const Document& document);

}  // namespace loglog
