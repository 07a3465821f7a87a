#include "engine/data/probe_examples.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double slot_exponent = 0.01;

bool is_copy(ProbeTask task) {
    return task == ProbeTask::copy || task == ProbeTask::palindrome || task == ProbeTask::noisy_copy;
}

/// Tokens of a copy of `length` letters: the last letter is only ever a target.
std::int64_t context_for(ProbeTask task, std::int64_t length) {
    // noisy_copy: begin, at least `length` places for the letters, separator and the string but for its last letter.
    return task == ProbeTask::noisy_copy ? 2 * length + 2 : 2 * length + 1;
}

/// The numbers of one example, one after the other.
class Draws {
  public:
    Draws(Seed seed, Split split, std::uint64_t index)
        : random_{seed, Stream::probe_data, static_cast<std::uint64_t>(split) << 62 | index} {}

    double uniform() { return random_.uniform(next_++); }
    std::int64_t below(std::int64_t bound) {
        return static_cast<std::int64_t>(random_.below(next_++, static_cast<std::uint64_t>(bound)));
    }
    std::int32_t letter() { return ProbeExamples::first_letter + static_cast<std::int32_t>(below(26)); }

    /// Different tokens in [first, first + count): tries again where one is there already, which `size` <= count ends.
    void distinct(std::int64_t first, std::int64_t count, std::span<std::int32_t> tokens) {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const auto known = tokens.first(i);
            do {
                tokens[i] = static_cast<std::int32_t>(first + below(count));
            } while (std::find(known.begin(), known.end(), tokens[i]) != known.end());
        }
    }

    /// `count` numbers below rates.size() without replacement, each next one with a probability in proportion to its
    /// rate: the order in which exponential clocks of these rates ring (Efraimidis and Spirakis 2006).
    std::vector<std::size_t> by_rate(std::span<const double> rates, std::size_t count) {
        std::vector<double> rings(rates.size());
        for (std::size_t i = 0; i < rates.size(); ++i) { rings[i] = -std::log1p(-uniform()) / rates[i]; }
        std::vector<std::size_t> order(rates.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                          [&](std::size_t a, std::size_t b) { return rings[a] < rings[b]; });
        order.resize(count);
        return order;
    }

  private:
    Random random_;
    std::uint64_t next_ = 0;
};

struct Example {
    std::span<std::int32_t> tokens;
    std::span<std::int32_t> targets;
};

void make_recall(Draws& draws, const ProbeSettings& settings, std::span<const double> rates, Example out) {
    const auto pairs = static_cast<std::size_t>(settings.size);
    const std::int64_t half = settings.vocab / 2;
    std::vector<std::int32_t> keys(pairs);
    std::vector<std::int32_t> values(pairs);
    draws.distinct(1, half - 1, keys);
    draws.distinct(half, settings.vocab - half, values);
    const auto slots = draws.by_rate(rates, pairs);
    for (std::size_t i = 0; i < pairs; ++i) {
        out.tokens[2 * i] = keys[i];
        out.tokens[2 * i + 1] = values[i];
        const std::size_t place = 2 * pairs + 2 * slots[i];
        out.tokens[place] = keys[i];
        out.targets[place] = values[i];
    }
}

/// Writes separator and string from `place` on, and makes the string the targets there.
void ask_for(std::span<const std::int32_t> string, std::size_t place, Example out) {
    out.tokens[place] = ProbeExamples::separator_token;
    for (std::size_t i = 0; i < string.size(); ++i) {
        out.targets[place + i] = string[i];
        if (i + 1 < string.size()) { out.tokens[place + 1 + i] = string[i]; }
    }
}

void make_copy(Draws& draws, std::size_t length, bool reverse, Example out) {
    std::vector<std::int32_t> string(length);
    for (auto& letter : string) { letter = draws.letter(); }
    out.tokens[0] = ProbeExamples::begin_token;
    std::copy(string.begin(), string.end(), out.tokens.begin() + 1);
    if (reverse) { std::reverse(string.begin(), string.end()); }
    ask_for(string, 1 + length, out);
}

void make_noisy_copy(Draws& draws, std::size_t length, std::size_t longest, Example out) {
    const std::size_t separator = out.tokens.size() - longest;
    out.tokens[0] = ProbeExamples::begin_token;
    std::fill(out.tokens.begin() + 1, out.tokens.begin() + static_cast<std::ptrdiff_t>(separator),
              ProbeExamples::noise_token);
    const std::vector<double> equal(separator - 1, 1.0);
    auto places = draws.by_rate(equal, length);
    std::sort(places.begin(), places.end());
    std::vector<std::int32_t> string(length);
    for (std::size_t i = 0; i < length; ++i) {
        string[i] = draws.letter();
        out.tokens[1 + places[i]] = string[i];
    }
    ask_for(string, separator, out);
}

void make_induction(Draws& draws, const ProbeSettings& settings, Example out) {
    const std::size_t half = out.tokens.size() / 2;
    draws.distinct(1, settings.vocab - 1, out.tokens.first(half));
    std::copy_n(out.tokens.begin(), half, out.tokens.begin() + static_cast<std::ptrdiff_t>(half));
    for (std::size_t i = half; i + 1 < 2 * half; ++i) { out.targets[i] = out.tokens[i + 1]; }
}

std::string too_short(const ProbeSettings& settings, const std::string& what, std::int64_t wanted) {
    return what + " needs a context of at least " + std::to_string(wanted) + " tokens, which is " +
           std::to_string(settings.context);
}

std::string too_small(const ProbeSettings& settings, const std::string& what, std::int64_t wanted) {
    return what + " needs a vocabulary of at least " + std::to_string(wanted) + ", which is " +
           std::to_string(settings.vocab);
}

}  // namespace

std::vector<std::string> problems_of(const ProbeSettings& settings) {
    std::vector<std::string> problems;
    const std::int64_t size = settings.size;
    if (settings.task == ProbeTask::mqar) {
        const std::string what = "mqar of " + std::to_string(size) + " pairs";
        // Two tokens a pair, and as many slots of two tokens.
        if (settings.context < 4 * size) { problems.push_back(too_short(settings, what, 4 * size)); }
        if (settings.vocab < 2 * size + 2) { problems.push_back(too_small(settings, what, 2 * size + 2)); }
    } else if (settings.task == ProbeTask::induction) {
        const std::int64_t half = settings.context / 2;
        if (settings.context < 4) { problems.push_back(too_short(settings, "induction", 4)); }
        if (settings.vocab < half + 1) {
            problems.push_back(
                too_small(settings, "induction over " + std::to_string(settings.context) + " tokens", half + 1));
        }
    } else if (settings.context < context_for(settings.task, size)) {
        problems.push_back(
            too_short(settings, "a copy of " + std::to_string(size) + " letters", context_for(settings.task, size)));
    }
    return problems;
}

std::int64_t vocab_of(const ProbeSettings& settings) noexcept {
    return is_copy(settings.task) ? ProbeExamples::first_letter + ProbeExamples::letters : settings.vocab;
}

std::string hash_of(const ProbeSettings& settings) {
    const std::array<std::uint64_t, 4> content{
        static_cast<std::uint64_t>(settings.task), static_cast<std::uint64_t>(settings.size),
        static_cast<std::uint64_t>(vocab_of(settings)), static_cast<std::uint64_t>(settings.seed)};
    const XXH128_hash_t hash = XXH3_128bits(content.data(), sizeof(content));
    std::array<char, 33> text{};
    std::snprintf(text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                  static_cast<unsigned long long>(hash.low64));
    return text.data();
}

ProbeExamples::ProbeExamples(const ProbeSettings& settings) : settings_{settings} {
    std::string text;
    for (const std::string& problem : problems_of(settings)) { text += "\n  " + problem; }
    if (!text.empty()) { throw InputError{"impossible probe:" + text}; }
    if (settings.task != ProbeTask::mqar) { return; }
    const std::int64_t slots = (settings.context - 2 * settings.size) / 2;
    for (std::int64_t u = 0; u < slots; ++u) {
        slot_rates_.push_back(slot_exponent * std::pow(static_cast<double>(u + 1), slot_exponent - 1));
    }
}

void ProbeExamples::make(Split split, std::uint64_t index, std::span<std::int32_t> tokens,
                         std::span<std::int32_t> targets) const {
    LOGLOG_ASSERT(static_cast<std::int64_t>(tokens.size()) == settings_.context && targets.size() == tokens.size());
    std::fill(tokens.begin(), tokens.end(), 0);
    std::fill(targets.begin(), targets.end(), -1);
    Draws draws{settings_.seed, split, index};
    const Example out{tokens, targets};
    if (settings_.task == ProbeTask::mqar) { return make_recall(draws, settings_, slot_rates_, out); }
    if (settings_.task == ProbeTask::induction) { return make_induction(draws, settings_, out); }
    const auto lengths = test_lengths();
    const auto length = static_cast<std::size_t>(split == Split::train ? 1 + draws.below(settings_.size)
                                                                       : lengths[index % lengths.size()]);
    if (settings_.task == ProbeTask::noisy_copy) {
        return make_noisy_copy(draws, length, static_cast<std::size_t>(settings_.size), out);
    }
    make_copy(draws, length, settings_.task == ProbeTask::palindrome, out);
}

double ProbeExamples::labels_per_example() const noexcept {
    if (settings_.task == ProbeTask::mqar) { return static_cast<double>(settings_.size); }
    if (settings_.task == ProbeTask::induction) { return static_cast<double>(settings_.context / 2 - 1); }
    return static_cast<double>(settings_.size + 1) / 2;
}

std::vector<std::int64_t> ProbeExamples::test_lengths() const {
    if (!is_copy(settings_.task)) { return {}; }
    std::vector<std::int64_t> lengths{settings_.size};
    if (settings_.task == ProbeTask::noisy_copy) { return lengths; }
    for (const std::int64_t factor : {2, 4}) {
        const std::int64_t length = factor * settings_.size;
        if (context_for(settings_.task, length) <= settings_.context) { lengths.push_back(length); }
    }
    return lengths;
}

}  // namespace loglog
