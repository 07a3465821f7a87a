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
            for (int step = 1; step <= steps; ++step) {
                const double at = d * step / steps;
                const double loss = 1.1 + 9 * std::pow(n, -0.25) + 60 * std::pow(at, -0.3);
                run.curve.tokens.push_back(at);
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

}  // namespace loglog
