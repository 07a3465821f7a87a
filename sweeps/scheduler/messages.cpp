#include "sweeps/scheduler/messages.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Json = nlohmann::json;

struct Encoder {
    Json operator()(const WorkRequest& m) const { return {{"type", "request"}, {"stop", m.stop_requested}}; }
    Json operator()(const ProgressReport& m) const {
        return {{"type", "progress"},
                {"step", m.progress.step},
                {"steps", m.progress.steps},
                {"tokens_per_second", m.progress.tokens_per_second},
                {"loss", m.progress.loss}};
    }
    Json operator()(const RunReport& m) const {
        return {{"type", "report"}, {"busy", m.busy}, {"record", to_json(m.record)}};
    }
    Json operator()(const MemberDone& m) const { return {{"type", "done"}, {"failure", m.failure}}; }
    Json operator()(const RunOrder& m) const {
        return {{"type", "run"},    {"id", m.id},         {"sweep", m.sweep},    {"spec", m.spec},
                {"ranks", m.ranks}, {"number", m.number}, {"members", m.members}};
    }
    Json operator()(const StopOrder&) const { return {{"type", "stop"}}; }
    Json operator()(const DismissOrder&) const { return {{"type", "dismiss"}}; }
};

// A loss that is not finite is null in JSON.
double number(const Json& json) { return json.is_number() ? json.get<double>() : std::nan(""); }

[[noreturn]] void refuse(std::string_view text) { throw Error{"no message of a sweep: " + std::string{text}}; }

}  // namespace

std::string encode(const WorkerMessage& message) {
    return std::visit(Encoder{}, message).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string encode(const CoordinatorMessage& message) {
    return std::visit(Encoder{}, message).dump(-1, ' ', false, Json::error_handler_t::replace);
}

WorkerMessage decode_worker_message(std::string_view text) try {
    const Json json = Json::parse(text);
    const auto type = json.at("type").get<std::string>();
    if (type == "request") { return WorkRequest{json.at("stop").get<bool>()}; }
    if (type == "progress") {
        return ProgressReport{{.step = json.at("step").get<std::int64_t>(),
                               .steps = json.at("steps").get<std::int64_t>(),
                               .loss = number(json.at("loss")),
                               .tokens_per_second = number(json.at("tokens_per_second"))}};
    }
    if (type == "done") { return MemberDone{json.at("failure").get<std::string>()}; }
    if (type != "report") { refuse(text); }
    return RunReport{run_record_from_json(json.at("record").get<std::string>()), json.at("busy").get<bool>()};
} catch (const Json::exception&) { refuse(text); }

CoordinatorMessage decode_coordinator_message(std::string_view text) try {
    const Json json = Json::parse(text);
    const auto type = json.at("type").get<std::string>();
    if (type == "stop") { return StopOrder{}; }
    if (type == "dismiss") { return DismissOrder{}; }
    if (type != "run") { refuse(text); }
    return RunOrder{.id = json.at("id").get<std::string>(),
                    .sweep = json.at("sweep").get<std::string>(),
                    .spec = json.at("spec").get<std::string>(),
                    .ranks = json.at("ranks").get<int>(),
                    .number = json.at("number").get<std::int64_t>(),
                    .members = json.at("members").get<std::vector<int>>()};
} catch (const Json::exception&) { refuse(text); }

}  // namespace loglog
