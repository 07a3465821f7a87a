#include "distributed/data_parallel/gradient_exchange.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "distributed/data_parallel/gradient_buckets.hpp"
#include "distributed/data_parallel/gradient_slots.hpp"
#include "distributed/data_parallel/micro_batch_tree.hpp"
#include "distributed/data_parallel/shared_gradients.hpp"
#include "distributed/data_parallel/state_shares.hpp"
#include "engine/base/error.hpp"
#include "engine/kernels/elementwise.hpp"
#include "engine/optim/gradient_tiles.hpp"

namespace loglog {
namespace {

Decoder& checked(Decoder& model, const Topology& topology, const ExchangeOptions& options) {
    if (model.parameters().dtype() != DType::float32) {
        throw InputError{"gradient exchange: the model's values must be float32"};
    }
    if (topology.reduction() == Reduction::tree && topology.layout().dp > 1 &&
        !std::has_single_bit(static_cast<unsigned>(options.micro_batches))) {
        throw InputError{"layout: with reduction = \"tree\" and dp = " + std::to_string(topology.layout().dp) +
                         ", micro_batches must be a power of two but is " + std::to_string(options.micro_batches) +
                         " (the tree over micro-batches goes on across ranks)"};
    }
    return model;
}

// Whether a rank's gradient of a parameter, before any sum over tensor-parallel ranks, is the parameter's or a piece
// of it: only of these can the norms of small batches be taken without communication.
bool has_small_batch_norm(const Parameters& parameters, ParameterId id) {
    const auto& spec = parameters.spec(id);
    const bool is_partial = spec.cut.axis == Cut::Axis::whole && parameters.shard().sequence_parallel;
    return !is_partial && !has_copies(spec, parameters.shard().leaves);
}

// Behind the table of squares in the message of a step.
enum Scalar : std::size_t { small_squares, large_squares_of_uses, stop, checkpoint, scalars };

}  // namespace

struct GradientExchange::Work final : GradientListener {
    Work(Context& context_, Decoder& model, const Topology& topology_, const ExchangeOptions& options_);

    void begin_step();
    void on_block_backward(std::int64_t layer) override;
    void after_micro_batch(int chunk, int micro_batch, PipelineOp step);
    void close_buckets(std::int64_t passed);
    void close_slot(std::size_t index, int micro_batch);
    StepTotals finish(std::span<const double> losses, StepRequests requests);
    void start_sums(const GradientBucket& bucket);
    void add_uses();
    void fill_message(std::span<const double> losses, StepRequests requests);
    StepTotals totals() const;

    bool shards_state() const noexcept { return options.zero > 0 && topology.layout().dp > 1; }
    bool as_tree() const noexcept { return topology.reduction() == Reduction::tree; }
    int small_batches() const noexcept {
        const int dp = topology.layout().dp;
        return as_tree() ? dp * options.micro_batches : dp;
    }
    bool compares_batches() const noexcept { return options.noise_scale && small_batches() > 1; }
    double square_of(const GradientSlot& slot);

    Context& context;
    Parameters& parameters;
    const Topology& topology;
    ExchangeOptions options;
    std::vector<GradientSlot> slots;
    std::vector<GradientBucket> buckets;
    std::size_t next_bucket = 0;
    std::vector<Transfer> transfers;
    std::vector<OwnedRange> owned;  // of one bucket
    MicroBatchTree tree;
    SharedGradients shared;
    GradientTiles tiles;
    Share share;                                      // of this rank in what its data-parallel group does together
    std::vector<SquaresTile<float>> squares;          // that this rank takes
    std::vector<SquaresTile<float>> squares_of_uses;  // of each use's gradient by itself
    std::vector<double> sums_of_uses;
    std::vector<double> message;             // [squares | loss of each global micro-batch | scalars]
    std::vector<int> closed;                 // [slots]: micro-batches of this step whose gradients were taken
    std::vector<bool> is_copied;             // [slots]: see has_copies
    std::vector<bool> in_small_norm;         // [slots]: this rank counts it
    std::vector<ParameterId> of_small_norm;  // with one use, the same on every rank
    double small_square = 0;
    StateShares shares;
};

GradientExchange::Work::Work(Context& context_, Decoder& model, const Topology& topology_,
                             const ExchangeOptions& options_)
    : context{context_},
      parameters{checked(model, topology_, options_).parameters()},
      topology{topology_},
      options{options_},
      slots{gradient_slots(model)},
      buckets{gradient_buckets(slots)},
      tree{slots, as_tree() ? options.micro_batches : 1},
      shared{parameters, topology.tensor()},
      tiles{parameters},
      share{static_cast<std::size_t>(topology.place().dp), static_cast<std::size_t>(topology.layout().dp)},
      shares{shards_state() ? StateShares{parameters, tiles, topology.data()} : StateShares{parameters}} {
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        for (const auto& tile : share_of(tiles.of(id), share)) {
            if (tile.owned) { append_squares<float>(squares, std::span{&tile, 1}, parameters.gradient<float>(id)); }
        }
        if (has_small_batch_norm(parameters, id) && !parameters.spec(id).two_uses) { of_small_norm.push_back(id); }
    }
    for (const auto& slot : slots) {
        is_copied.push_back(has_copies(parameters.spec(slot.parameter), parameters.shard().leaves));
        const bool is_cut = parameters.spec(slot.parameter).cut.axis != Cut::Axis::whole;
        in_small_norm.push_back(has_small_batch_norm(parameters, slot.parameter) &&
                                (is_cut || topology.place().tp == 0));
        if (!in_small_norm.back() || !parameters.spec(slot.parameter).two_uses) { continue; }
        append_squares<float>(squares_of_uses, share_of(tiles.of(slot.parameter), share), slot.values);
    }
    for (std::size_t index = 0; index < squares_of_uses.size(); ++index) { squares_of_uses[index].place = index; }
    sums_of_uses.resize(squares_of_uses.size());
    const auto micro_batches = static_cast<std::size_t>(topology.layout().dp * options.micro_batches);
    message.resize(tiles.entries() + micro_batches + scalars);
    closed.resize(slots.size());
}

void GradientExchange::Work::begin_step() {
    parameters.begin_step();
    for (std::size_t index = 0; as_tree() && index < slots.size(); ++index) { tree.begin(index, slots[index]); }
    std::ranges::fill(closed, 0);
    next_bucket = 0;
    small_square = 0;
}

double GradientExchange::Work::square_of(const GradientSlot& slot) {
    double square = 0;
    launch(context, SumOfSquares<float>{slot.collected(), &square});
    return square;
}

void GradientExchange::Work::on_block_backward(std::int64_t layer) {
    close_buckets(layer);
    topology.data().progress();
}

// Where weight gradients are delayed, what a backward pass wrote at once is closed at once: the next micro-batch's
// would be added to it before the weights are due.
void GradientExchange::Work::after_micro_batch(int chunk, int micro_batch, PipelineOp step) {
    // The last micro-batch's gradients are taken bucket by bucket.
    if (!as_tree() || micro_batch + 1 == options.micro_batches) { return; }
    for (std::size_t index = 0; index < slots.size(); ++index) {
        if (slots[index].chunk != chunk || closed[index] > micro_batch) { continue; }
        if (step == PipelineOp::backward_input && !slots[index].states.front()->written) { continue; }
        close_slot(index, micro_batch);
    }
}

void GradientExchange::Work::close_slot(std::size_t index, int micro_batch) {
    const auto& slot = slots[index];
    complete(context, slot);
    if (compares_batches() && in_small_norm[index]) { small_square += square_of(slot); }
    if (as_tree()) { tree.fold(context, index, slot, micro_batch); }
    closed[index] = micro_batch + 1;
}

void GradientExchange::Work::close_buckets(std::int64_t passed) {
    for (; next_bucket < buckets.size() && buckets[next_bucket].layer >= passed; ++next_bucket) {
        const auto& bucket = buckets[next_bucket];
        for (std::size_t index = bucket.first_slot; index < bucket.first_slot + bucket.slots; ++index) {
            close_slot(index, options.micro_batches - 1);
        }
        if (topology.layout().dp > 1) { start_sums(bucket); }
    }
}

// With sharded state a rank needs the sum of its own share alone; but the copies of a row on several leaves, which are
// yet to be added up, may be in different ranks' shares. And where the library sums, its all-reduce is the faster one:
// Open MPI 4.1's non-blocking reductions, half the bytes, made a step of 2 ranks 5 % longer.
void GradientExchange::Work::start_sums(const GradientBucket& bucket) {
    auto& data = topology.data();
    if (!shards_state() || !as_tree()) {
        transfers.push_back(data.start_all_reduce_sum(bucket.gradient));
        return;
    }
    owned.clear();
    for (std::size_t index = bucket.first_slot + bucket.slots; index-- > bucket.first_slot;) {
        const auto& slot = slots[index];
        if (is_copied[index]) {
            transfers.push_back(data.start_all_reduce_sum(slot.values));
        } else {
            append_owned(owned, tiles.of(slot.parameter), slot.values, data.size());
        }
    }
    for (const auto& range : owned) { transfers.push_back(data.start_reduce_sum(range.values, range.owner)); }
}

StepTotals GradientExchange::Work::finish(std::span<const double> losses, StepRequests requests) {
    if (losses.size() != static_cast<std::size_t>(options.micro_batches)) {
        throw Error{"gradient exchange: a step has " + std::to_string(options.micro_batches) +
                    " micro-batches but was given the losses of " + std::to_string(losses.size())};
    }
    close_buckets(-1);
    for (const auto transfer : transfers) { topology.data().wait(transfer); }
    transfers.clear();
    shared.sum(context);
    add_uses();
    fill_message(losses, requests);
    if (!topology.is_alone()) { topology.everyone().all_reduce_sum(message); }
    return totals();
}

// A parameter with two uses: first use + second use, in every layout.
void GradientExchange::Work::add_uses() {
    if (compares_batches()) { launch(context, TileSquares<float>{squares_of_uses, sums_of_uses}); }
    parameters.finish_step(context);
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto& spec = parameters.specs()[index];
        if (!spec.present || !spec.two_uses || (spec.first_use_here && spec.second_use_here)) { continue; }
        topology.ends().all_reduce_sum(parameters.gradient<float>(static_cast<ParameterId>(index)));
    }
}

void GradientExchange::Work::fill_message(std::span<const double> losses, StepRequests requests) {
    std::ranges::fill(message, 0.0);
    launch(context, TileSquares<float>{squares, message});
    const auto first_loss = tiles.entries() + static_cast<std::size_t>(topology.place().dp * options.micro_batches);
    if (topology.last_stage() && topology.place().tp == 0) {
        std::ranges::copy(losses, message.begin() + static_cast<std::ptrdiff_t>(first_loss));
    }
    const auto last = std::span{message}.last(scalars);
    last[small_squares] = small_square;
    last[large_squares_of_uses] = std::accumulate(sums_of_uses.begin(), sums_of_uses.end(), 0.0);
    last[stop] = requests.stop ? 1 : 0;
    last[checkpoint] = requests.checkpoint ? 1 : 0;
}

StepTotals GradientExchange::Work::totals() const {
    const std::span<const double> all{message};
    const auto last = all.last(scalars);
    StepTotals result;
    const auto losses = all.subspan(tiles.entries(), all.size() - tiles.entries() - scalars);
    for (const double loss : losses) { result.loss_sum += loss; }
    result.gradient_norm = norm_of(all.first(tiles.entries()));
    result.requests = {.stop = last[stop] > 0, .checkpoint = last[checkpoint] > 0};
    if (!compares_batches()) { return result; }
    // Each small batch's own mean gradient is small_batches times what it adds to the large batch's mean.
    result.small_batches = small_batches();
    result.small_batch_square = result.small_batches * last[small_squares];
    result.large_batch_square = last[large_squares_of_uses];
    for (const auto id : of_small_norm) {
        for (const double entry : all.subspan(tiles.first_entry(id), tiles.entries_of(id))) {
            result.large_batch_square += entry;
        }
    }
    return result;
}

GradientExchange::GradientExchange(Context& context, Decoder& model, const Topology& topology,
                                   const ExchangeOptions& options)
    : work_{std::make_unique<Work>(context, model, topology, options)} {}

GradientExchange::~GradientExchange() = default;

void GradientExchange::begin_step() { work_->begin_step(); }

GradientListener* GradientExchange::listener() noexcept {
    return work_->topology.layout().dp > 1 ? work_.get() : nullptr;
}

void GradientExchange::after_micro_batch(int chunk, int micro_batch, PipelineOp step) {
    work_->after_micro_batch(chunk, micro_batch, step);
}

StepTotals GradientExchange::finish(std::span<const double> losses, StepRequests requests) {
    return work_->finish(losses, requests);
}

StepReport GradientExchange::update(const AdamWSettings& settings, double lr, std::int64_t step, double gradient_norm) {
    const auto report =
        adamw_step(work_->context, work_->parameters, work_->shares.pieces(), settings, lr, step, gradient_norm);
    if (report.applied) { work_->shares.gather_values(); }
    return report;
}

std::span<const StatePiece> GradientExchange::pieces() const noexcept { return work_->shares.pieces(); }

std::size_t GradientExchange::memory_bytes() const noexcept {
    return work_->parameters.moment_bytes() + work_->shares.moment_bytes() + work_->tree.bytes() +
           work_->shared.bytes() + work_->message.size() * sizeof(double) +
           work_->squares.size() * sizeof(SquaresTile<float>) + work_->tiles.all().size_bytes();
}

}  // namespace loglog
