#include "apps/loglog/bench_attention.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"
#include "engine/measure/attention_trial.hpp"
#include "engine/measure/ceilings.hpp"
#include "engine/measure/length_trend.hpp"
#include "experiments/spec/enum_names.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t fewest_repeats = 5;
constexpr double trend_from = 1'024;  // shorter ones are ruled by what does not grow
constexpr double short_length = 2'048;
constexpr double long_length = 16'384;

struct Options {
    std::vector<std::string> kinds;
    std::vector<std::int64_t> times{256, 512, 1'024, 2'048, 4'096, 8'192, 16'384};
    AttentionTrialShape shape;
    MixerConfig config;
    int threads = 1;
    std::int64_t repeats = fewest_repeats;
    double limit = 60;  // seconds for a point
    bool json = false;
};

struct Point {
    std::int64_t time = 0;
    double seconds = 0;  // median
    std::int64_t repeats = 0;
    double flops = 0;
    std::size_t memory_bytes = 0;
};

struct KindResult {
    AttentionKind kind = AttentionKind::dense;
    std::vector<Point> points = {};
    std::vector<std::int64_t> skipped = {};
};

// All kinds but the one that needs a file.
std::vector<std::string> all_kinds() {
    std::vector<std::string> names;
    for (const auto& [kind, name] : EnumNames<AttentionKind>::values) {
        if (kind != AttentionKind::pattern) { names.emplace_back(name); }
    }
    return names;
}

AttentionKind kind_of(const std::string& name) {
    const std::vector<std::string> known = all_kinds();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
        throw InputError{fmt::format("--kinds: '{}' is no kind of attention that can be timed{}; they are {}", name,
                                     did_you_mean(name, known), fmt::join(known, ", "))};
    }
    for (const auto& [kind, text] : EnumNames<AttentionKind>::values) {
        if (text == name) { return kind; }
    }
    return AttentionKind::dense;
}

void check(const Options& options) {
    if (options.repeats < fewest_repeats) {
        throw InputError{
            fmt::format("--repeats is {} but a median needs at least {}", options.repeats, fewest_repeats)};
    }
    if (options.times.empty() || *std::min_element(options.times.begin(), options.times.end()) < 1) {
        throw InputError{"--times must be lengths of at least 1"};
    }
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// What the point before says of one of `time` tokens, at worst: time grows with the square.
double expected_seconds(const std::vector<Point>& points, std::int64_t time) {
    if (points.empty()) { return 0; }
    const double ratio = static_cast<double>(time) / static_cast<double>(points.back().time);
    return points.back().seconds * ratio * ratio;
}

Point measure_point(const Options& options, const MixerConfig& config, std::int64_t time) {
    AttentionTrialShape shape = options.shape;
    shape.time = time;
    AttentionTrial trial{config, shape, options.threads};
    const double first = trial.seconds();  // not timed: it touches fresh memory
    const double affordable = std::floor(options.limit / std::max(first, 1e-9));
    Point point{.time = time, .flops = trial.cost().model_flops};
    point.repeats = affordable < static_cast<double>(options.repeats)
                        ? std::max<std::int64_t>(1, static_cast<std::int64_t>(affordable))
                        : options.repeats;
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < point.repeats; ++i) { seconds.push_back(trial.seconds()); }
    point.seconds = median(seconds);
    point.memory_bytes = trial.memory_bytes();
    return point;
}

KindResult measure_kind(const Options& options, AttentionKind kind) {
    KindResult result{.kind = kind};
    MixerConfig config = options.config;
    config.kind = kind;
    for (const std::int64_t time : options.times) {
        if (expected_seconds(result.points, time) > options.limit) {
            result.skipped.push_back(time);
            continue;
        }
        result.points.push_back(measure_point(options, config, time));
        if (!options.json) {
            fmt::print(stderr, "{} at {}: {:.4g} s\n", to_string(kind), time, result.points.back().seconds);
        }
    }
    return result;
}

std::vector<TimedLength> lengths_of(const KindResult& result) {
    std::vector<TimedLength> lengths;
    for (const Point& point : result.points) {
        lengths.push_back({.length = static_cast<double>(point.time), .seconds = point.seconds});
    }
    return lengths;
}

// Time per token at the long length over that at the short one.
std::optional<double> growth_per_token(const KindResult& result) {
    const auto per_token = [&](double length) -> std::optional<double> {
        for (const Point& point : result.points) {
            if (static_cast<double>(point.time) == length) { return point.seconds / length; }
        }
        return std::nullopt;
    };
    const auto at_short = per_token(short_length);
    const auto at_long = per_token(long_length);
    return at_short && at_long ? std::optional{*at_long / *at_short} : std::nullopt;
}

struct Trend {
    std::optional<double> exponent = {};
    std::optional<double> crossover_with_dense = {};
    std::optional<double> per_token = {};
};

Trend trend_of(const KindResult& result, const std::vector<KindResult>& all) {
    const std::vector<TimedLength> lengths = lengths_of(result);
    Trend trend{.exponent = growth_exponent(lengths, trend_from), .per_token = growth_per_token(result)};
    const auto dense =
        std::find_if(all.begin(), all.end(), [](const KindResult& kind) { return kind.kind == AttentionKind::dense; });
    if (dense != all.end() && result.kind != AttentionKind::dense) {
        trend.crossover_with_dense = crossover(lengths, lengths_of(*dense));
    }
    return trend;
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json{}; }

void print_json(const Options& options, const std::vector<KindResult>& results, double peak) {
    Json kinds = Json::array();
    for (const KindResult& result : results) {
        Json points = Json::array();
        for (const Point& point : result.points) {
            points.push_back({{"time", point.time},
                              {"seconds", point.seconds},
                              {"repeats", point.repeats},
                              {"tokens_per_second", static_cast<double>(point.time) / point.seconds},
                              {"flops", point.flops},
                              {"flops_per_second", point.flops / point.seconds},
                              {"share_of_peak", point.flops / point.seconds / peak},
                              {"memory_bytes", point.memory_bytes}});
        }
        const Trend trend = trend_of(result, results);
        kinds.push_back({{"kind", to_string(result.kind)},
                         {"points", points},
                         {"skipped", result.skipped},
                         {"growth_exponent", or_null(trend.exponent)},
                         {"crossover_with_dense", or_null(trend.crossover_with_dense)},
                         {"time_per_token_16384_over_2048", or_null(trend.per_token)}});
    }
    const Json root{{"kinds", kinds},
                    {"peak_flops", peak},
                    {"threads", options.threads},
                    {"heads", options.shape.heads},
                    {"head_dim", options.shape.head_dim},
                    {"chunk", options.config.chunk},
                    {"limit_seconds", options.limit}};
    fmt::print("{}\n", root.dump(2));
}

void print_table(const Options& options, const std::vector<KindResult>& results, double peak) {
    fmt::print("forward + backward, {} heads of {}, {} thread{}, FMA peak {:.4g} GFLOP/s\n", options.shape.heads,
               options.shape.head_dim, options.threads, options.threads == 1 ? "" : "s", peak / 1e9);
    fmt::print("{:<10} {:>7} {:>11} {:>11} {:>9} {:>7} {:>10} {:>8}\n", "kind", "time", "ms", "tokens/s", "GFLOP/s",
               "peak", "MiB", "repeats");
    for (const KindResult& result : results) {
        for (const Point& point : result.points) {
            const double rate = point.flops / point.seconds;
            fmt::print("{:<10} {:>7} {:>11.3f} {:>11.4g} {:>9.1f} {:>6.1f}% {:>10.1f} {:>8}\n", to_string(result.kind),
                       point.time, 1e3 * point.seconds, static_cast<double>(point.time) / point.seconds, rate / 1e9,
                       100 * rate / peak, static_cast<double>(point.memory_bytes) / (1 << 20), point.repeats);
        }
        if (!result.skipped.empty()) {
            fmt::print("{:<10} skipped, expected to take longer than {} s: {}\n", to_string(result.kind), options.limit,
                       fmt::join(result.skipped, ", "));
        }
    }
    fmt::print("\n{:<10} {:>16} {:>18} {:>24}\n", "kind", "time ~ T^p, p", "faster than dense",
               "per token, 16384 / 2048");
    const std::int64_t longest = *std::max_element(options.times.begin(), options.times.end());
    const bool has_dense = std::any_of(results.begin(), results.end(),
                                       [](const KindResult& result) { return result.kind == AttentionKind::dense; });
    for (const KindResult& result : results) {
        const Trend trend = trend_of(result, results);
        const std::string crossing = result.kind == AttentionKind::dense || !has_dense ? "-"
                                     : trend.crossover_with_dense
                                         ? fmt::format("from {:.0f}", *trend.crossover_with_dense)
                                         : fmt::format("none up to {}", longest);
        fmt::print("{:<10} {:>16} {:>18} {:>24}\n", to_string(result.kind),
                   trend.exponent ? fmt::format("{:.2f}", *trend.exponent) : "-", crossing,
                   trend.per_token ? fmt::format("{:.2f}", *trend.per_token) : "-");
    }
}

void bench_attention(Options options) {
    check(options);
    std::sort(options.times.begin(), options.times.end());
    options.times.erase(std::unique(options.times.begin(), options.times.end()), options.times.end());
    if (options.kinds.empty()) { options.kinds = all_kinds(); }
    std::vector<AttentionKind> kinds;
    for (const std::string& name : options.kinds) { kinds.push_back(kind_of(name)); }

    const double peak_before = measured_fma_peak(options.threads);
    std::vector<KindResult> results;
    for (const AttentionKind kind : kinds) { results.push_back(measure_kind(options, kind)); }
    // The higher of two measurements: a share of a peak taken in a slow moment would flatter.
    const double peak = std::max(peak_before, measured_fma_peak(options.threads));
    options.json ? print_json(options, results, peak) : print_table(options, results, peak);
}

}  // namespace

void add_attention_bench(CLI::App& verb) {
    const auto options = std::make_shared<Options>();
    auto* bench = verb.add_subcommand(
        "attention", "Each kind of attention by itself over growing lengths: time, memory, share of the FMA peak");
    bench->add_option("--kinds", options->kinds, "Kinds, such as dense,window,gdn (none given: all)")->delimiter(',');
    bench->add_option("--times", options->times, "Tokens of a sequence")->delimiter(',');
    bench->add_option("--heads", options->shape.heads)->check(CLI::PositiveNumber);
    bench->add_option("--head-dim", options->shape.head_dim)->check(CLI::PositiveNumber);
    bench->add_option("--chunk", options->config.chunk, "Tokens that linear kinds do at once")
        ->check(CLI::PositiveNumber);
    bench->add_option("--window", options->config.window, "Keys that a window has")->check(CLI::PositiveNumber);
    bench->add_option("--threads", options->threads)->check(CLI::PositiveNumber);
    bench->add_option("--repeats", options->repeats, "Passes timed for a point; the median is reported");
    bench
        ->add_option("--limit", options->limit,
                     "Seconds for a point: fewer passes are timed where they would take longer, and lengths at which "
                     "a single one would are skipped")
        ->check(CLI::PositiveNumber);
    bench->add_flag("--json", options->json, "Print the result as JSON");
    bench->callback([options] { bench_attention(*options); });
}

}  // namespace loglog
