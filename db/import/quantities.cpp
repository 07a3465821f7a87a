#include "db/import/quantities.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "db/import/import_table.hpp"
#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"

namespace loglog {
namespace {

using Record = RunRecord;

const std::vector<ImportQuantity>& table() {
    static const std::vector<ImportQuantity> quantities{
        {"run", {}, "", {"run", "run_id", "run_name", "name", "id", "mlflow_runname"}},
        {"name", &Record::name, "name", {"name", "run_name", "mlflow_runname"}},
        {"step", {}, "", {"step", "global_step", "_step", "iteration", "iter", "trainer_global_step"}},
        {"non_embedding_params",
         &Record::non_embedding_params,
         "non_embedding_params",
         {"non_embedding_params", "n_non_embedding", "n_nonembed", "non_embedding_parameters", "params_non_embedding"}},
        {"total_params", &Record::total_params, "total_params", {"total_params", "n_total", "total_parameters"}},
        {"embedding_params", &Record::embedding_params, "embedding_params", {"embedding_params", "n_embedding"}},
        {"head_params", &Record::head_params, "head_params", {"head_params"}},
        {"N",
         &Record::non_embedding_params,
         "non_embedding_params",
         {"n", "params", "parameters", "n_params", "num_params", "num_parameters", "n_parameters", "param_count"}},
        {"D",
         &Record::tokens,
         "tokens",
         {"d", "tokens", "n_tokens", "num_tokens", "train_tokens", "tokens_seen", "total_tokens", "tokens_trained",
          "consumed_tokens"}},
        {"U", &Record::unique_tokens, "unique_tokens", {"u", "unique_tokens"}},
        {"C",
         &Record::flops,
         "flops",
         {"c", "flops", "compute", "total_flops", "train_flops", "flop", "training_flops"}},
        {"loss",
         &Record::final_val_loss,
         "final_val_loss",
         {"final_val_loss", "val_loss", "validation_loss", "valid_loss", "eval_loss", "loss_val", "loss_validation",
          "loss_valid", "loss_eval", "lm_loss_validation", "validation_lm_loss", "final_loss", "test_loss", "loss_test",
          "loss"}},
        {"train_loss",
         &Record::final_train_loss,
         "final_train_loss",
         {"final_train_loss", "train_loss", "training_loss", "loss_train", "loss_training", "lm_loss", "loss"}},
        {"bits_per_byte", &Record::bits_per_byte, "bits_per_byte", {"bits_per_byte", "bpb"}},
        {"lr", &Record::lr, "lr", {"lr", "learning_rate", "train_lr", "train_learning_rate", "peak_lr", "max_lr"}},
        {"batch", &Record::batch_tokens, "batch_tokens", {"batch_tokens", "tokens_per_batch"}},
        {"steps", &Record::steps, "steps", {"steps", "n_steps", "num_steps", "total_steps"}},
        {"seed", &Record::seed, "seed", {"seed", "random_seed"}},
        {"seconds", &Record::seconds, "seconds", {"seconds", "train_seconds"}},
        {"context",
         &Record::context,
         "context",
         {"context", "context_length", "seq_len", "sequence_length", "block_size"}},
        {"vocab", &Record::vocab, "vocab", {"vocab", "vocab_size"}},
        {"layers", &Record::layers, "layers", {"layers", "n_layers", "num_layers", "n_layer"}},
        {"width", &Record::width, "width", {"width", "d_model", "n_embd", "hidden_size"}},
        {"heads", &Record::heads, "heads", {"heads", "n_heads", "num_heads", "n_head"}},
        {"attention", &Record::attention, "attention", {"attention"}},
        {"state", {}, "state", {"state", "status"}},
        {"created", &Record::created_at, "created_at", {"created_at", "start_time", "created", "wall_time"}},
        {"finished", &Record::finished_at, "finished_at", {"finished_at", "end_time"}},
    };
    return quantities;
}

std::string lower(std::string_view text) {
    std::string result{text};
    for (char& c : result) { c = static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
    return result;
}

std::string utc_text(std::time_t seconds) {
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text.data();
}

}  // namespace

std::span<const ImportQuantity> import_quantities() { return table(); }

const ImportQuantity& find_import_quantity(std::string_view name) {
    std::vector<std::string> names;
    std::string list;
    for (const ImportQuantity& quantity : table()) {
        if (quantity.name == name) { return quantity; }
        names.emplace_back(quantity.name);
        list += (list.empty() ? "" : ", ") + names.back();
    }
    throw InputError{"'" + std::string{name} + "' is no quantity" + did_you_mean(name, names) + "; there are " + list};
}

std::string plain_name(std::string_view column) {
    for (const std::string_view prefix : {"params.", "metrics.", "tags.", "config.", "summary."}) {
        if (column.starts_with(prefix)) {
            column.remove_prefix(prefix.size());
            break;
        }
    }
    std::string name = lower(column);
    for (char& c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) { c = '_'; }
    }
    return name;
}

std::optional<double> parse_import_number(std::string_view cell) {
    if (cell.starts_with('+')) { cell.remove_prefix(1); }
    double value = 0;
    const auto [end, status] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (status != std::errc{} || end != cell.data() + cell.size()) { return std::nullopt; }
    return value;
}

std::optional<RunState> state_of_word(std::string_view word) {
    struct Words {
        RunState state;
        std::vector<std::string_view> list;
    };
    static const std::array<Words, 4> known{
        Words{RunState::ok, {"ok", "finished", "completed", "complete", "success", "succeeded", "done"}},
        Words{RunState::diverged, {"diverged", "nan"}}, Words{RunState::failed, {"failed", "crashed", "error"}},
        Words{RunState::stopped,
              {"stopped", "killed", "cancelled", "canceled", "preempted", "interrupted", "running", "preempting",
               "pending", "scheduled", "queued", "cut short"}}};
    const std::string text = lower(word);
    for (const Words& words : known) {
        if (std::find(words.list.begin(), words.list.end(), text) != words.list.end()) { return words.state; }
    }
    return std::nullopt;
}

std::optional<std::string> utc_time_of(std::string_view cell) {
    if (const auto number = parse_import_number(cell)) {
        constexpr double year_1980 = 3.2e8;
        constexpr double year_2200 = 7.3e9;
        const double seconds = *number > year_2200 ? *number / 1000 : *number;
        if (!(seconds > year_1980 && seconds < year_2200)) { return std::nullopt; }
        return utc_text(static_cast<std::time_t>(seconds));
    }
    const std::string text{cell};
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, read = 0;
    if (std::sscanf(text.c_str(), "%4d-%2d-%2d%*1[T ]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
                    &read) < 6) {
        return std::nullopt;
    }
    std::string_view rest = cell.substr(static_cast<std::size_t>(read));
    if (rest.starts_with('.')) { rest = rest.substr(std::min(rest.find_first_not_of("0123456789", 1), rest.size())); }
    constexpr std::array<std::string_view, 5> utc{"", "Z", "+00:00", "+0000", " UTC"};
    if (std::find(utc.begin(), utc.end(), rest) == utc.end()) { return std::nullopt; }
    std::array<char, 32> result{};
    std::snprintf(result.data(), result.size(), "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day, hour, minute,
                  second);
    return result.data();
}

}  // namespace loglog
