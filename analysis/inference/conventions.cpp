#include "analysis/inference/conventions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

struct UsualColumns {
    const char* quantity;
    const char* convention;
    std::vector<const char*> columns;
};

const std::vector<UsualColumns>& usual_columns() {
    static const std::vector<UsualColumns> list{
        {"N", "non_embedding", {"non_embedding_params", "N_nonembed", "N_non_embedding", "params_non_embedding"}},
        {"N", "with_head", {"with_head_params", "N_with_head", "params_with_head"}},
        {"N", "total", {"total_params", "N_total", "params_total"}},
        {"D", "seen", {"tokens", "tokens_seen", "D"}},
        {"D", "unique", {"unique_tokens", "tokens_unique", "U"}},
        {"C", "exact", {"flops", "C"}},
        {"C", "6ND", {"flops_6nd", "C_6ND"}},
    };
    return list;
}

/// Numbers of a column, or nothing where a cell is none.
std::vector<double> numbers(const Dataset& data, const std::string& column) {
    const auto place = find_column(data, column, {{column, column}});
    try {
        return positive_columns(data, {place}).front();
    } catch (const InputError&) { return {}; }
}

}  // namespace

std::vector<Convention> conventions_of(const Dataset& data, const std::string& quantity,
                                       const std::map<std::string, std::string>& mapping) {
    const auto fitted = numbers(data, data.columns[find_column(data, quantity, mapping)]);
    std::vector<Convention> found;
    std::vector<std::vector<double>> values;
    for (const auto& usual : usual_columns()) {
        if (usual.quantity != quantity) { continue; }
        for (const char* column : usual.columns) {
            if (std::find(data.columns.begin(), data.columns.end(), column) == data.columns.end()) { continue; }
            const auto cells = numbers(data, column);
            if (cells.empty()) { continue; }
            Convention one{quantity, usual.convention, column, cells == fitted, {}};
            const auto equal = std::find(values.begin(), values.end(), cells);
            if (equal != values.end()) {
                one.same_as = found[static_cast<std::size_t>(equal - values.begin())].convention;
            }
            found.push_back(std::move(one));
            values.push_back(cells);
            break;
        }
    }
    if (found.size() < 2) { return {}; }
    // Numbers of a column of another name (N of a table that also has N_total) are a convention too.
    if (std::find(values.begin(), values.end(), fitted) == values.end()) {
        found.insert(found.begin(),
                     {quantity, "as given", data.columns[find_column(data, quantity, mapping)], true, {}});
    }
    return found;
}

Dataset with_6nd(Dataset data, const std::map<std::string, std::string>& mapping) {
    const std::string name = "flops_6nd";
    const bool is_there = std::find(data.columns.begin(), data.columns.end(), name) != data.columns.end();
    if (is_there || !has_column(data, "N", mapping) || !has_column(data, "D", mapping)) { return data; }
    const auto n = numbers(data, data.columns[find_column(data, "N", mapping)]);
    const auto d = numbers(data, data.columns[find_column(data, "D", mapping)]);
    if (n.empty() || d.empty()) { return data; }
    data.columns.push_back(name);
    for (std::size_t row = 0; row < data.rows.size(); ++row) {
        data.rows[row].push_back(fmt::format("{}", 6 * n[row] * d[row]));
    }
    return data;
}

}  // namespace loglog
