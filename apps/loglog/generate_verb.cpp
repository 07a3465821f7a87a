#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/loglog/find_run.hpp"
#include "apps/loglog/verbs.hpp"
#include "engine/base/cores.hpp"
#include "experiments/run/sample.hpp"

namespace loglog {
namespace {

struct GenerateOptions {
    std::string run;
    std::string prompt;
    std::string registry;
    SamplingOptions sampling;
    std::uint64_t seed = 1;
    bool json = false;
};

void generate_text(GenerateOptions& options) {
    options.sampling.seed = Seed{options.seed};
    validate(options.sampling);
    const auto registry = registry_folder(options.registry);
    const auto record = find_run(registry, options.run);
    auto trained = load_trained_model(registry, record);
    Context context{CpuContext{usable_cores()}};

    std::vector<std::int32_t> tokens;
    if (!options.json) { fmt::print("{}", options.prompt); }
    generate(trained, context, options.prompt, options.sampling, [&](std::int32_t token) {
        tokens.push_back(token);
        if (!options.json) {
            fmt::print("{}", trained.tokenizer.decode(std::span{&token, 1}));
            std::fflush(stdout);
        }
    });
    if (options.json) {
        // A token may end inside a character: bytes that are no UTF-8 become U+FFFD.
        const nlohmann::json result{{"run", record.id},         {"step", trained.step},
                                    {"prompt", options.prompt}, {"text", trained.tokenizer.decode(tokens)},
                                    {"tokens", tokens},         {"seed", options.seed}};
        fmt::print("{}\n", result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    } else {
        fmt::print("\n");
    }
}

}  // namespace

void add_generate_verb(CLI::App& app, Program&) {
    auto options = std::make_shared<GenerateOptions>();
    auto* verb = app.add_subcommand("generate", "Continue a text with a trained run");
    verb->add_option("run", options->run, "Id, or beginning of the id, of the run")->required();
    verb->add_option("--prompt", options->prompt, "Text to go on from (empty: the start of a document)");
    verb->add_option("--tokens", options->sampling.tokens, "At most so many new tokens");
    verb->add_option("--temperature", options->sampling.temperature, "0: always the likeliest token");
    verb->add_option("--top-k", options->sampling.top_k, "Choose among the k likeliest (0: all)");
    verb->add_option("--top-p", options->sampling.top_p, "Choose among the likeliest that hold this probability");
    verb->add_option("--seed", options->seed, "The same seed gives the same text");
    verb->add_option("--registry", options->registry,
                     "Folder of the runs (default: $LOGLOG_REGISTRY, else ./loglog-runs)");
    verb->add_flag("--json", options->json, "Print the result as JSON");
    verb->callback([options] { generate_text(*options); });
}

}  // namespace loglog
