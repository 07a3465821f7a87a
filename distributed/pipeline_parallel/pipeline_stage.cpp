#include "distributed/pipeline_parallel/pipeline_stage.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "distributed/pipeline_parallel/stage_mail.hpp"
#include "engine/base/error.hpp"
#include "engine/kernels/elementwise.hpp"

namespace loglog {
namespace {

/// Receives are posted this many steps before the one that reads them: the next forward and the next backward.
constexpr std::size_t lookahead = 2;

/// Tags are below this number, as groups ask for.
constexpr int tag_limit = 1 << 14;

enum class Message : std::uint8_t { activation, gradient };

/// One micro-batch in one chunk, from its forward to the end of its backward pass.
struct Slot {
    Slot(Context& context, Backing backing) : arena{backing}, tape{context, arena, Mode::train} {}

    Arena arena;
    Tape tape;
    bool used = false;
    int micro_batch = 0;
    int chunk = 0;
    Tensor input;
    Tensor output;
    std::optional<Transfer> sent;  // of the output, straight from the arena
};

void copy(Context& context, DType dtype, std::span<const std::byte> from, std::span<std::byte> to) {
    with_dtype(dtype, [&]<class T>(T) {
        launch(context, Scale<T>{{reinterpret_cast<const T*>(from.data()), from.size() / sizeof(T)},
                                 {reinterpret_cast<T*>(to.data()), to.size() / sizeof(T)}});
    });
}

std::span<std::byte> bytes_of(const Tensor& x) { return {x.data, x.bytes()}; }

std::vector<LayerRange> chunks_of(const Decoder& model) {
    if (!model.part().chunks.empty()) { return model.part().chunks; }
    return {{0, model.config().layers}};
}

}  // namespace

/// What is the same in every step, and the steps themselves.
struct PipelineStage::Work {
    Work(Context& context_, Decoder& model_, Group& pipeline, PipelineSchedule schedule_);

    std::vector<MicroBatchLoss> train(std::span<const TokenBatch> batches, std::span<const StepInfo> infos,
                                      const AfterMicroBatch& after);
    template <class Use>
    void evaluate(std::span<const TokenBatch> batches, std::span<const StepInfo> infos, const Use& use);

    // Chunk c of stage s is piece c * stages + s of the model.
    int piece_of(const PipelineStep& step) const { return step.chunk * stages + stage; }
    bool is_first(const PipelineStep& step) const { return piece_of(step) == 0; }
    bool is_last(const PipelineStep& step) const { return piece_of(step) == pieces - 1; }
    MailAddress address(Message message, int micro_batch, int of_piece, int at_piece) const;
    std::optional<MailAddress> source(const PipelineStep& step) const;

    void plan(int micro_batches);
    void start(const TokenBatch& batch);
    /// Posts the receives of steps up to `index` and some more.
    void post_receives(std::span<const PipelineStep> of_steps, std::size_t index);
    Slot& free_slot(const PipelineStep& step);
    Slot& slot_of(const PipelineStep& step);

    Tensor received(Tape& tape);
    Tensor run_layers(Tape& tape, const PipelineStep& step, Tensor h, const TokenBatch& batch, const StepInfo& info);
    void forward(const PipelineStep& step, const TokenBatch& batch, const StepInfo& info);
    MicroBatchLoss begin_backward(Slot& slot, const PipelineStep& step, const TokenBatch& batch, const StepInfo& info);
    void send_input_gradient(Slot& slot, const PipelineStep& step);

    Context& context;
    Decoder& model;
    Group& group;
    PipelineSchedule schedule;
    Backing backing;
    std::vector<LayerRange> chunks;
    int stages;
    int stage;
    int pieces;
    StageMail mail;
    std::vector<PipelineStep> steps;
    std::vector<std::unique_ptr<Slot>> slots;
    std::vector<PipelineStep> forwards;   // of an evaluation
    std::optional<Tape> evaluation_tape;  // in the first slot's arena, which is free between steps
    int planned = 0;                      // micro-batches that `steps` and `slots` are for
    std::size_t posted = 0;               // steps whose receives are posted
    Shape activation;                     // of a micro-batch between two pieces
};

PipelineStage::Work::Work(Context& context_, Decoder& model_, Group& pipeline, PipelineSchedule schedule_)
    : context{context_},
      model{model_},
      group{pipeline},
      schedule{schedule_},
      backing{is_counting(context_) ? Backing::address_space : Backing::memory},
      chunks{chunks_of(model_)},
      stages{pipeline.size()},
      stage{pipeline.rank()},
      pieces{stages * static_cast<int>(chunks.size())},
      mail{pipeline, backing, lookahead + 1} {
    const auto wanted = static_cast<std::size_t>(chunks_per_stage(schedule));
    if (stages == 1 && chunks.size() == 1 && wanted > 1) {
        schedule = PipelineSchedule::one_f_one_b;  // nothing to interleave
    } else if (chunks.size() != wanted) {
        throw Error{"pipeline: stage " + std::to_string(stage) + " has " + std::to_string(chunks.size()) +
                    " chunks of layers, but its schedule needs " + std::to_string(wanted)};
    }
    if ((stage == 0 && !model.part().embedding) || (stage == stages - 1 && !model.part().head)) {
        throw Error{"pipeline: the first stage needs the embedding and the last one the head"};
    }
    slots.push_back(std::make_unique<Slot>(context, backing));
    evaluation_tape.emplace(context, slots.front()->arena, Mode::evaluate);
}

/// `at_piece` is the receiver's. Micro-batches far apart share a tag: a piece sends and receives them in order.
MailAddress PipelineStage::Work::address(Message message, int micro_batch, int of_piece, int at_piece) const {
    const int round = micro_batch % (tag_limit / (2 * pieces));
    return {of_piece % stages, (round * pieces + at_piece) * 2 + (message == Message::gradient ? 1 : 0)};
}

/// Whose message a step needs.
std::optional<MailAddress> PipelineStage::Work::source(const PipelineStep& step) const {
    const int piece = piece_of(step);
    switch (step.op) {
        case PipelineOp::forward:
            if (is_first(step)) { return {}; }
            return address(Message::activation, step.micro_batch, piece - 1, piece);
        case PipelineOp::backward:
        case PipelineOp::backward_input:
            if (is_last(step)) { return {}; }
            return address(Message::gradient, step.micro_batch, piece + 1, piece);
        case PipelineOp::backward_weight:
            return {};
    }
    return {};
}

void PipelineStage::Work::plan(int micro_batches) {
    for (auto& slot : slots) { slot->used = false; }
    if (micro_batches == planned) { return; }
    steps = steps_of(schedule, stages, stage, micro_batches);
    const auto most = static_cast<std::size_t>(most_in_flight(schedule, stages, stage, micro_batches));
    while (slots.size() < most) { slots.push_back(std::make_unique<Slot>(context, backing)); }
    planned = micro_batches;
}

void PipelineStage::Work::start(const TokenBatch& batch) {
    activation = Shape{model.stream_rows(batch.sequences, batch.time), model.config().width};
    posted = 0;
    mail.start(static_cast<std::size_t>(activation.elements()) * size_of(model.parameters().dtype()));
}

void PipelineStage::Work::post_receives(std::span<const PipelineStep> of_steps, std::size_t index) {
    for (; posted < of_steps.size() && posted <= index + lookahead; ++posted) {
        if (const auto from = source(of_steps[posted])) { mail.expect(*from); }
    }
}

Slot& PipelineStage::Work::free_slot(const PipelineStep& step) {
    for (auto& slot : slots) {
        if (slot->used) { continue; }
        slot->used = true;
        slot->micro_batch = step.micro_batch;
        slot->chunk = step.chunk;
        return *slot;
    }
    throw Error{"pipeline: more activations in flight than the schedule has"};
}

Slot& PipelineStage::Work::slot_of(const PipelineStep& step) {
    for (auto& slot : slots) {
        if (slot->used && slot->micro_batch == step.micro_batch && slot->chunk == step.chunk) { return *slot; }
    }
    throw Error{"pipeline: a backward pass before its forward pass"};
}

/// The previous piece's output.
Tensor PipelineStage::Work::received(Tape& tape) {
    const Tensor x = tape.empty(activation, model.parameters().dtype());
    copy(context, x.dtype, mail.receive(), bytes_of(x));
    return x;
}

Tensor PipelineStage::Work::run_layers(Tape& tape, const PipelineStep& step, Tensor h, const TokenBatch& batch,
                                       const StepInfo& info) {
    const auto& layers = chunks[static_cast<std::size_t>(step.chunk)];
    for (auto layer = layers.first; layer < layers.last; ++layer) {
        const Tensor next = model.block(tape, layer, h, batch.time, info);
        tape.discard(h);
        h = next;
        if (stages == 1) { continue; }
        mail.progress();
        tape.record([mailbox = &mail](Tape&) { mailbox->progress(); });
    }
    return h;
}

void PipelineStage::Work::forward(const PipelineStep& step, const TokenBatch& batch, const StepInfo& info) {
    Slot& slot = free_slot(step);
    slot.tape.reset();
    slot.input = is_first(step) ? model.embed(slot.tape, batch.tokens, batch.time, info) : received(slot.tape);
    slot.output = run_layers(slot.tape, step, slot.input, batch, info);
    if (is_last(step)) { return; }
    const int piece = piece_of(step);
    auto to = address(Message::activation, step.micro_batch, piece + 1, piece + 1);
    slot.sent = mail.send(to, bytes_of(slot.output));
}

/// Gives the output its gradient. The head adds to its weight's gradient as it computes the loss, so that is done here
/// and not in the forward pass: no gradient of a micro-batch is touched before those of the one before are complete.
MicroBatchLoss PipelineStage::Work::begin_backward(Slot& slot, const PipelineStep& step, const TokenBatch& batch,
                                                   const StepInfo& info) {
    if (is_last(step)) {
        const auto loss = model.head_loss(slot.tape, slot.output, batch, info);
        return {.sum = loss.sum, .z_sum = loss.z_sum};
    }
    const auto message = mail.receive();
    with_dtype(slot.output.dtype, [&]<class T>(T) {
        const auto target = std::as_writable_bytes(slot.tape.gradient_of<T>(slot.output).values);
        copy(context, slot.output.dtype, message, target);
    });
    // Whoever computed the gradient has the output, so this does not hold up. Backward reuses the output's memory.
    mail.wait(*slot.sent);
    slot.sent.reset();
    return {};
}

void PipelineStage::Work::send_input_gradient(Slot& slot, const PipelineStep& step) {
    if (is_first(step)) { return; }
    const auto buffer = mail.copy_buffer();
    with_dtype(slot.input.dtype, [&]<class T>(T) {
        copy(context, slot.input.dtype, std::as_bytes(slot.tape.collected<T>(slot.input)), buffer);
    });
    const int piece = piece_of(step);
    mail.send_copy(address(Message::gradient, step.micro_batch, piece - 1, piece - 1));
}

std::vector<MicroBatchLoss> PipelineStage::Work::train(std::span<const TokenBatch> batches,
                                                       std::span<const StepInfo> infos, const AfterMicroBatch& after) {
    std::vector<MicroBatchLoss> losses(batches.size());
    plan(static_cast<int>(batches.size()));
    start(batches.front());
    for (std::size_t index = 0; index < steps.size(); ++index) {
        post_receives(steps, index);
        const auto& step = steps[index];
        const auto i = static_cast<std::size_t>(step.micro_batch);
        if (step.op == PipelineOp::forward) {
            forward(step, batches[i], infos[i]);
            continue;
        }
        Slot& slot = slot_of(step);
        if (step.op == PipelineOp::backward_weight) {
            slot.tape.backward_weights();
        } else {
            const auto loss = begin_backward(slot, step, batches[i], infos[i]);
            if (is_last(step)) { losses[i] = loss; }
            const bool whole = step.op == PipelineOp::backward;
            whole ? slot.tape.backward() : slot.tape.backward_inputs();
            send_input_gradient(slot, step);
        }
        slot.used = step.op == PipelineOp::backward_input;
        if (after) { after(step.chunk, step.micro_batch, step.op); }
    }
    mail.finish();
    return losses;
}

/// In groups of as many micro-batches as stages, like the interleaved schedule, the last group being what is left.
template <class Use>
void PipelineStage::Work::evaluate(std::span<const TokenBatch> batches, std::span<const StepInfo> infos,
                                   const Use& use) {
    forwards.clear();
    const int count = static_cast<int>(batches.size());
    for (int first = 0; first < count; first += stages) {
        for (int chunk = 0; chunk < static_cast<int>(chunks.size()); ++chunk) {
            for (int i = first; i < std::min(first + stages, count); ++i) {
                forwards.push_back({PipelineOp::forward, i, chunk});
            }
        }
    }
    start(batches.front());
    Tape& tape = *evaluation_tape;
    for (std::size_t index = 0; index < forwards.size(); ++index) {
        post_receives(forwards, index);
        const auto& step = forwards[index];
        const auto& batch = batches[static_cast<std::size_t>(step.micro_batch)];
        const auto& info = infos[static_cast<std::size_t>(step.micro_batch)];
        tape.reset();
        const Tensor input = is_first(step) ? model.embed(tape, batch.tokens, batch.time, info) : received(tape);
        const Tensor output = run_layers(tape, step, input, batch, info);
        if (is_last(step)) {
            const auto loss = model.head_loss(tape, output, batch, info);
            use(static_cast<std::size_t>(step.micro_batch),
                Outcome{loss.token_losses.values<float>(), loss.correct.values<float>()});
            continue;
        }
        copy(context, output.dtype, bytes_of(output), mail.copy_buffer());
        const int piece = piece_of(step);
        mail.send_copy(address(Message::activation, step.micro_batch, piece + 1, piece + 1));
    }
    mail.finish();
}

PipelineStage::PipelineStage(Context& context, Decoder& model, Group& pipeline, PipelineSchedule schedule)
    : work_{std::make_unique<Work>(context, model, pipeline, schedule)} {}

PipelineStage::~PipelineStage() = default;

std::vector<MicroBatchLoss> PipelineStage::train(std::span<const TokenBatch> micro_batches,
                                                 std::span<const StepInfo> infos, const AfterMicroBatch& after) {
    using Clock = std::chrono::steady_clock;
    LOGLOG_ASSERT(!micro_batches.empty() && micro_batches.size() == infos.size());
    const auto begin = Clock::now();
    auto losses = work_->train(micro_batches, infos, after);
    times_ = {.total = std::chrono::duration<double>(Clock::now() - begin).count(), .waiting = work_->mail.waiting()};
    return losses;
}

void PipelineStage::evaluate(std::span<const TokenBatch> micro_batches, std::span<const StepInfo> infos,
                             const std::function<void(std::size_t, const Outcome&)>& use) {
    LOGLOG_ASSERT(micro_batches.size() == infos.size());
    if (!micro_batches.empty()) { work_->evaluate(micro_batches, infos, use); }
}

std::size_t PipelineStage::activation_bytes() const noexcept {
    std::size_t bytes = 0;
    for (const auto& slot : work_->slots) { bytes += slot->arena.peak_bytes(); }
    return bytes;
}

}  // namespace loglog
