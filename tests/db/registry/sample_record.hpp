#pragma once

#include <string>

#include "db/registry/run_record.hpp"

namespace loglog {

/// A record with every column filled, different for different `n`.
inline RunRecord sample_record(int n) {
    RunRecord record;
    int i = 0;
    struct Fill {
        int n;
        int& i;
        void operator()(const char* name, std::string& text) { text = std::string{name} + std::to_string(n); }
        void operator()(const char*, RunState& state) { state = RunState::ok; }
        void operator()(const char*, std::vector<std::string>& tags) { tags = {"blue", "green"}; }
        void operator()(const char*, std::optional<std::int64_t>& number) { number = n * 1000 + ++i; }
        void operator()(const char*, std::optional<double>& number) { number = n + ++i / 3.0; }
    };
    visit_columns(record, Fill{n, i});
    record.id = "run" + std::string(n < 10 ? "00" : n < 100 ? "0" : "") + std::to_string(n);
    record.spec = R"({"train":{"batch_tokens":8192,"lr":0.004},"model":{"width":)" + std::to_string(n) + "}}";
    return record;
}

}  // namespace loglog
