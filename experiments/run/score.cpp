#include "experiments/run/score.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "engine/base/error.hpp"

namespace loglog {

double TextScore::loss() const {
    return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
}

double TextScore::bits_per_byte() const {
    return loss() * static_cast<double>(losses.size()) / std::numbers::ln2 / static_cast<double>(bytes);
}

double TextScore::perplexity() const { return std::exp(loss()); }

TextScore score_text(TrainedModel& trained, Context& context, std::string_view text) {
    TextScore score;
    score.bytes = text.size();
    trained.tokenizer.encode(text, score.tokens);
    if (score.tokens.empty()) { throw InputError{"there is nothing to score in an empty text"}; }

    std::vector<std::int32_t> input{trained.tokenizer.end_of_document()};
    input.insert(input.end(), score.tokens.begin(), score.tokens.end() - 1);
    const std::size_t window = static_cast<std::size_t>(trained.spec.model.context);
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    std::vector<std::int32_t> targets;
    while (score.losses.size() < input.size()) {
        const std::size_t scored = score.losses.size();
        const std::size_t first = scored == 0 ? 0 : scored - std::min(scored, window / 2);
        const std::size_t length = std::min(window, input.size() - first);
        targets.assign(score.tokens.begin() + static_cast<std::ptrdiff_t>(first),
                       score.tokens.begin() + static_cast<std::ptrdiff_t>(first + length));
        tape.reset();
        const TokenBatch batch{.tokens = std::span{input}.subspan(first, length),
                               .targets = targets,
                               .sequences = 1,
                               .time = static_cast<std::int64_t>(length)};
        const auto losses = trained.model.loss(tape, batch, StepInfo{}).token_losses.values<float>();
        score.losses.insert(score.losses.end(), losses.begin() + static_cast<std::ptrdiff_t>(scored - first),
                            losses.end());
    }
    return score;
}

}  // namespace loglog
