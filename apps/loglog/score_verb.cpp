#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/loglog/find_run.hpp"
#include "apps/loglog/verbs.hpp"
#include "engine/base/cores.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/score.hpp"

namespace loglog {
namespace {

using nlohmann::json;

struct ScoreOptions {
    std::string run;
    std::vector<std::string> files;
    std::string registry;
    bool per_token = false;
    bool json = false;
};

std::string read_text(const std::string& path) {
    if (std::filesystem::is_directory(path)) {
        throw InputError{fmt::format("{} is a folder; score wants files", path)};
    }
    std::ifstream file{path, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    if (!file.is_open() || file.bad()) {
        throw InputError{fmt::format("cannot read {}: {}", path, std::strerror(errno))};
    }
    if (text.empty()) { throw InputError{fmt::format("{} is empty: there is nothing to score", path)}; }
    return text;
}

json describe(const TextScore& score, const Tokenizer& tokenizer, bool per_token) {
    json result{{"tokens", score.tokens.size()},
                {"bytes", score.bytes},
                {"loss", score.loss()},
                {"bits_per_byte", score.bits_per_byte()},
                {"perplexity", score.perplexity()}};
    if (per_token) {
        auto& list = result["per_token"] = json::array();
        for (std::size_t i = 0; i < score.tokens.size(); ++i) {
            list.push_back({{"token", score.tokens[i]},
                            {"text", tokenizer.decode(std::span{&score.tokens[i], 1})},
                            {"loss", score.losses[i]}});
        }
    }
    return result;
}

std::string dump(const json& value, int indent) {
    return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

void score_files(const ScoreOptions& options) {
    const auto registry = registry_folder(options.registry);
    const auto record = find_run(registry, options.run);
    auto trained = load_trained_model(registry, record);
    Context context{CpuContext{usable_cores()}};

    json results = json::array();
    if (!options.json) {
        fmt::print("{:>12} {:>14} {:>12} {:>10}  file\n", "loss", "bits per byte", "perplexity", "tokens");
    }
    for (const auto& file : options.files) {
        const auto score = score_text(trained, context, read_text(file));
        auto result = describe(score, trained.tokenizer, options.per_token);
        if (!options.json) {
            fmt::print("{:12.4f} {:14.4f} {:12.4g} {:10}  {}\n", score.loss(), score.bits_per_byte(),
                       score.perplexity(), score.tokens.size(), file);
            for (const auto& token : result.value("per_token", json::array())) {
                fmt::print("{:12.4f}  {}\n", token["loss"].get<double>(), dump(token["text"], -1));
            }
        }
        result["file"] = file;
        results.push_back(std::move(result));
    }
    if (options.json) { fmt::print("{}\n", dump({{"run", record.id}, {"step", trained.step}, {"files", results}}, 2)); }
}

}  // namespace

void add_score_verb(CLI::App& app, Program&) {
    auto options = std::make_shared<ScoreOptions>();
    auto* verb = app.add_subcommand("score", "Loss, bits per byte and perplexity of texts under a trained run");
    verb->add_option("run", options->run, "Id, or beginning of the id, of the run")->required();
    verb->add_option("files", options->files, "Text files")->required();
    verb->add_flag("--per-token", options->per_token, "Also the loss of every token");
    verb->add_option("--registry", options->registry,
                     "Folder of the runs (default: $LOGLOG_REGISTRY, else ./loglog-runs)");
    verb->add_flag("--json", options->json, "Print the result as JSON");
    verb->callback([options] { score_files(*options); });
}

}  // namespace loglog
