#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/loglog/progress_line.hpp"
#include "apps/loglog/verbs.hpp"
#include "engine/data/build.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/manifest.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct DataBuildOptions {
    BuildOptions build;
    bool force = false;
    bool json = false;
};

struct DataInfoOptions {
    std::string folder;
    bool verify = false;
    bool json = false;
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Draws a build's progress: rate since its phase began, and the time left where the total is known.
class BuildProgressLine {
  public:
    void operator()(const BuildProgress& progress) {
        if (progress.phase != phase_) {
            phase_ = progress.phase;
            phase_began_ = Clock::now();
        }
        if (!line_.due()) { return; }
        const double seconds = seconds_since(phase_began_);
        const double rate = seconds > 0.0 ? static_cast<double>(progress.done) / seconds : 0.0;
        const bool is_bytes = progress.unit == "B";
        const double scale = is_bytes ? 1048576.0 : 1.0;
        const char* unit = is_bytes ? "MiB" : "merges";
        std::string text = fmt::format("{:<8} {:.1f} {}, {:.1f} {}/s", progress.phase,
                                       static_cast<double>(progress.done) / scale, unit, rate / scale, unit);
        if (progress.total > 0 && rate > 0.0) {
            const double fraction = static_cast<double>(progress.done) / static_cast<double>(progress.total);
            text += fmt::format("  [{}] {:3.0f}%, {} left", progress_bar(fraction), 100.0 * fraction,
                                spell_duration(static_cast<double>(progress.total - progress.done) / rate));
        }
        line_.show(text);
    }

  private:
    ProgressLine line_;
    std::string phase_;
    Clock::time_point phase_began_ = Clock::now();
};

double per_token(const SplitInfo& split) {
    return split.tokens == 0 ? 0.0 : static_cast<double>(split.bytes) / static_cast<double>(split.tokens);
}

Json describe(const std::string& folder, const Manifest& manifest) {
    Json splits = Json::object();
    SplitInfo all;
    for (const Split which : all_splits) {
        const SplitInfo& split = manifest.split(which);
        splits[std::string{to_string(which)}] = {{"documents", split.documents},
                                                 {"tokens", split.tokens},
                                                 {"bytes", split.bytes},
                                                 {"bytes_per_token", per_token(split)},
                                                 {"shards", split.shards.size()}};
        all.documents += split.documents;
        all.tokens += split.tokens;
        all.bytes += split.bytes;
    }
    const DroppedFiles& dropped = manifest.dropped;
    return {{"path", folder},
            {"hash", manifest.data_hash},
            {"documents", all.documents},
            {"tokens", all.tokens},
            {"bytes", all.bytes},
            {"bytes_per_token", per_token(all)},
            {"tokenizer",
             {{"name", manifest.tokenizer}, {"vocab_size", manifest.vocab_size}, {"hash", manifest.tokenizer_hash}}},
            {"splits", splits},
            {"files", manifest.files},
            {"dropped",
             {{"duplicate", dropped.duplicate},
              {"binary", dropped.binary},
              {"not_utf8", dropped.not_utf8},
              {"empty", dropped.empty}}}};
}

void print_table(const std::string& folder, const Manifest& manifest) {
    fmt::print("{}: {}, vocabulary {}, hash {}\n", folder, manifest.tokenizer, manifest.vocab_size, manifest.data_hash);
    fmt::print("{:<12} {:>10} {:>14} {:>14} {:>12}\n", "split", "documents", "tokens", "bytes", "bytes/token");
    for (const Split which : all_splits) {
        const SplitInfo& split = manifest.split(which);
        fmt::print("{:<12} {:>10} {:>14} {:>14} {:>12.3f}\n", to_string(which), split.documents, split.tokens,
                   split.bytes, per_token(split));
    }
    const DroppedFiles& dropped = manifest.dropped;
    fmt::print("{} files found; dropped: {} duplicates, {} binary, {} not UTF-8, {} empty (dropped.tsv names them)\n",
               manifest.files, dropped.duplicate, dropped.binary, dropped.not_utf8, dropped.empty);
}

void build(const DataBuildOptions& options) {
    const auto start = Clock::now();
    BuildOptions build = options.build;
    build.existing = options.force ? Existing::replace : Existing::refuse;
    const auto result = [&] {
        BuildProgressLine line;
        return build_dataset(build, [&](const BuildProgress& progress) { line(progress); });
    }();
    const double seconds = seconds_since(start);
    for (const std::string& note : result.notes) { fmt::print(stderr, "note: {}\n", note); }
    if (options.json) {
        Json json = describe(build.out, result.manifest);
        json["already_built"] = result.is_already_built;
        json["notes"] = result.notes;
        json["seconds"] = seconds;
        fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
        return;
    }
    print_table(build.out, result.manifest);
    fmt::print("{}\n", result.is_already_built ? "already built: these documents and settings, checksums right"
                                               : fmt::format("built in {}", spell_duration(seconds)));
}

void info(const DataInfoOptions& options) {
    const Manifest manifest = read_manifest(options.folder);
    TokenDataset::open(options.folder, options.verify ? OpenCheck::checksums : OpenCheck::sizes_only);
    if (options.json) {
        Json json = describe(options.folder, manifest);
        json["verified"] = options.verify;
        fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
        return;
    }
    print_table(options.folder, manifest);
    if (options.verify) { fmt::print("verified: every shard has its checksum\n"); }
}

void add_build(CLI::App& data) {
    auto* verb = data.add_subcommand("build", "make a data set from text files: tokenizer, splits and token shards");
    const auto options = std::make_shared<DataBuildOptions>();
    BuildOptions& build_options = options->build;
    verb->add_option("--out", build_options.out, "folder to make")->required();
    verb->add_option("paths", build_options.paths, "files, folders (all files below them) or glob patterns")
        ->required();
    verb->add_option("--tokenizer", build_options.tokenizer,
                     "bytes, bpe:N (N tokens, trained on the training split), or a tokenizer.json");
    // One value an option: the paths follow.
    verb->add_option("--include", build_options.include,
                     "take only files that match this pattern, such as '*.py' (repeatable)")
        ->allow_extra_args(false);
    verb->add_option("--separator", build_options.separator,
                     "text between the documents of a file; without it a file is a document");
    verb->add_option("--val-fraction", build_options.fractions.validation, "share of documents for validation");
    verb->add_option("--test-fraction", build_options.fractions.test, "share of documents for testing");
    verb->add_option("--shard-tokens", build_options.shard_tokens, "most tokens in one shard file");
    verb->add_option("--threads", build_options.threads, "threads, 0: one a core; the result is the same");
    verb->add_flag("--force", options->force, "replace what is at --out");
    verb->add_flag("--json", options->json, "print the result as JSON");
    verb->callback([options] { build(*options); });
}

void add_info(CLI::App& data) {
    auto* verb = data.add_subcommand("info", "documents, tokens, bytes per token, split sizes and hash of a data set");
    const auto options = std::make_shared<DataInfoOptions>();
    verb->add_option("folder", options->folder, "what data build made")->required();
    verb->add_flag("--verify", options->verify, "also compare every shard's checksum");
    verb->add_flag("--json", options->json, "print JSON");
    verb->callback([options] { info(*options); });
}

}  // namespace

void add_data_verb(CLI::App& app, Program&) {
    auto* data = app.add_subcommand("data", "Make and inspect token data sets");
    data->require_subcommand(1);
    add_build(*data);
    add_info(*data);
}

}  // namespace loglog
