#define XXH_INLINE_ALL
#include "db/import/imported_runs.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "db/import/imported_curves.hpp"
#include "db/import/plausible_units.hpp"
#include "db/import/quantities.hpp"
#include "db/import/row_reader.hpp"
#include "db/registry/external_run.hpp"
#include "engine/base/short_id.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

std::vector<AssembledRun> assemble_rows(const ImportTable& table, const ColumnChoice& choice,
                                        const ImportOptions& options, ImportProblems& problems) {
    RowReader reader{table, choice, options, problems};
    std::vector<AssembledRun> runs;
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const auto& row = table.rows[i];
        AssembledRun run{{}, {i}};
        RunRecord& record = run.run.record;
        reader.fill(record, row);
        if (record.name.empty()) { record.name = reader.text(row, "run"); }
        const auto finite = [&](const char* quantity) {
            const auto loss = reader.loss(row, quantity);
            if (loss && !std::isfinite(*loss)) {
                record.state = RunState::diverged;
                record.state_reason = fmt::format("its {} is {}", quantity, *loss);
            }
            return loss && std::isfinite(*loss) ? loss : std::nullopt;
        };
        record.state = RunState::ok;
        record.final_train_loss = finite("train_loss");
        record.final_val_loss = finite("loss");
        runs.push_back(std::move(run));
    }
    return runs;
}

/// diverged where the last loss of either kind is NaN or infinite, else ok.
void judge_curve(RunRecord& record, const std::vector<ImportedPoint>& curve) {
    record.state = RunState::ok;
    for (const auto member : {&ImportedPoint::train_loss, &ImportedPoint::loss}) {
        const auto last =
            std::find_if(curve.rbegin(), curve.rend(), [&](const ImportedPoint& point) { return point.*member; });
        if (last != curve.rend() && !std::isfinite(*((*last).*member))) {
            record.state = RunState::diverged;
            record.state_reason = fmt::format("its loss is {} at step {}", *((*last).*member), last->step);
        }
    }
}

/// The state that the file gives, where its column holds a word that is known: another word is a problem then. Where it
/// holds none, it tells something else, unless the options say that it is the state.
class States {
  public:
    States(const ImportTable& table, const ColumnChoice& choice, const ImportOptions& options, RowReader& reader,
           std::vector<std::string>& notes)
        : table_{table}, reader_{reader} {
        if (!choice.has("state")) { return; }
        std::vector<const ImportTable::Row*> unknown;
        known_ = options.columns.contains("state") || options.values.contains("state");
        for (const auto& row : table.rows) {
            const auto word = reader.text(row, "state");
            if (word.empty()) { continue; }
            if (state_of_word(word)) {
                known_ = true;
            } else {
                unknown.push_back(&row);
            }
        }
        const auto fault = [&](const ImportTable::Row& row) {
            return fmt::format("found '{}', wanted finished, failed, killed, running or diverged",
                               reader.text(row, "state"));
        };
        if (known_) {
            for (const auto* row : unknown) { reader.problem(*row, "state", fault(*row)); }
        } else if (!unknown.empty()) {
            notes.push_back(reader.place_of("state") + " is not taken for the state: " + fault(*unknown.front()));
        }
    }

    void apply(RunRecord& record, const std::vector<std::size_t>& rows) const {
        if (!known_) { return; }
        const auto word = reader_.text(table_.rows[rows.back()], "state");
        const auto state = state_of_word(word);
        if (!state) { return; }
        if (*state == RunState::ok && record.state == RunState::diverged) { return; }  // it finished, with NaN
        record.state = *state;
        record.state_reason = *state == RunState::ok ? "" : fmt::format("'{}' in the imported file", word);
    }

  private:
    const ImportTable& table_;
    RowReader& reader_;
    bool known_ = false;
};

/// Columns that hold no quantity, where all rows of the run agree: numbers as numbers.
Json other_columns(const ImportTable& table, const ColumnChoice& choice, const std::vector<std::size_t>& rows) {
    Json others = Json::object();
    for (const std::size_t column : choice.others) {
        const std::string_view first = trimmed(table.rows[rows.front()].cells[column]);
        const bool constant = std::all_of(
            rows.begin(), rows.end(), [&](std::size_t row) { return trimmed(table.rows[row].cells[column]) == first; });
        if (!constant || says_nothing(first)) { continue; }
        const auto number = parse_import_number(first);
        others[table.columns[column]] = number && std::isfinite(*number) ? Json(*number) : Json(first);
    }
    return others;
}

Json quantities_used(const ImportTable& table, const ColumnChoice& choice, const ImportOptions& options) {
    Json used = Json::object();
    for (const ImportQuantity& quantity : import_quantities()) {
        const std::string name{quantity.name};
        if (!choice.has(name)) { continue; }
        Json entry = Json::object();
        if (const auto columns = choice.columns.find(name); columns != choice.columns.end()) {
            std::string text;
            for (const std::size_t column : columns->second) {
                text += (text.empty() ? "" : ",") + table.columns[column];
            }
            entry["column"] = text;
        } else {
            entry["value"] = choice.values.at(name);
        }
        if (const auto scale = options.scales.find(name); scale != options.scales.end()) {
            entry["scale"] = scale->second;
        }
        if (!quantity.stored_as.empty()) { entry["stored_as"] = quantity.stored_as; }
        used[name] = std::move(entry);
    }
    return used;
}

/// D of the steps' batch, C of the convention: each only as asked for, and said in `quantities`.
void fill_computed(ImportedRun& run, const ColumnChoice& choice, const ImportOptions& options, Json& quantities) {
    RunRecord& record = run.record;
    if (!choice.has("D") && record.batch_tokens && record.steps.value_or(0) > 0) {
        const auto batch = static_cast<double>(*record.batch_tokens);
        record.tokens = *record.batch_tokens * *record.steps;
        for (ImportedPoint& point : run.curve) { point.tokens = batch * static_cast<double>(point.step); }
        quantities["D"] = {{"computed", "steps x batch"}, {"stored_as", "tokens"}};
    }
    const auto& N = record.non_embedding_params ? record.non_embedding_params : record.total_params;
    if (record.non_embedding_params && record.tokens) {
        record.flops_6nd =
            6.0 * static_cast<double>(*record.non_embedding_params) * static_cast<double>(*record.tokens);
    }
    if (!options.compute_6nd || !N || !record.tokens) { return; }
    record.flops = 6.0 * static_cast<double>(*N) * static_cast<double>(*record.tokens);
    for (ImportedPoint& point : run.curve) {
        if (point.tokens) { point.flops = 6.0 * static_cast<double>(*N) * *point.tokens; }
    }
    quantities["C"] = {{"computed", "6nd"}, {"stored_as", "flops"}};
}

/// Of everything that a fit or a page would use; not of where it came from. Columns without a value are left out, so
/// that a column which a later program adds changes no id.
std::string identity_of(const ImportedRun& run, const Json& others) {
    const Json columns = Json::parse(to_json(run.record));
    Json known = Json::object();
    for (const auto& [name, value] : columns.items()) {
        if (!value.is_null()) { known[name] = value; }
    }
    std::string text = "loglog imported run 1\n" + known.dump() + "\n" + others.dump() + "\n";
    const auto add = [&](const std::optional<double>& value) {
        text += value ? fmt::format(",{}", *value) : std::string{","};
    };
    for (const ImportedPoint& point : run.curve) {
        text += fmt::format("{}", point.step);
        for (const auto& value : {point.loss, point.train_loss, point.lr, point.tokens, point.flops, point.seconds}) {
            add(value);
        }
        text += '\n';
    }
    return short_id(XXH3_128bits(text.data(), text.size()).high64);
}

/// A curve's loss that is neither called a training nor a validation loss is taken for both.
bool is_plain_loss(const ImportTable& table, const ColumnChoice& choice) {
    const auto column = choice.column("loss");
    if (!choice.curves || !column || choice.has("train_loss")) { return false; }
    const std::string name = plain_name(table.columns[*column]);
    return name.find("val") == std::string::npos && name.find("test") == std::string::npos;
}

void take_for_training_too(ImportedRun& run) {
    for (ImportedPoint& point : run.curve) { point.train_loss = point.loss; }
    run.record.final_train_loss = run.record.final_val_loss;
}

void describe(ImportedTable& result, const Json& quantities) {
    for (const auto& [name, entry] : quantities.items()) {
        std::string text = entry.contains("column")  ? "column '" + entry["column"].get<std::string>() + "'"
                           : entry.contains("value") ? "the value " + entry["value"].get<std::string>()
                                                     : entry["computed"].get<std::string>();
        if (entry.contains("scale")) { text += fmt::format(" x {}", entry["scale"].get<double>()); }
        result.columns.emplace_back(name, text);
    }
}

void note_what_is_missing(ImportedTable& result, const ColumnChoice& choice) {
    if (!choice.has("loss")) {
        result.notes.emplace_back(
            "only a training loss is given: it can be shown, but what is fitted is the loss of validation; to take it "
            "for that, say --map loss=COLUMN");
    }
    const auto count = [&](auto member) {
        return std::count_if(result.runs.begin(), result.runs.end(),
                             [&](const ImportedRun& run) { return !(run.record.*member); });
    };
    const auto total = result.runs.size();
    const auto say = [&](std::ptrdiff_t missing, const char* what) {
        if (missing > 0) { result.notes.push_back(fmt::format("{} of {} runs have no {}", missing, total, what)); }
    };
    say(count(&RunRecord::tokens), "D (tokens)");
    say(count(&RunRecord::flops), "C (FLOPs); --compute 6nd would take 6 N D for it");
    if (choice.has("total_params")) { return; }
    say(count(&RunRecord::non_embedding_params), "N (parameters)");
}

/// The runs with what is known of all of them: family, state, computed quantities.
void complete(std::vector<AssembledRun>& runs, const ColumnChoice& choice, const ImportOptions& options,
              const States& states, bool plain_loss, Json& quantities) {
    for (auto& [run, rows] : runs) {
        run.record.family = external_family;
        if (choice.curves) { judge_curve(run.record, run.curve); }
        if (plain_loss) { take_for_training_too(run); }
        states.apply(run.record, rows);
        fill_computed(run, choice, options, quantities);
    }
}

std::string spec_of(const ImportOrigin& origin, const std::string& place, const Json& quantities, const Json& others) {
    const Json origins = {{"file", origin.file},
                          {"format", origin.format},
                          {"hash", origin.hash},
                          {"place", place},
                          {"quantities", quantities}};
    return Json{{"import", origins}, {"columns", others}}.dump();
}

/// Gives the runs their ids and specifications and moves each into the result once.
void publish(std::vector<AssembledRun>& runs, const ImportTable& table, const ColumnChoice& choice,
             const ImportOrigin& origin, const Json& quantities, ImportedTable& result) {
    std::map<std::string, std::string> seen;  // id -> place
    for (auto& [run, rows] : runs) {
        const Json others = other_columns(table, choice, rows);
        const std::string& place = table.rows[rows.front()].place;
        run.record.id = identity_of(run, others);
        const auto [same, is_new] = seen.try_emplace(run.record.id, place);
        if (is_new) {
            if (choice.curves && run.record.name.empty()) {
                run.record.name = origin.file.substr(0, origin.file.rfind('.'));
            }
            run.record.spec = spec_of(origin, place, quantities, others);
            result.runs.push_back(std::move(run));
        } else {
            result.notes.push_back(place + " is the same run as " + same->second + ": taken once");
        }
    }
}

}  // namespace

ImportedTable import_runs(const ImportTable& table, const ImportOptions& options, const ImportOrigin& origin) {
    ImportProblems problems{table.source};
    for (const std::string& problem : table.problems) { problems.add(problem); }
    const ColumnChoice choice = choose_columns(table, options, problems);
    if (problems.size() > table.problems.size()) { problems.throw_if_any(); }  // its rows cannot be read

    ImportedTable result;
    result.notes = table.notes;
    RowReader reader{table, choice, options, problems};
    const States states{table, choice, options, reader, result.notes};
    auto assembled = choice.curves ? assemble_curves(table, choice, options, problems, result.notes)
                                   : assemble_rows(table, choice, options, problems);
    const bool plain_loss = is_plain_loss(table, choice);
    if (plain_loss) {
        result.notes.push_back(reader.place_of("loss") +
                               " does not say whether it is of training or validation: taken for both");
    }
    Json quantities = quantities_used(table, choice, options);
    complete(assembled, choice, options, states, plain_loss, quantities);
    check_units(assembled, table, choice, options, problems);
    problems.throw_if_any();

    publish(assembled, table, choice, origin, quantities, result);
    describe(result, quantities);
    note_what_is_missing(result, choice);
    return result;
}

}  // namespace loglog
