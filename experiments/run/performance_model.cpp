#include "experiments/run/performance_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "distributed/pipeline_parallel/schedule.hpp"
#include "engine/base/error.hpp"
#include "engine/models/model_cost.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/run/parallel_plan.hpp"

namespace loglog {
namespace {

constexpr double counted_bytes = 4;  // of a value, on the counting back end

// What one pass over some layers, or over embedding and head, takes: of one rank and one micro-batch.
struct Work {
    double forward_flops = 0;
    double forward_bytes = 0;
    double training_flops = 0;  // forward and backward
    double training_bytes = 0;
    double tensor_bytes = 0;  // sent, forward and backward
    double tensor_messages = 0;
    double state_bytes = 0;  // values, gradients and moments
    double gradient_bytes = 0;
    double moment_bytes = 0;
    double activation_bytes = 0;
    double optimizer_bytes = 0;
};

Work work_of(const ModelCost& cost) {
    return {.forward_flops = cost.forward.model_flops,
            .forward_bytes = cost.forward.bytes_read + cost.forward.bytes_written,
            .training_flops = cost.training.model_flops,
            .training_bytes = cost.training.bytes_read + cost.training.bytes_written,
            .tensor_bytes = cost.tensor_traffic.bytes,
            .tensor_messages = cost.tensor_traffic.messages,
            .state_bytes = static_cast<double>(cost.parameter_bytes + cost.gradient_bytes + cost.moment_bytes),
            .gradient_bytes = static_cast<double>(cost.gradient_bytes),
            .moment_bytes = static_cast<double>(cost.moment_bytes),
            .activation_bytes = static_cast<double>(cost.activation_bytes),
            .optimizer_bytes = cost.optimizer.bytes_read + cost.optimizer.bytes_written};
}

Work combined(const Work& a, double times, const Work& b) {
    const auto sum = [&](double Work::*member) { return a.*member + times * (b.*member); };
    Work work;
    for (double Work::*member :
         {&Work::forward_flops, &Work::forward_bytes, &Work::training_flops, &Work::training_bytes, &Work::tensor_bytes,
          &Work::tensor_messages, &Work::state_bytes, &Work::gradient_bytes, &Work::moment_bytes,
          &Work::activation_bytes, &Work::optimizer_bytes}) {
        work.*member = sum(member);
    }
    return work;
}

// A model's pieces. Layers of a kind are alike, so that models of one and two layers tell what each costs; a hybrid's
// are judged by their mean.
struct Pieces {
    Work layer;
    // What stages do and hold besides their layers.
    Work alone;   // of a single stage: embedding and head
    Work first;   // embedding
    Work middle;  // nothing but what passes need
    Work last;    // head
};

Pieces count_pieces(const RunSpec& spec, const ParallelPlan& plan) {
    DecoderConfig config = decoder_config(spec);
    ModelPart part;
    part.tensor.leaves = plan.leaves;
    part.tensor.leaf_count = plan.leaves / plan.layout.tp;
    part.tensor.sequence_parallel = plan.sequence_parallel;
    const auto count = [&](std::int64_t layers, bool embedding, bool head) {
        config.layers = layers;
        part.embedding = embedding;
        part.head = head;
        return work_of(count_cost(config, part, plan.micro_batch));
    };
    std::map<AttentionKind, double> shares;
    for (std::int64_t layer = 0; layer < spec.model.layers; ++layer) {
        shares[mixer_config(config, layer).kind] += 1 / static_cast<double>(spec.model.layers);
    }
    config.layer_attention.clear();
    Pieces pieces;
    Work layer_of_kind;  // the last one's, which is what `config` goes on with
    for (const auto& [kind, share] : shares) {
        config.attention.kind = kind;
        layer_of_kind = combined(count(2, true, true), -1, count(1, true, true));
        pieces.layer = combined(pieces.layer, share, layer_of_kind);
    }
    if (shares.size() == 1) { pieces.layer = layer_of_kind; }
    const auto ends = [&](bool embedding, bool head) { return combined(count(1, embedding, head), -1, layer_of_kind); };
    pieces.alone = ends(true, true);
    if (plan.layout.pp == 1) { return pieces; }
    pieces.first = ends(true, false);
    pieces.middle = ends(false, false);
    pieces.last = ends(false, true);
    return pieces;
}

// A group of `size` ranks that are `stride` apart.
struct Span {
    int size;
    int stride;
};

bool within_node(const Span& span, const Machine& machine) {
    return span.size * span.stride <= machine.ranks_per_node || machine.nodes == 1;
}

Link link_of(const Span& span, const Machine& machine) {
    if (within_node(span, machine)) { return machine.intra; }
    // A ring passes through a node once for each of its members there, over as many of the node's links.
    const int members_a_node = std::clamp(machine.ranks_per_node / span.stride, 1, span.size);
    return {machine.inter.latency, std::min(machine.intra.bandwidth, members_a_node * machine.inter.bandwidth)};
}

double seconds(const Link& link, double bytes, double messages) {
    return messages * link.latency + bytes / link.bandwidth;
}

class Prediction {
  public:
    Prediction(const RunSpec& spec, const Machine& machine)
        : spec_{spec},
          machine_{machine},
          plan_{parallel_plan(spec)},
          pieces_{count_pieces(spec, plan_)},
          bytes_scale_{machine.bytes_per_value / counted_bytes} {}

    LayoutPrediction run() {
        LayoutPrediction result;
        std::vector<PipelineTimes> times;
        const int pp = plan_.layout.pp;
        for (int stage = 0; stage < pp; ++stage) { add_stage(stage, times, result); }
        const PipelineTimeline timeline = simulate(plan_.schedule, plan_.micro_batches, times);
        result.bubble = pp > 1 ? timeline.bubble : 0;
        result.step_seconds = timeline.makespan + result.data_seconds + result.tied_seconds + result.optimizer_seconds;
        return result;
    }

  private:
    struct Passes {
        double forward;
        double backward;
    };

    // Of `work` without its messages. Recomputation repeats the forward pass of layers, not that of the head.
    Passes compute(const Work& work, bool is_layer) const {
        const auto time = [&](double flops, double bytes) {
            return flops / (machine_.flops * machine_.share_of_peak) + bytes * bytes_scale_ / machine_.bytes_per_second;
        };
        double forward = time(work.forward_flops, work.forward_bytes);
        double backward = time(work.training_flops - work.forward_flops, work.training_bytes - work.forward_bytes);
        if (is_layer) {
            const double scores = score_seconds();
            forward += scores;
            backward += 2 * scores + (machine_.recompute ? forward : 0);
        }
        return {forward, backward};
    }

    // Half of a layer's sums are in the forward pass.
    Passes messages(const Work& work, bool is_layer) const {
        const Link link = link_of({plan_.layout.tp, 1}, machine_);
        const double half = seconds(link, work.tensor_bytes * bytes_scale_, work.tensor_messages) / 2;
        return {half, half * (is_layer && machine_.recompute ? 2 : 1)};
    }

    double score_seconds() const {
        const auto& model = spec_.model;
        const double scores = static_cast<double>(plan_.micro_batch) * static_cast<double>(model.heads) /
                              plan_.layout.tp * std::pow(static_cast<double>(model.context), 2);
        return machine_.attention_score_passes * scores * machine_.bytes_per_value / machine_.bytes_per_second;
    }

    double layers_of(int stage) const {
        double layers = 0;
        for (std::size_t i = static_cast<std::size_t>(stage); i < plan_.pieces.size();
             i += static_cast<std::size_t>(plan_.layout.pp)) {
            layers += static_cast<double>(plan_.pieces[i].count());
        }
        return layers;
    }

    void add_stage(int stage, std::vector<PipelineTimes>& times, LayoutPrediction& result) const {
        const auto& [dp, tp, pp] = plan_.layout;
        const double layers = layers_of(stage);
        const bool first = stage == 0;
        const bool last = stage == pp - 1;
        const Work& ends = pp == 1 ? pieces_.alone : first ? pieces_.first : last ? pieces_.last : pieces_.middle;
        const Passes compute_ends = compute(ends, false);
        const Passes compute_layer = compute(pieces_.layer, true);
        const Passes send_ends = messages(ends, false);
        const Passes send_layer = messages(pieces_.layer, true);
        const double forward =
            layers * (compute_layer.forward + send_layer.forward) + compute_ends.forward + send_ends.forward;
        const double backward =
            layers * (compute_layer.backward + send_layer.backward) + compute_ends.backward + send_ends.backward;
        const double chunks = chunks_per_stage(plan_.schedule);
        times.push_back({.forward = forward / chunks,
                         .backward_input = backward / chunks / 2,
                         .backward_weight = backward / chunks / 2,
                         .transfer = transfer_seconds()});

        const double m = plan_.micro_batches;
        const double computed =
            layers * (compute_layer.forward + compute_layer.backward) + compute_ends.forward + compute_ends.backward;
        result.compute_seconds = std::max(result.compute_seconds, m * computed);
        result.tensor_seconds = std::max(result.tensor_seconds, m * (forward + backward - computed));

        const Work all = combined(ends, layers, pieces_.layer);
        const double ring = 2.0 * (dp - 1) / dp * all.gradient_bytes * bytes_scale_;
        const double data = seconds(link_of({dp, tp}, machine_), ring, dp > 1 ? 2.0 * (dp - 1) : 0);
        result.data_seconds = std::max(result.data_seconds, data * (1 - machine_.overlap));
        const double shard = plan_.zero > 0 ? dp : 1;
        result.optimizer_seconds =
            std::max(result.optimizer_seconds, all.optimizer_bytes / shard / machine_.bytes_per_second);

        result.memory_bytes = std::max(result.memory_bytes, memory_of(stage, layers, all, ends));
        const double sent = m *
                            (layers * pieces_.layer.tensor_bytes * (machine_.recompute ? 1.5 : 1) + ends.tensor_bytes) *
                            bytes_scale_;
        const double passed = pp > 1 ? m * chunks * transfer_bytes() * ((first || last) && chunks < 2 ? 1 : 2) : 0;
        // First and last stage add up the gradients of the table that both hold.
        const double tied = pp > 1 && (first || last) && spec_.model.tied_head ? table_bytes() : 0;
        const Link ends_link = near_stages() ? machine_.intra : machine_.inter;
        result.tied_seconds = std::max(result.tied_seconds, tied > 0 ? seconds(ends_link, tied, 2) : 0);
        result.bytes_per_rank = std::max(result.bytes_per_rank, sent + passed + ring + tied);
    }

    bool near_stages() const {
        const auto& [dp, tp, pp] = plan_.layout;
        return within_node({pp, tp * dp}, machine_);
    }
    double table_bytes() const {
        return static_cast<double>(spec_.model.vocab) * static_cast<double>(spec_.model.width) / plan_.layout.tp *
               machine_.bytes_per_value;
    }
    double stream_bytes() const {
        return static_cast<double>(plan_.micro_batch) * static_cast<double>(spec_.model.context) *
               static_cast<double>(spec_.model.width) * machine_.bytes_per_value;
    }
    double transfer_bytes() const {
        return stream_bytes() / (machine_.split_transfers || plan_.sequence_parallel ? plan_.layout.tp : 1);
    }
    double transfer_seconds() const {
        if (plan_.layout.pp == 1) { return 0; }
        return seconds(near_stages() ? machine_.intra : machine_.inter, transfer_bytes(), 1);
    }

    double memory_of(int stage, double layers, const Work& all, const Work& ends) const {
        const auto& [dp, tp, pp] = plan_.layout;
        const double state = all.state_bytes - (plan_.zero > 0 ? all.moment_bytes * (1 - 1.0 / dp) : 0);
        const double held = most_in_flight(plan_.schedule, pp, stage, plan_.micro_batches);
        const double chunk_layers = layers / chunks_per_stage(plan_.schedule);
        const double layer = pieces_.layer.activation_bytes * bytes_scale_;
        const double base = std::max(0.0, ends.activation_bytes) * bytes_scale_;
        if (machine_.recompute) { return state + held * chunk_layers * stream_bytes() + layer + base; }
        return state + held * (chunk_layers * layer + base);
    }

    const RunSpec& spec_;
    const Machine& machine_;
    ParallelPlan plan_;
    Pieces pieces_;
    double bytes_scale_;
};

}  // namespace

LayoutPrediction predict_layout(const RunSpec& spec, const Machine& machine) { return Prediction{spec, machine}.run(); }

std::vector<LayoutSpec> possible_layouts(const RunSpec& spec, int most_ranks) {
    std::vector<LayoutSpec> layouts;
    for (std::int64_t ranks = 1; ranks <= most_ranks; ranks *= 2) {
        for (std::int64_t tp = 1; tp <= ranks; tp *= 2) {
            for (std::int64_t pp = 1; pp * tp <= ranks; pp *= 2) {
                RunSpec candidate = spec;
                candidate.layout.tp = tp;
                candidate.layout.pp = pp;
                candidate.layout.dp = ranks / tp / pp;
                if (layout_problems(candidate).empty()) { layouts.push_back(candidate.layout); }
            }
        }
    }
    return layouts;
}

LayoutSpec smallest_layout(const RunSpec& spec, const Machine& machine, double rank_memory, int most_ranks) {
    std::optional<LayoutSpec> best;
    double best_seconds = 0;
    double least_memory = std::numeric_limits<double>::infinity();
    for (const LayoutSpec& layout : possible_layouts(spec, most_ranks)) {
        if (best && layout.ranks() > best->ranks()) { break; }
        RunSpec candidate = spec;
        candidate.layout = layout;
        const LayoutPrediction prediction = predict_layout(candidate, machine);
        least_memory = std::min(least_memory, prediction.memory_bytes);
        if (prediction.memory_bytes > rank_memory || (best && prediction.step_seconds >= best_seconds)) { continue; }
        best = layout;
        best_seconds = prediction.step_seconds;
    }
    if (best) { return *best; }
    throw InputError{
        fmt::format("sweep.rank_memory is {:.1f} MiB, but a run of width {} and {} layers needs at least "
                    "{:.1f} MiB a rank on up to {} ranks: raise it, or allow more ranks",
                    rank_memory / 0x1p20, spec.model.width, spec.model.layers, least_memory / 0x1p20, most_ranks)};
}

}  // namespace loglog
