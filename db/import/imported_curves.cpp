#include "db/import/imported_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "db/import/quantities.hpp"

namespace loglog {
namespace {

/// Quantities that a row says of its step, not of its run.
constexpr std::array<std::string_view, 10> of_steps{"run", "step", "loss",    "train_loss", "bits_per_byte",
                                                    "lr",  "name", "created", "state",      "finished"};
/// Those that may be either.
constexpr std::array<std::string_view, 3> of_steps_or_run{"D", "C", "seconds"};

bool contains(std::span<const std::string_view> list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

struct Group {
    std::string name;
    std::vector<std::size_t> rows;
};

/// What the run is called: the cells of the columns that name it, joined by " / ".
std::string run_of(const ImportTable::Row& row, const std::vector<std::size_t>& columns) {
    std::string name;
    for (const std::size_t column : columns) { name += (name.empty() ? "" : " / ") + row.cells[column]; }
    return name;
}

/// Rows by run, in the order in which runs appear. Without a column that names it, all are of one run.
std::vector<Group> group_rows(const ImportTable& table, const ColumnChoice& choice, ImportProblems& problems) {
    std::vector<Group> groups;
    std::map<std::string, std::size_t> position;
    const auto found = choice.columns.find("run");
    const std::vector<std::size_t> columns = found == choice.columns.end() ? std::vector<std::size_t>{} : found->second;
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const std::string name = run_of(table.rows[i], columns);
        if (name.empty() && !columns.empty()) {
            problems.add(table.rows[i].place + ", column '" + table.columns[columns.front()] +
                         "': found nothing, wanted the run's name");
            continue;
        }
        const auto [entry, is_new] = position.try_emplace(name, groups.size());
        if (is_new) { groups.push_back({name, {}}); }
        groups[entry->second].rows.push_back(i);
    }
    return groups;
}

class CurveAssembler {
  public:
    CurveAssembler(const ImportTable& table, const ColumnChoice& choice, const ImportOptions& options,
                   ImportProblems& problems)
        : table_{table}, choice_{choice}, problems_{problems}, reader_{table, choice, options, problems} {}

    std::vector<AssembledRun> assemble() {
        const std::vector<Group> groups = group_rows(table_, choice_, problems_);
        for (const std::string_view quantity : of_steps_or_run) {
            if (choice_.column(quantity) && (varies(groups, quantity))) { along_run_.insert(quantity); }
        }
        std::vector<AssembledRun> runs;
        for (const Group& group : groups) { runs.push_back(assemble_run(group)); }
        return runs;
    }

  private:
    bool varies(const std::vector<Group>& groups, std::string_view quantity) const {
        return std::any_of(groups.begin(), groups.end(), [&](const Group& group) {
            std::string_view first;
            for (const std::size_t row : group.rows) {
                const std::string_view cell = reader_.text(table_.rows[row], quantity);
                if (cell.empty()) { continue; }
                if (!first.empty() && cell != first) { return true; }
                first = cell;
            }
            return false;
        });
    }

    AssembledRun assemble_run(const Group& group) {
        AssembledRun result{{}, group.rows};
        RunRecord& record = result.run.record;
        record.name = group.name;
        fill_constants(record, group);
        result.run.curve = curve_of(group);
        fill_from_curve(record, result.run.curve);
        return result;
    }

    /// The run's quantities, each from the first row that gives it; another row that gives another value is a problem.
    void fill_constants(RunRecord& record, const Group& group) {
        for (const ImportQuantity& quantity : import_quantities()) {
            if (!choice_.has(quantity.name) || contains(of_steps, quantity.name) ||
                along_run_.contains(quantity.name)) {
                continue;
            }
            check_constant(group, quantity.name);
        }
        std::set<std::string_view> except{along_run_};
        except.insert({"lr", "created", "finished", "name", "bits_per_byte"});
        for (auto row = group.rows.rbegin(); row != group.rows.rend(); ++row) {  // the first row's values stay
            reader_.fill(record, table_.rows[*row], except);
        }
        for (const std::size_t row : group.rows) {
            if (const auto bits = reader_.positive(table_.rows[row], "bits_per_byte")) { record.bits_per_byte = bits; }
        }
        const auto& first = table_.rows[group.rows.front()];
        const auto& last = table_.rows[group.rows.back()];
        if (const auto name = reader_.text(first, "name"); !name.empty()) { record.name = name; }
        record.created_at = utc_time_of(reader_.text(first, "created")).value_or("");
        record.finished_at =
            utc_time_of(reader_.text(last, choice_.has("finished") ? "finished" : "created")).value_or("");
        if (!choice_.has("finished") && record.finished_at == record.created_at) { record.finished_at.clear(); }
    }

    void check_constant(const Group& group, std::string_view quantity) {
        std::string_view known;
        for (const std::size_t row : group.rows) {
            const std::string_view cell = reader_.text(table_.rows[row], quantity);
            if (cell.empty() || cell == known) { continue; }
            if (!known.empty()) {
                contradiction(table_.rows[row], quantity,
                              fmt::format("found '{}' but '{}' before it in the same run{}", cell, known,
                                          group.name.empty() ? "" : " '" + group.name + "'"));
                return;
            }
            known = cell;
        }
    }

    std::vector<ImportedPoint> curve_of(const Group& group) {
        std::map<std::int64_t, ImportedPoint> points;
        for (const std::size_t i : group.rows) {
            const ImportTable::Row& row = table_.rows[i];
            const auto step = reader_.count(row, "step");
            if (!step) {
                if (reader_.text(row, "step").empty()) {
                    reader_.problem(row, "step", "found nothing, wanted the step's number");
                }
                continue;
            }
            ImportedPoint& point = points[*step];
            point.step = *step;
            merge(point.loss, reader_.loss(row, "loss"), row, "loss");
            merge(point.train_loss, reader_.loss(row, "train_loss"), row, "train_loss");
            merge(point.lr, reader_.so_far(row, "lr"), row, "lr");
            if (along_run_.contains("D")) { merge(point.tokens, reader_.so_far(row, "D"), row, "D"); }
            if (along_run_.contains("C")) { merge(point.flops, reader_.so_far(row, "C"), row, "C"); }
            if (along_run_.contains("seconds")) {
                merge(point.seconds, reader_.so_far(row, "seconds"), row, "seconds");
            }
        }
        std::vector<ImportedPoint> curve;
        for (auto& [step, point] : points) {
            if (point.loss || point.train_loss) { curve.push_back(point); }
        }
        return curve;
    }

    void merge(std::optional<double>& known, const std::optional<double>& found, const ImportTable::Row& row,
               std::string_view quantity) {
        if (!found) { return; }
        const bool both_nan = known && std::isnan(*known) && std::isnan(*found);
        if (known && *known != *found && !both_nan) {
            contradiction(row, quantity,
                          fmt::format("found {} but {} before it for the same run and step", *found, *known));
        }
        known = found;
    }

    /// Of a table in which no column names the run every row would be one: said once, with what to do.
    void contradiction(const ImportTable::Row& row, std::string_view quantity, const std::string& what) {
        if (choice_.has("run")) {
            reader_.problem(row, quantity, what);
        } else if (!told_) {
            told_ = true;
            reader_.problem(row, quantity,
                            what +
                                "; no column says which run a row is of: say --map run=COLUMN (several: "
                                "run=COLUMN,COLUMN)");
        }
    }

    void fill_from_curve(RunRecord& record, const std::vector<ImportedPoint>& curve) const {
        const auto known = [](double value) { return std::isfinite(value) ? std::optional{value} : std::nullopt; };
        for (const ImportedPoint& point : curve) {
            record.steps = point.step;
            if (point.loss) {
                record.final_val_loss = known(*point.loss);
                if (std::isfinite(*point.loss)) {
                    record.best_val_loss = std::min(record.best_val_loss.value_or(*point.loss), *point.loss);
                }
            }
            if (point.train_loss) { record.final_train_loss = known(*point.train_loss); }
            if (point.lr) { record.lr = std::max(record.lr.value_or(0), *point.lr); }
            if (point.tokens) { record.tokens = static_cast<std::int64_t>(std::round(*point.tokens)); }
            if (point.flops) { record.flops = point.flops; }
            if (point.seconds) { record.seconds = point.seconds; }
        }
    }

    const ImportTable& table_;
    const ColumnChoice& choice_;
    ImportProblems& problems_;
    RowReader reader_;
    bool told_ = false;
    std::set<std::string_view> along_run_;  ///< of of_steps_or_run
};

}  // namespace

std::vector<AssembledRun> assemble_curves(const ImportTable& table, const ColumnChoice& choice,
                                          const ImportOptions& options, ImportProblems& problems,
                                          std::vector<std::string>& notes) {
    auto runs = CurveAssembler{table, choice, options, problems}.assemble();
    std::size_t empty = 0;
    std::erase_if(runs, [&](const AssembledRun& run) {
        empty += run.run.curve.empty() ? 1 : 0;
        return run.run.curve.empty();
    });
    if (empty > 0) { notes.push_back(fmt::format("{} runs without any loss were left out", empty)); }
    return runs;
}

}  // namespace loglog
