#pragma once

#include <cmath>

#include "analysis/report/report.hpp"
#include "tests/analysis/attention/synthetic_comparison.hpp"

namespace loglog {

/// A made-up sweep over kinds of attention with curves, one diverged run, and a hostile label.
inline ReportInput sample_attention_input() {
    SyntheticComparison sweep;
    sweep.kinds.push_back({"<i>moba</i>", "moba", 1.05, 0.99});
    sweep.seeds = 3;
    ReportInput input;
    input.title = "Attention compared";
    input.selection = "sweep = 'made-up'";
    input.program_version = "1.2.3";
    input.created_at = "2025-03-01T12:30:00Z";
    input.commands = {"loglog compare --by attention --sweep made-up"};
    for (ComparedRun& compared : sweep.runs()) {
        ReportRun run;
        run.record = std::move(compared.record);
        run.curve.loss_by_position = std::move(compared.loss_by_position);
        const double tokens = static_cast<double>(*run.record.tokens);
        for (int step = 1; step <= 100; ++step) {
            const double loss = *run.record.final_val_loss * std::pow(0.01 * step, -0.2);
            run.curve.tokens.push_back(tokens * 0.01 * step);
            run.curve.train_loss.push_back(loss);
            if (step % 20 != 0) { continue; }
            run.curve.val_tokens.push_back(tokens * 0.01 * step);
            run.curve.val_loss.push_back(loss);
        }
        input.runs.push_back(std::move(run));
    }
    input.runs[20].record.state = RunState::diverged;
    input.runs[20].record.state_reason = "loss is NaN at step 17";
    return input;
}

}  // namespace loglog
