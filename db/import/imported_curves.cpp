#include "db/import/imported_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <span>

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

/// How many of the curve's points there are up to the last evaluation; 0 where there is none.
std::size_t evaluated_points(const std::vector<ImportedPoint>& curve) {
    const auto last =
        std::find_if(curve.rbegin(), curve.rend(), [](const ImportedPoint& point) { return point.loss.has_value(); });
    return static_cast<std::size_t>(curve.rend() - last);
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

    /// "D and C" where the table gives these for the whole run, not along it; else empty.
    std::string stated_for_whole_runs() const {
        std::string text;
        for (const std::string_view quantity : {"D", "C"}) {
            if (!choice_.has(quantity) || along_run_.contains(quantity)) { continue; }
            text += (text.empty() ? "" : " and ") + std::string{quantity};
        }
        return text;
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

    /// The record stands at the last evaluation, so that a loss goes with the D, C and steps that gave it; without any
    /// evaluation at the last step. What the row of the evaluation leaves open is as last known before it.
    void fill_from_curve(RunRecord& record, const std::vector<ImportedPoint>& curve) const {
        const auto known = [](double value) { return std::isfinite(value) ? std::optional{value} : std::nullopt; };
        for (const ImportedPoint& point : curve) {
            if (point.lr) { record.lr = std::max(record.lr.value_or(0), *point.lr); }
        }
        const std::size_t evaluated = evaluated_points(curve);
        for (const ImportedPoint& point : std::span{curve}.first(evaluated == 0 ? curve.size() : evaluated)) {
            record.steps = point.step;
            if (point.loss) {
                record.final_val_loss = known(*point.loss);
                if (std::isfinite(*point.loss)) {
                    record.best_val_loss = std::min(record.best_val_loss.value_or(*point.loss), *point.loss);
                }
            }
            if (point.train_loss) { record.final_train_loss = known(*point.train_loss); }
            if (point.tokens && *point.tokens > 0) {
                record.tokens = static_cast<std::int64_t>(std::round(*point.tokens));
            }
            if (point.flops && *point.flops > 0) { record.flops = point.flops; }
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

void note_early_evaluations(const std::vector<AssembledRun>& runs, const std::string& stated,
                            std::vector<std::string>& notes) {
    std::size_t early = 0;
    std::string example;
    for (const auto& [run, rows] : runs) {
        const std::size_t evaluated = evaluated_points(run.curve);
        if (evaluated == 0 || evaluated == run.curve.size()) { continue; }
        if (++early > 1) { continue; }
        example = fmt::format("{}step {} of {}", run.record.name.empty() ? "" : "'" + run.record.name + "': ",
                              run.curve[evaluated - 1].step, run.curve.back().step);
    }
    if (early == 0) { return; }
    notes.push_back(fmt::format(
        "in {} of {} runs the last evaluation comes before the last step ({}): losses, steps, D and C are taken "
        "there{}",
        early, runs.size(), example, stated.empty() ? "" : ", but " + stated + " as stated for the whole run"));
}

}  // namespace

std::vector<AssembledRun> assemble_curves(const ImportTable& table, const ColumnChoice& choice,
                                          const ImportOptions& options, ImportProblems& problems,
                                          std::vector<std::string>& notes) {
    CurveAssembler assembler{table, choice, options, problems};
    auto runs = assembler.assemble();
    std::size_t empty = 0;
    std::erase_if(runs, [&](const AssembledRun& run) {
        empty += run.run.curve.empty() ? 1 : 0;
        return run.run.curve.empty();
    });
    if (empty > 0) { notes.push_back(fmt::format("{} runs without any loss were left out", empty)); }
    note_early_evaluations(runs, assembler.stated_for_whole_runs(), notes);
    return runs;
}

}  // namespace loglog
