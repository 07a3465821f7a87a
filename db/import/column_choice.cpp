#include "db/import/column_choice.hpp"

#include <algorithm>
#include <set>

#include "db/import/quantities.hpp"
#include "engine/base/nearest_name.hpp"

namespace loglog {
namespace {

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) { text += (text.empty() ? "" : ", ") + name; }
    return text;
}

std::optional<std::size_t> position(const ImportTable& table, std::string_view column) {
    const auto found = std::find(table.columns.begin(), table.columns.end(), column);
    if (found == table.columns.end()) { return std::nullopt; }
    return static_cast<std::size_t>(found - table.columns.begin());
}

/// "a,b" as its parts, unless a column has that very name.
std::vector<std::string> parts_of(const ImportTable& table, const std::string& quantity, const std::string& text) {
    if (quantity != "run" || position(table, text)) { return {text}; }
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

void take_given(const ImportTable& table, const ImportOptions& options, ColumnChoice& choice,
                ImportProblems& problems) {
    for (const auto& [quantity, text] : options.columns) {
        for (const std::string& name : parts_of(table, quantity, text)) {
            if (const auto found = position(table, name)) {
                choice.columns[quantity].push_back(*found);
            } else {
                problems.add("--map " + quantity + "=" + text + ": no column '" + name + "'" +
                             did_you_mean(name, table.columns) + "; the columns are " + joined(table.columns));
            }
        }
    }
    for (const auto& [quantity, value] : options.values) {
        if (options.columns.contains(quantity)) {
            problems.add("--value " + quantity + " and --map " + quantity + ": one of the two is wanted");
        }
        choice.values[quantity] = value;
    }
}

class Guesser {
  public:
    Guesser(const ImportTable& table, ColumnChoice& choice) : choice_{choice} {
        for (const auto& column : table.columns) { plain_.push_back(plain_name(column)); }
        for (const auto& [quantity, positions] : choice.columns) {
            claimed_.insert(positions.begin(), positions.end());
            mark(find_import_quantity(quantity));
        }
        for (const auto& [quantity, value] : choice.values) { mark(find_import_quantity(quantity)); }
    }

    void guess(const ImportQuantity& quantity) {
        const bool is_stored = !quantity.stored_as.empty() && stored_.contains(quantity.stored_as);
        if (choice_.has(quantity.name) || is_stored) { return; }
        for (const std::string_view usual : quantity.usual_names) {
            for (std::size_t i = 0; i < plain_.size(); ++i) {
                if (plain_[i] != usual || claimed_.contains(i)) { continue; }
                choice_.columns[std::string{quantity.name}] = {i};
                claimed_.insert(i);
                mark(quantity);
                return;
            }
        }
    }

    std::vector<std::size_t> unclaimed() const {
        std::vector<std::size_t> others;
        for (std::size_t i = 0; i < plain_.size(); ++i) {
            if (!claimed_.contains(i) && !plain_[i].empty()) { others.push_back(i); }
        }
        return others;
    }

  private:
    void mark(const ImportQuantity& quantity) {
        if (!quantity.stored_as.empty()) { stored_.insert(quantity.stored_as); }
    }

    ColumnChoice& choice_;
    std::vector<std::string> plain_;
    std::set<std::size_t> claimed_;
    std::set<std::string_view> stored_;  ///< columns of the record that are spoken for
};

void check_contradictions(const ColumnChoice& choice, const ImportOptions& options, ImportProblems& problems) {
    if (choice.has("N") && choice.has("non_embedding_params")) {
        problems.add(
            "N and non_embedding_params are one quantity here: give one of them; the count with embeddings is "
            "total_params");
    }
    if (options.compute_6nd && choice.has("C")) {
        problems.add("--compute 6nd, but the file has C: leave one out (--map C=... names its column)");
    }
    for (const auto& [quantity, factor] : options.scales) {
        if (!choice.has(quantity)) { problems.add("--scale " + quantity + ": no column holds " + quantity); }
    }
}

/// " (did you mean 'X'?)" with the column whose name is nearest to a usual one of a loss, or nothing.
std::string column_like_a_loss(const ImportTable& table, const std::vector<std::size_t>& columns) {
    std::vector<std::string> names;
    for (const std::size_t column : columns) { names.push_back(plain_name(table.columns[column])); }
    for (const char* quantity : {"loss", "train_loss"}) {
        for (const std::string_view usual : find_import_quantity(quantity).usual_names) {
            const auto found = std::find(names.begin(), names.end(), nearest(usual, names));
            if (found == names.end()) { continue; }
            return " (did you mean '" + table.columns[columns[static_cast<std::size_t>(found - names.begin())]] + "'?)";
        }
    }
    return "";
}

}  // namespace

std::optional<std::size_t> ColumnChoice::column(std::string_view quantity) const {
    const auto found = columns.find(quantity);
    if (found == columns.end() || found->second.empty()) { return std::nullopt; }
    return found->second.front();
}

bool ColumnChoice::has(std::string_view quantity) const {
    return columns.contains(quantity) || values.contains(quantity);
}

ColumnChoice choose_columns(const ImportTable& table, const ImportOptions& options, ImportProblems& problems) {
    ColumnChoice choice;
    take_given(table, options, choice, problems);
    Guesser guesser{table, choice};
    for (const ImportQuantity& quantity : import_quantities()) { guesser.guess(quantity); }
    choice.others = guesser.unclaimed();
    choice.curves = choice.columns.contains("step");
    check_contradictions(choice, options, problems);
    const bool has_loss = choice.has("loss") || choice.has("train_loss");
    if (!has_loss && problems.empty()) {
        problems.add("no column holds a loss" + column_like_a_loss(table, choice.others) + "; the columns are " +
                     joined(table.columns) + "; name it with --map loss=COLUMN");
    }
    return choice;
}

}  // namespace loglog
