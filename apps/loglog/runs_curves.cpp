#include "apps/loglog/runs_curves.hpp"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

template <class Line, class T>
Json series(const std::vector<Line>& lines, T Line::*member) {
    Json values = Json::array();
    for (const Line& line : lines) { values.push_back(line.*member); }
    return values;
}

}  // namespace

std::string curves_as_csv(std::span<const NamedCurves> runs) {
    std::string text =
        "id,series,step,tokens,flops,seconds,loss,lr,grad_norm,tokens_per_second,share_of_peak,clipped,"
        "bits_per_byte,perplexity\n";
    const auto out = std::back_inserter(text);
    for (const auto& [id, curves] : runs) {
        for (const StepLine& line : curves.train) {
            fmt::format_to(out, "{},train,{},{},{},{},{},{},{},{},{},{:d},,\n", id, line.step, line.tokens, line.flops,
                           line.seconds, line.loss, line.lr, line.grad_norm, line.tokens_per_second, line.share_of_peak,
                           line.clipped);
        }
        for (const EvalLine& line : curves.eval) {
            fmt::format_to(out, "{},eval,{},{},,,{},,,,,,{},{}\n", id, line.step, line.tokens, line.val_loss,
                           line.bits_per_byte, line.perplexity);
        }
    }
    return text;
}

std::string curves_as_json(std::span<const NamedCurves> runs) {
    Json list = Json::array();
    for (const auto& [id, curves] : runs) {
        const auto& train = curves.train;
        const auto& eval = curves.eval;
        list.push_back({{"id", id},
                        {"train",
                         {{"step", series(train, &StepLine::step)},
                          {"tokens", series(train, &StepLine::tokens)},
                          {"flops", series(train, &StepLine::flops)},
                          {"seconds", series(train, &StepLine::seconds)},
                          {"loss", series(train, &StepLine::loss)},
                          {"lr", series(train, &StepLine::lr)},
                          {"grad_norm", series(train, &StepLine::grad_norm)},
                          {"tokens_per_second", series(train, &StepLine::tokens_per_second)},
                          {"share_of_peak", series(train, &StepLine::share_of_peak)},
                          {"clipped", series(train, &StepLine::clipped)},
                          {"noise_scale", series(train, &StepLine::noise_scale)}}},
                        {"eval",
                         {{"step", series(eval, &EvalLine::step)},
                          {"tokens", series(eval, &EvalLine::tokens)},
                          {"val_loss", series(eval, &EvalLine::val_loss)},
                          {"bits_per_byte", series(eval, &EvalLine::bits_per_byte)},
                          {"perplexity", series(eval, &EvalLine::perplexity)},
                          {"loss_by_position", series(eval, &EvalLine::loss_by_position)}}}});
    }
    return list.dump() + "\n";
}

}  // namespace loglog
