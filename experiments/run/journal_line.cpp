#include "experiments/run/journal_line.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/base/error.hpp"

namespace loglog::detail {
namespace {

using Json = nlohmann::json;

constexpr std::string_view checksum_key = R"(,"sum":")";
constexpr std::string_view line_end = R"("})";
constexpr std::size_t checksum_digits = 16;
constexpr std::size_t tail_size = checksum_key.size() + checksum_digits + line_end.size();

std::string checksum(std::string_view text) { return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size())); }

// JSON has no NaN and no infinity, which are just what a diverging run must be able to say.
constexpr std::string_view not_a_number = R"("nan")";
constexpr std::string_view infinity = R"("inf")";
constexpr std::string_view negative_infinity = R"("-inf")";

/// The shortest text that reads back as the same bits.
void append(std::string& out, double number) {
    if (std::isfinite(number)) {
        fmt::format_to(std::back_inserter(out), "{}", number);
    } else {
        out += std::isnan(number) ? not_a_number : number > 0 ? infinity : negative_infinity;
    }
}

void append(std::string& out, std::int64_t number) { fmt::format_to(std::back_inserter(out), "{}", number); }

void append(std::string& out, const std::string& text) {
    out += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

void append(std::string& out, const std::vector<double>& numbers) {
    out += '[';
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (i > 0) { out += ','; }
        append(out, numbers[i]);
    }
    out += ']';
}

void append(std::string& out, const std::vector<LengthScore>& scores) {
    out += '[';
    for (std::size_t i = 0; i < scores.size(); ++i) {
        out += i > 0 ? R"(,{"length":)" : R"({"length":)";
        append(out, scores[i].length);
        out += R"(,"accuracy":)";
        append(out, scores[i].accuracy);
        out += R"(,"string_accuracy":)";
        append(out, scores[i].string_accuracy);
        out += '}';
    }
    out += ']';
}

template <class T>
void append_member(std::string& out, std::string_view key, const T& value) {
    out += ",\"";
    out += key;
    out += "\":";
    append(out, value);
}

void append_owner(std::string& out, const RunOwner& owner) {
    append_member(out, "host", owner.host);
    append_member(out, "pid", owner.pid);
    append_member(out, "start_ticks", owner.start_ticks);
}

/// Reads the members of a step line in the order append_text writes them, without building a tree.
class StepScanner {
  public:
    explicit StepScanner(std::string_view text) : rest_{text} {}

    void skip(std::string_view expected) {
        ok_ = ok_ && rest_.starts_with(expected);
        if (ok_) { rest_.remove_prefix(expected.size()); }
    }
    void read(std::string_view key, std::int64_t& value) {
        skip_key(key);
        scan(value);
    }
    void read(std::string_view key, double& value) {
        skip_key(key);
        if (rest_.starts_with('"')) {
            read_special(value);
        } else {
            scan(value);
        }
    }
    void read(std::string_view key, bool& value) {
        skip_key(key);
        value = rest_.starts_with("true");
        skip(value ? "true" : "false");
    }
    bool done() const { return ok_ && rest_.empty(); }
    bool at_end() const { return rest_.empty(); }

  private:
    void skip_key(std::string_view key) {
        skip(",\"");
        skip(key);
        skip("\":");
    }
    template <class T>
    void scan(T& value) {
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        ok_ = ok_ && error == std::errc{};
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    }
    void read_special(double& value) {
        if (rest_.starts_with(not_a_number)) {
            value = std::numeric_limits<double>::quiet_NaN();
            skip(not_a_number);
        } else if (rest_.starts_with(infinity)) {
            value = std::numeric_limits<double>::infinity();
            skip(infinity);
        } else {
            value = -std::numeric_limits<double>::infinity();
            skip(negative_infinity);
        }
    }

    std::string_view rest_;
    bool ok_ = true;
};

constexpr std::string_view step_start = R"({"event":"step")";

std::optional<StepLine> scan_step(std::string_view text) {
    StepLine line;
    StepScanner scanner{text};
    scanner.skip(step_start);
    scanner.read("step", line.step);
    scanner.read("loss", line.loss);
    scanner.read("lr", line.lr);
    scanner.read("grad_norm", line.grad_norm);
    scanner.read("tokens", line.tokens);
    scanner.read("flops", line.flops);
    scanner.read("seconds", line.seconds);
    scanner.read("tokens_per_second", line.tokens_per_second);
    scanner.read("share_of_peak", line.share_of_peak);
    scanner.read("clipped", line.clipped);
    if (!scanner.at_end()) { scanner.read("noise_scale", line.noise_scale); }
    return scanner.done() ? std::optional{line} : std::nullopt;
}

double number(const Json& value) {
    if (!value.is_string()) { return value.get<double>(); }
    const auto& text = value.get_ref<const std::string&>();
    if (text == "nan") { return std::numeric_limits<double>::quiet_NaN(); }
    if (text == "inf") { return std::numeric_limits<double>::infinity(); }
    if (text == "-inf") { return -std::numeric_limits<double>::infinity(); }
    throw Error{"'" + text + "' is no number"};
}

RunOwner owner_from(const Json& object) {
    return {object.at("host").get<std::string>(), object.at("pid").get<std::int64_t>(),
            object.at("start_ticks").get<std::int64_t>()};
}

StepLine step_from(const Json& object) {
    return {object.at("step").get<std::int64_t>(),
            number(object.at("loss")),
            number(object.at("lr")),
            number(object.at("grad_norm")),
            object.at("tokens").get<std::int64_t>(),
            number(object.at("flops")),
            number(object.at("seconds")),
            number(object.at("tokens_per_second")),
            number(object.at("share_of_peak")),
            object.at("clipped").get<bool>(),
            object.contains("noise_scale") ? number(object.at("noise_scale")) : 0.0};
}

EvalLine eval_from(const Json& object) {
    EvalLine line{object.at("step").get<std::int64_t>(), object.at("tokens").get<std::int64_t>(),
                  number(object.at("val_loss")),         number(object.at("bits_per_byte")),
                  number(object.at("perplexity")),       {}};
    for (const Json& loss : object.at("loss_by_position")) { line.loss_by_position.push_back(number(loss)); }
    const auto optional_number = [&](const char* key) {
        return object.contains(key) ? std::optional{number(object.at(key))} : std::nullopt;
    };
    line.accuracy = optional_number("accuracy");
    line.string_accuracy = optional_number("string_accuracy");
    line.recall_loss = optional_number("recall_loss");
    line.recall_share = optional_number("recall_share");
    for (const Json& score : object.value("by_length", Json::array())) {
        line.by_length.push_back({score.at("length").get<std::int64_t>(), number(score.at("accuracy")),
                                  number(score.at("string_accuracy"))});
    }
    return line;
}

ClosedLine closed_from(const Json& object) {
    return {run_state_from(object.at("state").get<std::string>()), object.at("reason").get<std::string>(),
            object.at("time").get<std::string>(), object.at("steps").get<std::int64_t>(),
            object.at("peak_memory_bytes").get<std::int64_t>()};
}

JournalLine line_from(const Json& object) {
    const auto event = object.at("event").get<std::string>();
    if (event == "step") { return step_from(object); }
    if (event == "eval") { return eval_from(object); }
    if (event == "checkpoint") { return CheckpointLine{object.at("step").get<std::int64_t>()}; }
    if (event == "closed") { return closed_from(object); }
    if (event == "resumed") {
        return ResumedLine{object.at("step").get<std::int64_t>(), object.at("time").get<std::string>(),
                           owner_from(object)};
    }
    if (event == "opened") {
        return OpenedLine{object.at("id").get<std::string>(), object.at("code_version").get<std::string>(),
                          object.at("spec_hash").get<std::string>(), object.at("time").get<std::string>(),
                          owner_from(object)};
    }
    throw Error{"unknown event '" + event + "' (written by a newer loglog?)"};
}

}  // namespace

void append_text(std::string& out, const OpenedLine& line) {
    out += R"({"event":"opened")";
    append_member(out, "id", line.id);
    append_member(out, "code_version", line.code_version);
    append_member(out, "spec_hash", line.spec_hash);
    append_member(out, "time", line.time);
    append_owner(out, line.owner);
}

void append_text(std::string& out, const ResumedLine& line) {
    out += R"({"event":"resumed")";
    append_member(out, "step", line.step);
    append_member(out, "time", line.time);
    append_owner(out, line.owner);
}

void append_text(std::string& out, const StepLine& line) {
    out += step_start;
    append_member(out, "step", line.step);
    append_member(out, "loss", line.loss);
    append_member(out, "lr", line.lr);
    append_member(out, "grad_norm", line.grad_norm);
    append_member(out, "tokens", line.tokens);
    append_member(out, "flops", line.flops);
    append_member(out, "seconds", line.seconds);
    append_member(out, "tokens_per_second", line.tokens_per_second);
    append_member(out, "share_of_peak", line.share_of_peak);
    out += line.clipped ? R"(,"clipped":true)" : R"(,"clipped":false)";
    if (line.noise_scale != 0) { append_member(out, "noise_scale", line.noise_scale); }
}

void append_text(std::string& out, const EvalLine& line) {
    out += R"({"event":"eval")";
    append_member(out, "step", line.step);
    append_member(out, "tokens", line.tokens);
    append_member(out, "val_loss", line.val_loss);
    append_member(out, "bits_per_byte", line.bits_per_byte);
    append_member(out, "perplexity", line.perplexity);
    append_member(out, "loss_by_position", line.loss_by_position);
    if (line.accuracy) { append_member(out, "accuracy", *line.accuracy); }
    if (line.string_accuracy) { append_member(out, "string_accuracy", *line.string_accuracy); }
    if (!line.by_length.empty()) { append_member(out, "by_length", line.by_length); }
    if (line.recall_loss) { append_member(out, "recall_loss", *line.recall_loss); }
    if (line.recall_share) { append_member(out, "recall_share", *line.recall_share); }
}

void append_text(std::string& out, const CheckpointLine& line) {
    out += R"({"event":"checkpoint")";
    append_member(out, "step", line.step);
}

void append_text(std::string& out, const ClosedLine& line) {
    out += R"({"event":"closed")";
    append_member(out, "state", std::string{to_text(line.state)});
    append_member(out, "reason", line.reason);
    append_member(out, "time", line.time);
    append_member(out, "steps", line.steps);
    append_member(out, "peak_memory_bytes", line.peak_memory_bytes);
}

void append_checksum(std::string& out) {
    const std::string sum = checksum(out);
    out += checksum_key;
    out += sum;
    out += line_end;
    out += '\n';
}

bool is_whole(std::string_view line) {
    if (line.size() < tail_size) { return false; }
    const std::string_view body = line.substr(0, line.size() - tail_size);
    const std::string_view tail = line.substr(body.size());
    return tail.starts_with(checksum_key) && tail.ends_with(line_end) &&
           tail.substr(checksum_key.size(), checksum_digits) == checksum(body);
}

JournalLine parse_line(std::string_view line) {
    if (line.starts_with(step_start)) {
        if (const auto step = scan_step(line.substr(0, line.size() - tail_size))) { return *step; }
    }
    try {
        return line_from(Json::parse(line));
    } catch (const nlohmann::json::exception& error) { throw Error{error.what()}; }
}

}  // namespace loglog::detail
