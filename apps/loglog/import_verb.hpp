#pragma once

namespace CLI {
class App;
}

namespace loglog {

struct Program;

/// Adds `import` to the verb `runs`: files of other programs into the registry.
void add_import_verb(CLI::App& runs, Program& program);

}  // namespace loglog
