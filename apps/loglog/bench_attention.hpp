#pragma once

namespace CLI {
class App;
}

namespace loglog {

/// Adds `bench attention` to the verb `bench`.
void add_attention_bench(CLI::App& verb);

}  // namespace loglog
