#include "analysis/report/html.hpp"

namespace loglog {
namespace {

constexpr std::size_t longest_shown_whole = 30;  // rows; longer tables scroll in a frame

const char* css_class(Column::Kind kind) {
    switch (kind) {
        case Column::Kind::number:
            return "";
        case Column::Kind::text:
            return " class=\"text\"";
        case Column::Kind::wrapped:
            return " class=\"wrap text\"";
    }
    return "";
}

}  // namespace

std::string escape_html(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

std::string escape_json_for_script(std::string json) {
    std::string escaped;
    escaped.reserve(json.size());
    for (const char c : json) {
        if (c == '<') {
            escaped += "\\u003c";
        } else {
            escaped += c;
        }
    }
    return escaped;
}

std::string source_attribute(std::string_view number_id) {
    if (number_id.empty()) { return {}; }
    return " data-source=\"" + escape_html(number_id) + '"';
}

std::string source_mark(std::string_view number_id) {
    if (number_id.empty()) { return {}; }
    return " <a class=\"number-id\" href=\"#number-ids\" title=\"what these numbers came from\">" +
           escape_html(number_id) + "</a>";
}

std::string html_table(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows,
                       std::string_view attributes) {
    std::string html = std::string{"<div class=\"scroll"} + (rows.size() > longest_shown_whole ? " tall" : "") +
                       "\"><table" + (attributes.empty() ? "" : " " + std::string{attributes}) + "><thead><tr>";
    for (const auto& column : columns) {
        html += std::string{"<th"} + css_class(column.kind) + " scope=\"col\">" + escape_html(column.title) + "</th>";
    }
    html += "</tr></thead><tbody>\n";
    for (const auto& row : rows) {
        html += "<tr>";
        for (std::size_t k = 0; k < row.size(); ++k) {
            html += std::string{"<td"} + css_class(columns[k].kind);
            if (!row[k].sort_key.empty()) { html += " data-value=\"" + escape_html(row[k].sort_key) + '"'; }
            html += '>' + (row[k].html.empty() ? escape_html(row[k].text) : row[k].html) + "</td>";
        }
        html += "</tr>\n";
    }
    return html + "</tbody></table></div>\n";
}

}  // namespace loglog
