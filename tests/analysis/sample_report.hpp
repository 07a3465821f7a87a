#pragma once

#include <algorithm>
#include <cmath>

#include "analysis/report/report.hpp"
#include "engine/base/random.hpp"

namespace loglog {

/// A made-up sweep of sizes x token counts with curves, one diverged and one running run, and a hostile title.
inline ReportInput sample_report_input(int sizes = 4, int counts = 4, int steps = 400) {
    ReportInput input;
    input.title = "Report </script><b>of</b> & \"all\"";
    input.selection = "sweep = 'sample' and final_val_loss < 9";
    input.program_version = "1.2.3";
    input.created_at = "2025-03-01T12:30:00Z";
    input.environment = R"({"cpu":"a CPU","cores":2,"note":"</script>"})";
    input.commands = {"loglog report --where \"sweep = 'sample'\" --out report.html"};
    const Random random{Seed{3}, Stream::synthetic_data};
    std::uint64_t draw = 0;
    for (int i = 0; i < sizes; ++i) {
        for (int j = 0; j < counts; ++j) {
            ReportRun run;
            RunRecord& r = run.record;
            const int number = i * counts + j;
            r.id =
                std::string{"run-"} + static_cast<char>('0' + number / 10 % 10) + static_cast<char>('0' + number % 10);
            if (number >= 100) { r.id = "run-" + std::to_string(number); }
            r.name = "w" + std::to_string(32 * (i + 1)) + ", <tied>";
            r.state = number == 5 ? RunState::diverged : number == 6 ? RunState::running : RunState::ok;
            r.state_reason = number == 5 ? "loss is NaN at step 17" : "";
            r.family = "decoder";
            r.attention = "dense";
            r.layers = 2;
            r.width = 32 * (i + 1);
            r.heads = 2;
            const double n = 2e4 * std::pow(27.0, i / std::max(sizes - 1.0, 1.0));
            const double d = 1e6 * std::pow(27.0, j / std::max(counts - 1.0, 1.0));
            r.non_embedding_params = static_cast<std::int64_t>(n);
            r.embedding_params = 8192 * (i + 1);
            r.head_params = 0;
            r.total_params = *r.non_embedding_params + *r.embedding_params;
            r.tokens = static_cast<std::int64_t>(d);
            r.flops_per_token = 7.2 * n;
            r.flops = *r.flops_per_token * d;
            r.seed = 1;
            r.lr = 4e-3;
            r.seconds = 2e-12 * *r.flops;
            r.finished_at = "2025-03-01T12:30:00Z";
            r.sweep = "sample";
            r.spec =
                R"({"model":{"width":)" + std::to_string(r.width.value()) +
                R"(,"layers":2,"head_dim":32},"train":{"optimizer":{"kind":"adamw","lr":0.004},"seed":1},"note":"</script>"})";
            if (r.state == RunState::ok || r.state == RunState::diverged) {
                input.timeline.push_back({r.id, "2025-03-01T10:00:00Z", {number % 2}, 2, 0, 0, to_text(r.state)});
                auto& turn = input.timeline.back();
                for (const auto& before : input.timeline) {
                    if (before.ranks == turn.ranks) { turn.start = std::max(turn.start, before.end); }
                }
                turn.end = turn.start + 1 + *r.seconds;
            }
            for (int step = 1; step <= steps; ++step) {
                const double at = d * step / steps;
                const double loss = 1.1 + 9 * std::pow(n, -0.25) + 60 * std::pow(at, -0.3);
                run.curve.tokens.push_back(at);
                run.curve.steps.push_back(step);
                run.curve.seconds.push_back(*r.seconds * step / steps);
                run.curve.train_loss.push_back(loss * std::exp(0.03 * random.normal(draw++)));
                if (step % (steps / 10) == 0) {
                    run.curve.val_tokens.push_back(at);
                    run.curve.val_loss.push_back(loss * std::exp(0.004 * random.normal(draw++)));
                }
            }
            r.final_train_loss = run.curve.train_loss.back();
            r.final_val_loss = run.curve.val_loss.back();
            r.data_hash = "0123";
            r.code_version = "1.2.3+abc";
            r.host = "node1";
            input.runs.push_back(std::move(run));
        }
    }
    return input;
}

/// Besides, runs of equal compute at six sizes, a search for learning rates, and probes.
inline ReportInput sample_sweep_input() {
    ReportInput input = sample_report_input();
    const auto add = [&](std::string id, double n, double d, double loss) -> RunRecord& {
        ReportRun run;
        RunRecord& r = run.record;
        r.id = std::move(id);
        r.state = RunState::ok;
        r.family = "decoder";
        r.attention = "dense";
        r.non_embedding_params = static_cast<std::int64_t>(n);
        r.total_params = r.non_embedding_params;
        r.embedding_params = 0;
        r.tokens = static_cast<std::int64_t>(d);
        r.flops_per_token = 7.2 * n;
        r.flops = 7.2 * n * d;
        r.seed = 1;
        r.lr = 4e-3;
        r.final_val_loss = loss;
        r.data_hash = "0123";
        input.runs.push_back(std::move(run));
        return input.runs.back().record;
    };
    const auto loss = [](double n, double d) { return 1.1 + 9 * std::pow(n, -0.25) + 60 * std::pow(d, -0.3); };
    const Random random{Seed{5}, Stream::synthetic_data};
    std::uint64_t draw = 0;
    for (const double budget : {2e11, 2e12, 2e13}) {
        for (int i = 0; i < 7; ++i) {
            const double n = 0.05 * std::pow(budget, 0.5) * std::pow(2.2, i - 3);
            const double d = budget / n;
            add("iso-" + std::to_string(draw), n, d, loss(n, d) * std::exp(0.003 * random.normal(draw)));
            ++draw;
        }
    }
    for (const double n : {2e4, 6e4}) {
        for (int i = 0; i < 6; ++i) {
            const double lr = 1e-3 * std::pow(2.0, i);
            const double off = std::log(lr / 5e-3);
            RunRecord& r = add("rate-" + std::to_string(draw++), n, 1e6, loss(n, 1e6) * (1 + 0.02 * off * off));
            r.name = "lr-search";
            r.lr = lr;
        }
    }
    for (int i = 0; i < 4; ++i) {
        input.runs[static_cast<std::size_t>(i)].record.accuracy = 0.3 + 0.2 * i;
        input.runs[static_cast<std::size_t>(i)].state_floats = 1024.0 * (1 << i);
    }
    return input;
}

}  // namespace loglog
