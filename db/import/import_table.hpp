#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// What every format is brought into: named columns of text cells. A row is a run, or a step of a run.
struct ImportTable {
    struct Row {
        std::string place;               ///< for messages: "line 12", "step 300"
        std::vector<std::string> cells;  ///< one a column; empty: nothing was recorded
    };

    std::string source;  ///< name of the file or folder, for messages
    std::vector<std::string> columns;
    std::vector<Row> rows;
    std::vector<std::string> notes;     ///< what was passed over, such as a truncated last record
    std::vector<std::string> problems;  ///< lines that are no row: told with those of the rows, and nothing is imported
};

/// Problems of one source, thrown together as one InputError.
class ImportProblems {
  public:
    explicit ImportProblems(std::string source) : source_{std::move(source)} {}

    void add(std::string problem) { list_.push_back(std::move(problem)); }
    bool empty() const noexcept { return list_.empty(); }
    std::size_t size() const noexcept { return list_.size(); }
    const std::vector<std::string>& list() const noexcept { return list_; }
    /// "SOURCE: 2 problems" and one problem a line; the first 20 of many.
    void throw_if_any() const;

  private:
    std::string source_;
    std::vector<std::string> list_;
};

/// The text without blanks at its ends.
std::string_view trimmed(std::string_view text);

/// Whether the cell says that there is no value: empty, "null", "None", "NA" or "N/A".
bool says_nothing(std::string_view cell);

}  // namespace loglog
