#pragma once

namespace loglog {

/// Cores that this process may run on: what binding, containers and batch systems left of the machine's. At least 1.
int usable_cores();
/// Cores of the machine that are switched on, whoever may use them. At least 1.
int online_cores();

}  // namespace loglog
