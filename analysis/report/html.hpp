#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// Text as HTML shows it literally, in element content and in quoted attributes.
std::string escape_html(std::string_view text);

/// JSON text that may stand inside a script element: no "<", so no "</script>" and no "<!--".
std::string escape_json_for_script(std::string json);

/// The attribute that leads from an element's numbers to what they came from, with a blank before it; nothing without
/// id.
std::string source_attribute(std::string_view number_id);

/// The id as it stands quietly beside its numbers, with a blank before it; nothing without id.
std::string source_mark(std::string_view number_id);

/// One cell of a table: what is shown, what is sorted by where that differs, and markup to show in place of the text.
struct Cell {
    std::string text;
    std::string sort_key{};
    std::string html{};
};

struct Column {
    std::string title;
    enum class Kind { number, text, wrapped } kind = Kind::number;
};

/// A table; `attributes` goes into the tag: `id="runs" class="sortable"`.
std::string html_table(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows,
                       std::string_view attributes = {});

}  // namespace loglog
