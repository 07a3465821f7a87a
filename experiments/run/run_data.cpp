#include "experiments/run/run_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/permutation.hpp"
#include "engine/data/recall_tokens.hpp"
#include "engine/data/window_order.hpp"
#include "experiments/spec/probe_settings.hpp"

namespace loglog {
namespace {

ProbeExamples examples_of(const RunSpec& spec) {
    return ProbeExamples{probe_settings(spec.data.probe, spec.model.context)};
}

/// Every example once an epoch, in the order of a keyed permutation of (seed, epoch), as windows of text are.
WindowSource probe_training_windows(const RunSpec& spec) {
    const auto count = static_cast<std::uint64_t>(spec.data.probe.examples);
    return [examples = examples_of(spec), count, seed = Seed{spec.train.seed}](
               std::uint64_t position, std::span<std::int32_t> tokens, std::span<std::int32_t> targets) {
        const KeyedPermutation order{count, seed, Stream::data_order, position / count};
        examples.make(Split::train, order(position % count), tokens, targets);
    };
}

EvaluationWindows probe_test_windows(const RunSpec& spec, std::uint64_t count) {
    return {count,
            [examples = examples_of(spec)](std::uint64_t position, std::span<std::int32_t> tokens,
                                           std::span<std::int32_t> targets) {
                examples.make(Split::validation, position, tokens, targets);
            },
            {}};
}

}  // namespace

TokenDataset open_data(const DataSpec& data, OpenCheck check) {
    if (data.is_probe()) {
        const auto settings = probe_settings(data.probe, 0);  // neither vocabulary nor hash depend on the context
        return TokenDataset::without_text(static_cast<std::int32_t>(vocab_of(settings)), hash_of(settings));
    }
    return data.is_synthetic() ? TokenDataset::synthetic(data.synthetic.documents, Seed{data.synthetic.seed})
                               : TokenDataset::open(data.path, check);
}

WindowSource training_windows(const TokenDataset& data, const RunSpec& spec) {
    if (spec.data.is_probe()) { return probe_training_windows(spec); }
    const WindowOrder order{data.tokens(Split::train), spec.model.context, Seed{spec.train.seed}};
    return WindowSource{[&data, order](std::uint64_t position, std::span<std::int32_t> window) {
               data.read(Split::train, order.first_token(position), window);
           }}
        .with_end_of_document(data.tokenizer().end_of_document());
}

EvaluationWindows evaluation_windows(const TokenDataset& data, const RunSpec& spec) {
    const auto context = static_cast<std::uint64_t>(spec.model.context);
    const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(spec.train.eval_tokens) / context);
    if (spec.data.is_probe()) { return probe_test_windows(spec, wanted); }
    const auto tokens = data.tokens(Split::validation);
    const auto available = tokens == 0 ? 0 : (tokens - 1) / context;
    if (available == 0) {
        throw InputError{
            fmt::format("the data set's validation split has {} tokens, but an evaluation needs at least one "
                        "window of model.context + 1 = {} (build the data set from more documents, or with a "
                        "larger --val-fraction)",
                        tokens, context + 1)};
    }
    const auto count = std::min(wanted, available);
    std::vector<std::uint64_t> first_tokens;
    for (std::uint64_t i = 0; i < count; ++i) { first_tokens.push_back(i * available / count * context); }
    auto recall = recall_tokens(data, first_tokens, spec.model.context);
    auto source = WindowSource{
        [&data, first_tokens = std::move(first_tokens)](std::uint64_t position, std::span<std::int32_t> window) {
            data.read(Split::validation, first_tokens[position], window);
        }}.with_end_of_document(data.tokenizer().end_of_document());
    return {count, std::move(source), std::move(recall)};
}

}  // namespace loglog
