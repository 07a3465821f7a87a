#include "experiments/run/sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "engine/base/error.hpp"
#include "engine/models/decoding.hpp"

namespace loglog {

void validate(const SamplingOptions& options) {
    std::string problems;
    const auto require = [&](bool holds, const std::string& text) {
        if (!holds) { problems += (problems.empty() ? "" : "\n") + text; }
    };
    require(options.tokens >= 1, fmt::format("--tokens is {} but must be at least 1", options.tokens));
    require(options.temperature >= 0, fmt::format("--temperature is {} but must be at least 0", options.temperature));
    require(options.top_k >= 0, fmt::format("--top-k is {} but must be at least 0 (0: all)", options.top_k));
    require(options.top_p > 0 && options.top_p <= 1,
            fmt::format("--top-p is {} but must be above 0 and at most 1", options.top_p));
    if (!problems.empty()) { throw InputError{problems}; }
}

std::int32_t sample_token(std::span<const float> logits, const SamplingOptions& options, double uniform) {
    if (options.temperature == 0) {
        return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    }
    std::vector<std::int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    // Equal logits keep the order of their ids, so that a seed gives one text.
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
        return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
    });
    if (options.top_k > 0) { order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k))); }

    const double largest = logits[static_cast<std::size_t>(order.front())];
    std::vector<double> weights(order.size());
    std::transform(order.begin(), order.end(), weights.begin(), [&](auto token) {
        return std::exp((logits[static_cast<std::size_t>(token)] - largest) / options.temperature);
    });
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::size_t kept = 0;
    double kept_weight = 0;
    while (kept < weights.size() && (kept == 0 || kept_weight < options.top_p * total)) {
        kept_weight += weights[kept++];
    }

    double target = uniform * kept_weight;
    for (std::size_t i = 0; i + 1 < kept; ++i) {
        if (target < weights[i]) { return order[i]; }
        target -= weights[i];
    }
    return order[kept - 1];
}

void generate(TrainedModel& trained, Context& context, std::string_view prompt, const SamplingOptions& options,
              const std::function<void(std::int32_t)>& emit) {
    validate(options);
    const Random random{options.seed, Stream::sampling};
    const auto end = trained.tokenizer.end_of_document();
    std::vector<std::int32_t> text{end};
    trained.tokenizer.encode(prompt, text);

    Decoding decoding{trained.model, context};
    const auto keep = static_cast<std::size_t>(std::max<std::int64_t>(decoding.capacity() / 2, 1));
    std::size_t fed = text.size() > static_cast<std::size_t>(decoding.capacity()) ? text.size() - keep : 0;
    std::span<const float> logits;
    for (std::int64_t made = 0; made < options.tokens; ++made) {
        if (decoding.length() + static_cast<std::int64_t>(text.size() - fed) > decoding.capacity()) {
            decoding.clear();
            fed = text.size() - std::min(keep, text.size());
        }
        for (; fed < text.size(); ++fed) { logits = decoding.next(text[fed]); }
        const auto token = sample_token(logits, options, random.uniform(static_cast<std::uint64_t>(made)));
        if (token == end) { return; }
        text.push_back(token);
        emit(token);
    }
}

}  // namespace loglog
