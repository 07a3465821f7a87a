#include "db/import/csv_table.hpp"

#include <set>

namespace loglog {
namespace {

struct Record {
    std::size_t line = 0;  ///< of its first character
    std::vector<std::string> cells;
    bool closed = true;  ///< every quote was
};

class CsvReader {
  public:
    explicit CsvReader(std::string_view text) : text_{text} {
        if (text_.starts_with("\xEF\xBB\xBF")) { at_ = 3; }  // the mark some editors leave
    }

    /// Reads the next record that is neither empty nor a comment; false at the end.
    bool next(Record& record) {
        while (at_ < text_.size()) {
            const std::size_t end = std::min(text_.find('\n', at_), text_.size());
            const std::string_view content = trimmed(text_.substr(at_, end - at_));
            if (!content.empty() && content.front() != '#') {
                record = read_record();
                return true;
            }
            at_ = end + 1;
            ++line_;
        }
        return false;
    }

  private:
    Record read_record() {
        Record record{line_, {}, true};
        do { record.cells.push_back(read_cell(record.closed)); } while (at_ < text_.size() && text_[at_++] == ',');
        ++line_;
        return record;
    }

    /// Leaves the position at the comma or line end that ends the cell.
    std::string read_cell(bool& closed) {
        const std::size_t start = text_.find_first_not_of(" \t", at_);
        if (start != std::string_view::npos && text_[start] == '"') {
            at_ = start + 1;
            std::string cell = read_quoted(closed);
            at_ = std::min(text_.find_first_of(",\n", at_), text_.size());
            return cell;
        }
        const std::size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
        std::string cell{trimmed(text_.substr(at_, end - at_))};
        at_ = end;
        return cell;
    }

    std::string read_quoted(bool& closed) {
        std::string cell;
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '"' && at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
                ++at_;
            } else if (c == '"') {
                ++at_;
                return cell;
            } else if (c == '\n') {
                ++line_;
            }
            cell += c;
        }
        closed = false;
        return cell;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
};

std::string place(std::size_t line) { return "line " + std::to_string(line); }

void check_header(const Record& header, ImportProblems& problems) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < header.cells.size(); ++i) {
        const std::string& name = header.cells[i];
        if (!name.empty() && !seen.insert(name).second) {
            problems.add(place(header.line) + ": two columns have the name '" + name + "'");
        }
    }
}

}  // namespace

ImportTable parse_csv_table(std::string_view text, const std::string& source) {
    ImportTable table;
    table.source = source;
    ImportProblems problems{source};
    CsvReader reader{text};
    Record record;
    bool has_header = false;
    bool header_is_good = false;
    while (reader.next(record)) {
        if (!record.closed) {
            problems.add(place(record.line) + ": a quoted cell that begins here is not closed before the file ends");
        } else if (!has_header) {
            has_header = true;
            const std::size_t before = problems.size();
            check_header(record, problems);
            header_is_good = problems.size() == before;
            table.columns = record.cells;
        } else if (record.cells.size() != table.columns.size()) {
            problems.add(place(record.line) + ": found " + std::to_string(record.cells.size()) + " cells, wanted " +
                         std::to_string(table.columns.size()) + " as in the header");
        } else {
            table.rows.push_back({place(record.line), std::move(record.cells)});
        }
    }
    if (!has_header) { problems.add("no header line: the first line that is no comment names the columns"); }
    if (has_header && problems.empty() && table.rows.empty()) { problems.add("no row under the header"); }
    if (!header_is_good || table.rows.empty()) { problems.throw_if_any(); }
    table.problems = problems.list();
    return table;
}

}  // namespace loglog
